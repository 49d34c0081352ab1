"""Ends processes that a scorer forks and that come back from it, where each would do all the rest again."""

from __future__ import annotations

import os
import select
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from codesample.rerankers.blame import HardExit

__all__ = ["none_coming_back"]

_CAME_BACK = b"!"
_EXIT = os._exit
# seconds that a process which still works may take to come back; workers of a pool stay for longer
_PATIENCE = 0.5


@contextmanager
def none_coming_back() -> Iterator[None]:
    """End every process but this one at the end of a block, in which a scorer is at work.

    Raises:
        HardExit: one came to that end.
    """
    process = os.getpid()
    # the write end is open for as long as this process or a forked one has it, and no other program has
    hears, tells = os.pipe()
    try:
        yield
    finally:
        if os.getpid() != process:
            with suppress(OSError):
                os.write(tells, _CAME_BACK)
            _EXIT(1)
        with suppress(OSError):
            os.close(tells)
        came_back = _heard(hears)
        with suppress(OSError):
            os.close(hears)
    if came_back:
        raise HardExit("forked a process that came back from it; let such a process end by os._exit")


def _heard(hears: int) -> bool:
    """Whether a process came back; waits for one that was forked to end, or for a little while."""
    try:
        waiting = select.poll()
        waiting.register(hears, select.POLLIN)
        return bool(waiting.poll(1000 * _PATIENCE)) and os.read(hears, 1) == _CAME_BACK
    except OSError:
        return False
