"""Carries out a checked plan: fills the run folder, reranks, and writes the results."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

from codesample.evaluation.environment import session_facts
from codesample.evaluation.observer import Observer
from codesample.evaluation.plan import Chosen
from codesample.evaluation.report import Report, Seconds
from codesample.evaluation.sample_and_judge import Spent, fill
from codesample.evaluation.scoring import EXECUTED, pools, score
from codesample.evaluation.summary import summarise
from codesample.execution import Executor, Level
from codesample.rerankers.contract import Reranker, require_supplied
from codesample.runs import Key, Manifest, RunFolder

if TYPE_CHECKING:
    from codesample.engines.contract import Engine

__all__ = ["Plan", "conduct", "notice_weakness", "open_executor"]


@dataclass(frozen=True)
class Plan:
    """A run whose every setting was checked; nothing has been loaded or written.

    Attributes:
        command: "eval" or "execute".
        chosen: Task and problems.
        of_problems: How many problems the task has, with those that no candidate is wanted of.
        wanted: Keys of the candidates the run is to hold.
        n: Candidates per problem, for the record.
        k: The k of pass@k, ascending.
        rerankers: Loaded.
        manifest: Says what the run is; without sessions.
        out: The run folder.
        resume: Whether it exists already.
        settings: What else was asked for, for the record; plain JSON data.
        checkpoint: Fingerprint of the model's folder; None where it is in none.
    """

    command: str
    chosen: Chosen
    of_problems: int
    wanted: frozenset[Key]
    n: int
    k: tuple[int, ...]
    rerankers: Sequence[Reranker]
    manifest: Manifest
    out: Path
    resume: bool
    settings: Mapping[str, Any]
    checkpoint: str | None = None


def open_executor(workers: int | None, allow_weak_isolation: str | None) -> Executor:
    """Return an executor to be used in a `with` block.

    Raises:
        UnknownNameError: no such level of isolation.
        IsolationError: this machine grants less than asked for, once the block is entered.
    """
    minimum = Level.CONFINED if allow_weak_isolation is None else Level.parse(allow_weak_isolation)
    return Executor(workers=workers, minimum=minimum)


def notice_weakness(executor: Executor, observer: Observer) -> None:
    """Say it where programs are isolated less than they are by default."""
    isolation = executor.isolation
    if isolation.level < Level.CONFINED:
        observer.notice(
            f"programs are kept apart only at level {isolation.level.label!r}: {isolation.remedy}"
        )


def conduct(
    plan: Plan, load: Callable[[], Engine], executor: Executor, observer: Observer, *, began: float
) -> Report:
    """Carry out a plan and write its results.

    Args:
        load: Makes the engine; called once everything else is known to be possible.
        executor: Open.
        began: `time.monotonic()` when the caller was asked.

    Raises:
        CodesampleError: as `evaluate`, from loading the model on; a reranker's failure after the results
            without it are written.
    """
    engine = load()
    require_supplied(
        plan.rerankers, EXECUTED | engine.abilities, {"logprobs": f"{engine.name} gives no log-probabilities"}
    )
    facts = session_facts(
        plan.command,
        model=engine.describe() | ({"checkpoint": plan.checkpoint} if plan.checkpoint else {}),
        isolation=executor.isolation.as_json(),
        settings={
            **plan.settings,
            **plan.chosen.origin,
            "n": plan.n,
            "candidates": len(plan.wanted),
            "k": plan.k,
            "rerankers": [each.name for each in plan.rerankers],
        },
    )
    start = RunFolder.resume if plan.resume else RunFolder.create
    with start(plan.out, replace(plan.manifest, sessions=(facts,))) as run:
        for notice in run.notices:
            observer.notice(notice)
        notice_weakness(executor, observer)
        try:
            spent = fill(
                run,
                plan.chosen,
                plan.wanted,
                engine=engine,
                params=plan.manifest.params,
                executor=executor,
                observer=observer,
            )
            return _conclude(plan, run, spent, executor=executor, observer=observer, began=began)
        finally:
            observer.stopped()


def _conclude(
    plan: Plan, run: RunFolder, spent: Spent, *, executor: Executor, observer: Observer, began: float
) -> Report:
    gathered = pools(run, plan.chosen, plan.wanted)
    scored = score(
        plan.rerankers,
        gathered,
        task=plan.chosen.task.name,
        seed=plan.manifest.params.seed,
        executor=executor,
        run=run,
        observer=observer,
    )
    report = summarise(
        run,
        gathered,
        scored.scores,
        problems=plan.of_problems,
        n=plan.n,
        k=plan.k,
        seconds=Seconds(round(spent.sampling, 3), round(spent.execution, 3), round(monotonic() - began, 3)),
        tokens_per_second=round(spent.tokens / spent.sampling, 1) if spent.tokens else None,
        notices=scored.notices,
    )
    run.write_results(report.as_json())
    scored.raise_failures(run, observer)
    return report
