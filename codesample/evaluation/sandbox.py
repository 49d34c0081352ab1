"""Opens the judge of an evaluation, and says how far it keeps programs apart."""

from __future__ import annotations

from codesample.evaluation.observer import Observer
from codesample.evaluation.options import RunOptions
from codesample.execution import Executor, Level
from codesample.execution.judge import Judge

__all__ = ["notice_weakness", "open_judge"]


def open_judge(run: RunOptions) -> Judge:
    """Return a judge to be used in a `with` block.

    Raises:
        UnknownNameError: no such level of isolation.
        IsolationError: this machine grants less than asked for.
    """
    weakest = run.allow_weak_isolation
    minimum = Level.CONFINED if weakest is None else Level.parse(weakest)
    return Executor(workers=run.workers, minimum=minimum)


def notice_weakness(judge: Judge, observer: Observer) -> None:
    """Say it where programs are isolated less than they are by default."""
    isolation = judge.isolation
    if isolation.level < Level.CONFINED:
        observer.notice(
            f"programs are kept apart only at level {isolation.level.label!r}: {isolation.remedy}"
        )
