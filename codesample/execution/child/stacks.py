"""Makes room for thread stacks, which reserve address space and use little of it."""

from __future__ import annotations

import _thread
import resource
from collections.abc import Callable
from typing import Any

__all__ = ["make_room_with_threads"]

_STARTS = ("start_new_thread", "start_new", "start_joinable_thread", "stack_size")
_COUNTING_RESERVED = (resource.RLIMIT_DATA, resource.RLIMIT_AS)


def make_room_with_threads() -> None:
    """Lift this process's soft limits on memory to the hard ones when it is about to use threads.

    Memory that is really used is bounded by whoever watches the process.
    """
    for name in _STARTS:
        if start := getattr(_thread, name, None):
            setattr(_thread, name, _lifting(start))


def _lifting(start: Callable[..., Any]) -> Callable[..., Any]:
    def lift_and_start(*args: Any, **kwargs: Any) -> Any:
        for kind in _COUNTING_RESERVED:
            _, hard = resource.getrlimit(kind)
            resource.setrlimit(kind, (hard, hard))
        return start(*args, **kwargs)

    lift_and_start.__name__ = lift_and_start.__qualname__ = start.__name__
    return lift_and_start
