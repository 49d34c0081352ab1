"""Opens the judge of an evaluation, and says how far it keeps programs apart."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

from codesample.errors import IsolationError
from codesample.evaluation.observer import Observer
from codesample.evaluation.options import RunOptions
from codesample.execution import Executor, Level
from codesample.execution.judge import Judge

__all__ = ["notice_weakness", "open_judge"]


def open_judge(run: RunOptions) -> AbstractContextManager[Judge]:
    """Return a judge to be used in a `with` block; one that the caller brought stays open behind it.

    Raises:
        UnknownNameError: no such level of isolation.
        IsolationError: this machine, or the caller's judge, grants less than asked for.
    """
    weakest = run.allow_weak_isolation
    minimum = Level.CONFINED if weakest is None else Level.parse(weakest)
    if run.judge is None:
        return Executor(workers=run.workers, minimum=minimum)
    granted = run.judge.isolation.level
    if granted < minimum:
        raise IsolationError(
            f"the judge isolates programs at level {granted.label!r}, and {minimum.label!r} is asked for; "
            f"bring another, or accept it: allow_weak_isolation={granted.label!r}"
        )
    return nullcontext(run.judge)


def notice_weakness(judge: Judge, observer: Observer) -> None:
    """Say it where programs are isolated less than they are by default."""
    isolation = judge.isolation
    if isolation.level < Level.CONFINED:
        observer.notice(
            f"programs are kept apart only at level {isolation.level.label!r}: {isolation.remedy}"
        )
