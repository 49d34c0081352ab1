"""Carries out a checked plan: fills the run folder, reranks, and writes the results."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

from codesample.evaluation.filling import Spent, fill
from codesample.evaluation.observer import Observer
from codesample.evaluation.plan import Chosen, check_run_folder
from codesample.evaluation.report import Report, Seconds
from codesample.evaluation.scoring import EXECUTED, pools, score
from codesample.evaluation.session import session_facts
from codesample.evaluation.summary import summarise
from codesample.execution import Executor, Level
from codesample.rerankers.contract import Reranker, require_supplied
from codesample.runs import Key, Manifest, RunFolder

if TYPE_CHECKING:
    from codesample.sampling.engine import Engine

__all__ = ["Plan", "conduct", "open_executor"]


@dataclass(frozen=True)
class Plan:
    """A run whose every setting was checked; nothing has been loaded or written.

    Attributes:
        command: "eval" or "execute".
        chosen: Task and problems.
        wanted: Keys of the candidates the run is to hold.
        n: Candidates per problem, for the record.
        k: The k of pass@k, ascending.
        rerankers: Loaded.
        manifest: Says what the run is; without sessions.
        out: The run folder.
        resume: Whether it exists already.
        settings: What else was asked for, for the record; plain JSON data.
    """

    command: str
    chosen: Chosen
    wanted: frozenset[Key]
    n: int
    k: tuple[int, ...]
    rerankers: Sequence[Reranker]
    manifest: Manifest
    out: Path
    resume: bool
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_run_folder(self.out, self.manifest, resume=self.resume)


def open_executor(workers: int | None, allow_weak_isolation: str | None) -> Executor:
    """Return an executor to be used in a `with` block.

    Raises:
        UnknownNameError: no such level of isolation.
        IsolationError: this machine grants less than asked for, once the block is entered.
    """
    minimum = Level.CONFINED if allow_weak_isolation is None else Level.parse(allow_weak_isolation)
    return Executor(workers=workers, minimum=minimum)


def conduct(
    plan: Plan, load: Callable[[], Engine], executor: Executor, observer: Observer, *, began: float
) -> Report:
    """Carry out a plan and write its results.

    Args:
        load: Makes the engine; called once everything else is known to be possible.
        executor: Open.
        began: `time.monotonic()` when the caller was asked.

    Raises:
        CodesampleError: as `evaluate`, from loading the model on.
    """
    isolation = executor.isolation.as_json()
    engine = load()
    require_supplied(
        plan.rerankers, EXECUTED | engine.abilities, {"logprobs": f"{engine.name} gives no log-probabilities"}
    )
    facts = session_facts(
        plan.command,
        model=engine.describe(),
        isolation=isolation,
        settings={
            **plan.settings,
            **plan.chosen.origin,
            "k": plan.k,
            "rerankers": [each.name for each in plan.rerankers],
        },
    )
    start = RunFolder.resume if plan.resume else RunFolder.create
    with start(plan.out, replace(plan.manifest, sessions=(facts,))) as run:
        for notice in run.notices:
            observer.notice(notice)
        if executor.isolation.level < Level.CONFINED:
            observer.notice(
                f"programs are kept apart only at level {isolation['level']!r}: {isolation['remedy']}"
            )
        spent = fill(
            run,
            plan.chosen,
            plan.wanted,
            engine=engine,
            params=plan.manifest.params,
            executor=executor,
            observer=observer,
        )
        report = _conclude(plan, run, spent, executor=executor, isolation=isolation["level"], began=began)
        run.write_results(report.as_json())
    return report


def _conclude(
    plan: Plan, run: RunFolder, spent: Spent, *, executor: Executor, isolation: str, began: float
) -> Report:
    gathered = pools(run, plan.chosen, plan.wanted)
    scores = score(
        plan.rerankers,
        gathered,
        task=plan.chosen.task.name,
        seed=plan.manifest.params.seed,
        executor=executor,
        run=run,
    )
    return summarise(
        run,
        gathered,
        scores,
        n=plan.n,
        k=plan.k,
        seconds=Seconds(round(spent.sampling, 3), round(spent.execution, 3), round(monotonic() - began, 3)),
        tokens_per_second=round(spent.tokens / spent.sampling, 1) if spent.tokens else None,
        isolation=isolation,
    )
