"""A CPU limit for trusted tests: what a program returned may make a comparison arbitrarily slow."""

from __future__ import annotations

import contextlib
import math
import resource
import signal
import time
from collections.abc import Callable, Iterator
from types import FrameType

__all__ = ["ChecksTimedOut", "curb_checks", "limited_checks"]

_REPEAT_SECONDS = 0.1
_KERNEL_MARGIN_SECONDS = 2
_WORTH_RENEWING = 0.1


class ChecksTimedOut(BaseException):
    """The tests used up their own CPU time; not an `Exception`, so that tests do not catch it."""


def _expired(number: int, frame: FrameType | None) -> None:
    raise ChecksTimedOut


@contextlib.contextmanager
def limited_checks(seconds: float) -> Iterator[Callable[[], None]]:
    """Raise `ChecksTimedOut` in the body once this process used that much user CPU time in it.

    A single call into C cannot be interrupted; the kernel ends this process by SIGXCPU two seconds
    of CPU time later, and whoever started it knows what that means.

    Yields: a function that starts the time again, for a body of many steps; a tenth may be missing.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    began = -math.inf

    def start() -> None:
        nonlocal began
        now = time.monotonic()
        # CPU time is no longer than that; most steps are so short that the calls below would cost more
        if now - began < _WORTH_RENEWING * seconds:
            return
        began = now
        used = resource.getrusage(resource.RUSAGE_SELF)
        last = int(used.ru_utime + used.ru_stime + seconds) + _KERNEL_MARGIN_SECONDS
        soft = last if hard == resource.RLIM_INFINITY else min(last, hard)
        resource.setrlimit(resource.RLIMIT_CPU, (soft, hard))
        # repeated, in case a test swallows the first
        signal.setitimer(signal.ITIMER_VIRTUAL, seconds, _REPEAT_SECONDS)

    before = signal.signal(signal.SIGVTALRM, _expired)
    start()
    try:
        yield start
    finally:
        try:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        finally:
            # again, for it may have gone off in that line; it does not so twice within so short a time
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
            signal.signal(signal.SIGVTALRM, before)
            resource.setrlimit(resource.RLIMIT_CPU, (hard, hard))


def curb_checks(seconds: float) -> None:
    """Within `limited_checks`, leave the body at most so many more seconds."""
    left, _ = signal.getitimer(signal.ITIMER_VIRTUAL)
    if left > seconds:
        signal.setitimer(signal.ITIMER_VIRTUAL, seconds, _REPEAT_SECONDS)
