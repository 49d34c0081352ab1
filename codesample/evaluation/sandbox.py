"""Opens the judge of an evaluation, and says how far it keeps programs apart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from codesample.errors import IsolationError, ParameterError
from codesample.evaluation.observer import Observer
from codesample.evaluation.on_ray import RunCluster, open_cluster
from codesample.evaluation.options import RunOptions
from codesample.execution import Executor, Level, Limits
from codesample.execution.caller.granted_modules import missing_modules
from codesample.execution.caller.reference_cache import cache_folder
from codesample.execution.judge import Judge
from codesample.records import Status

__all__ = ["notice_weakness", "open_judge", "recall", "recalled"]


@contextmanager
def open_judge(run: RunOptions, cluster: RunCluster | None = None) -> Iterator[Judge]:
    """Give a judge within a `with` block; one that the caller brought stays open behind it.

    Args:
        run: What was asked for.
        cluster: That it names; None connects to it.

    Raises:
        UnknownNameError: no such level of isolation.
        IsolationError: this machine, or the caller's judge, grants less than asked for.
        ParameterError: a module to be imported that programs cannot import; names it. Or as `open_cluster`.
    """
    weakest = run.allow_weak_isolation
    minimum = Level.CONFINED if weakest is None else Level.parse(weakest)
    if run.judge is not None:
        _expect_isolation(run.judge, minimum)
        yield run.judge
        return
    if run.ray is not None:
        with _judge_of(run, cluster, minimum) as judge:
            yield judge
        return
    if missing := missing_modules(run.imports):
        raise ParameterError(f"imports {', '.join(missing)}: not among the packages installed here")
    with Executor(workers=run.workers, limits=Limits(imports=run.imports), minimum=minimum) as executor:
        if run.imports:
            _try_imports(executor, run.imports)
        yield executor


@contextmanager
def _judge_of(run: RunOptions, cluster: RunCluster | None, minimum: Level) -> Iterator[Judge]:
    with ExitStack() as stack:
        there = cluster or stack.enter_context(open_cluster(run, samples=False))
        assert there is not None
        judge = stack.enter_context(there.judge(minimum))
        if run.imports:
            _try_imports(judge, run.imports)
        yield judge


def recall(judge: Judge, run: RunOptions) -> None:
    """Let a judge of the run's own take verdicts of earlier sessions from now on, where that is wanted."""
    if run.cache and run.judge is None and isinstance(judge, Executor):
        judge.recall(cache_folder("verdicts"))


def recalled(judge: Judge) -> int:
    """Return how many verdicts so far were those of earlier sessions."""
    return judge.recalled if isinstance(judge, Executor) else 0


def _expect_isolation(judge: Judge, minimum: Level) -> None:
    granted = judge.isolation.level
    if granted < minimum:
        raise IsolationError(
            f"the judge isolates programs at level {granted.label!r}, and {minimum.label!r} is asked for; "
            f"bring another, or accept it: allow_weak_isolation={granted.label!r}"
        )


def _try_imports(judge: Judge, names: Sequence[str]) -> None:
    """Import the modules in a process as programs have it, before anything is sampled."""
    lines = "".join(f"import {name}\n" for name in names)
    (outcome,) = judge.submit_calls(f"{lines}def found():\n    return True", "found", [()]).result()
    if outcome.status is not Status.PASSED:
        why = outcome.detail.strip().splitlines()[-1:] or [str(outcome.status)]
        raise ParameterError(f"imports {', '.join(names)}: cannot be imported by programs: {why[0]}")


def notice_weakness(judge: Judge, observer: Observer) -> None:
    """Say it where programs are isolated less than they are by default."""
    isolation = judge.isolation
    if isolation.level < Level.CONFINED:
        observer.notice(
            f"programs are kept apart only at level {isolation.level.label!r}: {isolation.remedy}"
        )
