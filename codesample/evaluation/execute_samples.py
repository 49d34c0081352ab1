"""Judges samples that were made elsewhere, and reports as an evaluation does."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from time import monotonic

from codesample.engines.recorded import RecordedSamples
from codesample.errors import DataError
from codesample.evaluation.observer import Observer
from codesample.evaluation.options import RunOptions
from codesample.evaluation.pipeline import carry_out
from codesample.evaluation.plan import ModelSource, build_plan, choose_rerankers
from codesample.evaluation.problem_choice import Ids, Limit
from codesample.evaluation.problem_set import read_problems
from codesample.evaluation.report import Report
from codesample.rerankers.contract import Reranker
from codesample.runs import read_samples
from codesample.tasks.contract import Task

__all__ = ["execute_samples"]


def execute_samples(
    samples: Path,
    task: str | Path | Task,
    *,
    data: Path | None = None,
    limit: Limit = None,
    ids: Ids = None,
    k: int | Sequence[int] | None = None,
    rerankers: str | Reranker | Sequence[str | Reranker] = (),
    run: RunOptions | None = None,
    observer: Observer | None = None,
) -> Report:
    """Judge samples of any origin and report as `evaluate` does.

    Args:
        samples: Rows with `task_id` and `completion` or `solution` (a whole program); any number per
            problem, a subset of the problems is fine.
        task: Whose hidden tests judge them; as for `evaluate`.
        limit, ids: Which problems count, as for `evaluate`; samples of the task's others are left out.
        k: The k of pass@k; None takes those of 1, 5, 10 that the problem with the fewest samples allows.
        data, rerankers, run, observer: As for `evaluate`.

    Returns:
        Figures over the problems that have samples; how many have none is among its notices.

    Raises:
        DataError: a row is malformed, or of a problem the task does not have; names file and line.
        CodesampleError: as `evaluate`.
    """
    began = monotonic()
    loaded = choose_rerankers(rerankers)
    whole = read_problems(task, data=data)
    chosen = whole.narrowed(limit=limit, ids=ids)
    candidates = [each for each in read_samples(samples, known=whole.by_id) if each.task_id in chosen.by_id]
    if not candidates:
        less = "" if chosen is whole else " of the problems that are meant"
        raise DataError(f"{samples}: holds no samples{less}")
    engine = RecordedSamples(samples, candidates)
    plan = build_plan(
        "execute",
        chosen,
        engine.candidates.keys(),
        ModelSource(engine.name, lambda: engine, label=samples.name.split(".")[0]),
        # how another tool chose its tokens is unknown; nothing here draws any
        params=None,
        k=k,
        rerankers=loaded,
        run=run or RunOptions(),
        settings={"samples": str(samples.resolve())},
    )
    return carry_out(plan, observer or Observer(), began=began)
