"""Settings of the runs that these tests make."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from codesample.evaluation.problem_set import ProblemSet
from codesample.evaluation.run_contents import RunContents
from codesample.evaluation.scoring import Pool
from codesample.records import Candidate, SamplingParams, Status, Verdict
from codesample.runs import Manifest


@pytest.fixture
def options() -> dict[str, Any]:
    """Six candidates each."""
    return {"n": 6, "rerankers": ("mean_logprob", "public_examples")}


@pytest.fixture
def made_contents(adding):
    """Make what `read_run` gives of a run, from marks of its candidates: "1" passed, "0" failed, "-" broken.

    Scores are by reranker and problem; problems are those of the task `adding`, by their addends.
    """

    def make(
        marks: Mapping[int, str],
        scores: Mapping[str, Mapping[int, Sequence[float | None]]] = MappingProxyType({}),
        *,
        path: str = "run",
        **changed: Any,
    ) -> RunContents:
        statuses = {"1": Status.PASSED, "0": Status.WRONG, "-": Status.HARNESS_ERROR}
        pools = []
        for problem in adding.problems():
            row = marks.get(int(problem.task_id.split("/")[1]), "")
            task_id = problem.task_id
            candidates = tuple(
                Candidate(task_id, at, "    return x\n", program=f"p{at}") for at in range(len(row))
            )
            verdicts = tuple(Verdict(task_id, at, statuses[mark]) for at, mark in enumerate(row))
            if row:
                pools.append(Pool(problem, candidates, verdicts))
        given = {"model": "scripted", "params": SamplingParams(), "n": 3} | changed
        manifest = Manifest(**{"task": "adding", "task_version": "1", "data_hash": "hash"} | given)
        return RunContents(
            path=Path(path),
            manifest=manifest,
            chosen=ProblemSet(adding, tuple(adding.problems())),
            pools=pools,
            scores={
                name: {f"adding/{addend}": list(row) for addend, row in column.items()}
                for name, column in scores.items()
            },
            report=None,
            origins={},
        )

    return make
