"""A CPU limit for trusted tests: what a program returned may make a comparison arbitrarily slow."""

from __future__ import annotations

import contextlib
import resource
import signal
from collections.abc import Iterator
from types import FrameType

__all__ = ["ChecksTimedOut", "limited_checks"]

_REPEAT_SECONDS = 0.1
_KERNEL_MARGIN_SECONDS = 2


class ChecksTimedOut(BaseException):
    """The tests used up their own CPU time; not an `Exception`, so that tests do not catch it."""


def _expired(number: int, frame: FrameType | None) -> None:
    raise ChecksTimedOut


@contextlib.contextmanager
def limited_checks(seconds: float) -> Iterator[None]:
    """Raise `ChecksTimedOut` in the body once this process used that much user CPU time in it.

    A single call into C cannot be interrupted; the kernel ends this process by SIGXCPU two seconds
    of CPU time later, and whoever started it knows what that means.
    """
    used = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    last = int(used.ru_utime + used.ru_stime + seconds) + _KERNEL_MARGIN_SECONDS
    resource.setrlimit(
        resource.RLIMIT_CPU, (last if hard == resource.RLIM_INFINITY else min(last, hard), hard)
    )
    before = signal.signal(signal.SIGVTALRM, _expired)
    # repeated, in case a test swallows the first
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds, _REPEAT_SECONDS)
    try:
        yield
    finally:
        try:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        finally:
            # again, for it may have gone off in that line; it does not so twice within so short a time
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
            signal.signal(signal.SIGVTALRM, before)
            resource.setrlimit(resource.RLIMIT_CPU, (hard, hard))
