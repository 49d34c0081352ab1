"""One judge per process and setting, opened at first use and shared by all rewards that ask for the same."""

from __future__ import annotations

import atexit
import os
import threading
import weakref
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import Any

from codesample.errors import ParameterError
from codesample.evaluation.options import RunOptions
from codesample.evaluation.sandbox import open_judge
from codesample.execution.caller.cores import usable_cores
from codesample.execution.judge import Judge

__all__ = ["give_back", "judge_for"]

_LOCAL_RANKS = "LOCAL_WORLD_SIZE"


@dataclass(frozen=True, slots=True)
class _Shared:
    judge: Judge
    opened: ExitStack
    holders: weakref.WeakSet[Any] = field(default_factory=weakref.WeakSet)

    def close(self) -> None:
        # what still waits is to fail, not to be waited for
        self.judge.close()
        self.opened.close()


_lock = threading.Lock()
_shared: dict[tuple[Any, ...], _Shared] = {}


def judge_for(run: RunOptions, holder: object) -> Judge:
    """Return this process's judge for these options, opening it if nobody did; a judge of the caller's as is.

    Args:
        holder: Who uses it, until `give_back` or the end of the process.

    Raises:
        IsolationError, UnknownNameError, ParameterError: see `open_judge`.
    """
    if run.judge is not None:
        with open_judge(run) as judge:
            return judge
    key = (run.workers, run.allow_weak_isolation, run.imports)
    with _lock:
        if key not in _shared:
            opened = ExitStack()
            judge = opened.enter_context(open_judge(replace(run, workers=run.workers or _fair_share())))
            _shared[key] = _Shared(judge, opened)
        _shared[key].holders.add(holder)
        return _shared[key].judge


def give_back(holder: object) -> None:
    """Close every judge that nobody but this holder uses."""
    with _lock:
        for key, each in list(_shared.items()):
            each.holders.discard(holder)
            if not each.holders:
                del _shared[key]
                each.close()


def _fair_share() -> int:
    """Return how many programs run at once where several processes of one training share the machine."""
    said = os.environ.get(_LOCAL_RANKS, "1")
    if not said.isdecimal() or int(said) < 1:
        raise ParameterError(f"{_LOCAL_RANKS}={said!r}: expected how many processes run here, at least 1")
    return max(1, usable_cores() // int(said))


def _close_all() -> None:
    with _lock:
        while _shared:
            _shared.popitem()[1].close()


def _after_fork() -> None:
    # another thread may have held it; executors see to themselves
    global _lock
    _lock = threading.Lock()


atexit.register(_close_all)
os.register_at_fork(after_in_child=_after_fork)
