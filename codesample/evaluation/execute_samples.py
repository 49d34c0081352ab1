"""Judges samples that were made elsewhere: another tool's file takes the place of a model."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

from codesample.errors import DataError, MetricError, ParameterError
from codesample.evaluation.observer import Observer
from codesample.evaluation.options import choose_k
from codesample.evaluation.pipeline import Plan, conduct, open_executor
from codesample.evaluation.plan import (
    check_run_folder,
    choose_rerankers,
    choose_task,
    manifest_of,
    new_run_folder,
)
from codesample.evaluation.report import Report
from codesample.records import Candidate, Request, SamplingParams
from codesample.rerankers.contract import Reranker
from codesample.runs import read_samples
from codesample.tasks.contract import Task

if TYPE_CHECKING:
    from codesample.engines.contract import Progress

__all__ = ["RecordedSamples", "execute_samples"]


class RecordedSamples:
    """An engine that gives candidates read from a file.

    Args:
        path: The file, for the record.
        candidates: What was read from it.

    Attributes:
        name: The file's name and the beginning of its SHA-256.
        abilities: "logprobs" where every candidate has them.
    """

    def __init__(self, path: Path, candidates: Sequence[Candidate]) -> None:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        self.name = f"{path.name}@sha256:{digest[:12]}"
        self.abilities = frozenset(
            {"logprobs"} if all(each.logprobs is not None for each in candidates) else ()
        )
        self.candidates = {(each.task_id, each.index): each for each in candidates}
        self._path = path

    def stream(
        self, requests: Sequence[Request], params: SamplingParams, *, progress: Progress | None = None
    ) -> Iterator[Candidate]:
        """Yield the recorded candidates asked for; no token is drawn, so `progress` is never called."""
        for request in requests:
            for index in request.indices:
                yield self.candidates[request.task_id, index]

    def describe(self) -> dict[str, Any]:
        """Return where the candidates come from."""
        return {"name": self.name, "file": str(self._path.resolve())}


def execute_samples(
    samples: Path,
    task: str | Path | Task,
    *,
    data: Path | None = None,
    k: Sequence[int] | None = None,
    rerankers: Sequence[str | Reranker] = (),
    out: Path | None = None,
    resume: bool = False,
    workers: int | None = None,
    allow_weak_isolation: str | None = None,
    observer: Observer | None = None,
) -> Report:
    """Judge samples of any origin and report as `evaluate` does.

    Args:
        samples: Rows with `task_id` and `completion` or `solution` (a whole program); any number per
            problem, a subset of the problems is fine.
        task: Whose hidden tests judge them; as for `evaluate`.
        k: The k of pass@k; None takes those of 1, 5, 10 that the problem with the fewest samples allows.
        data, rerankers, out, resume, workers, allow_weak_isolation, observer: As for `evaluate`.

    Returns:
        Figures over the problems that have samples; how many have none is among its notices.

    Raises:
        DataError: a row is malformed, or of a problem the task does not have; names file and line.
        CodesampleError: as `evaluate`.
    """
    began = monotonic()
    if resume and out is None:
        raise ParameterError("resume without a run folder; name the one to go on with: --out RUN --resume")
    loaded = choose_rerankers(rerankers)
    chosen = choose_task(task, data=data)
    candidates = list(read_samples(samples, known=chosen.by_id))
    if not candidates:
        raise DataError(f"{samples}: holds no samples")
    engine = RecordedSamples(samples, candidates)
    per_problem = Counter(candidate.task_id for candidate in candidates)
    fewest, n = min(per_problem.items(), key=lambda item: item[1])
    try:
        ks = choose_k(k, n)
    except MetricError as error:
        raise MetricError(f"{error}; {fewest} has the fewest samples") from None
    # how another tool chose its tokens is unknown; nothing here draws any
    manifest = manifest_of(chosen, engine.name, SamplingParams(), n)
    out = out or new_run_folder(chosen.task.name, samples.name.split(".")[0])
    check_run_folder(out, manifest, resume=resume)
    plan = Plan(
        command="execute",
        chosen=replace(chosen, problems=tuple(p for p in chosen.problems if p.task_id in per_problem)),
        of_problems=len(chosen.problems),
        wanted=frozenset(engine.candidates),
        n=n,
        k=ks,
        rerankers=loaded,
        manifest=manifest,
        out=out,
        resume=resume,
        settings={"samples": str(samples.resolve()), "workers": workers},
    )
    with open_executor(workers, allow_weak_isolation) as executor:
        return conduct(plan, lambda: engine, executor, observer or Observer(), began=began)
