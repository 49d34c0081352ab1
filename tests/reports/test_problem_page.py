"""What the page of one problem says of what rerankers put first."""

from __future__ import annotations

from pathlib import Path

import pytest

from codesample.evaluation.problem_set import ProblemSet
from codesample.evaluation.run_contents import RunContents
from codesample.evaluation.scoring import Pool
from codesample.records import Candidate, SamplingParams, Status, Verdict
from codesample.reports.page_lines import Surface
from codesample.reports.problem_page import problem_page
from codesample.runs import Manifest


@pytest.mark.parametrize(
    ("tied", "said"),
    [
        (5, "one of the 5 that tie (0 1 2 3 4), none of which passes"),
        (6, "one of the 6 that tie (0 1 2 3 4 and 1 more), none of which passes"),
        (29, "one of the 29 that tie (0 1 2 3 4 and 24 more), none of which passes"),
        (30, "any of all 30, none of which passes"),
    ],
)
def test_of_many_that_tie_a_few_are_named(tied: int, said: str, adding) -> None:
    problem = adding.problems()[0]
    task_id = problem.task_id
    pool = Pool(
        problem,
        tuple(Candidate(task_id, at, "    return 0\n", program="p") for at in range(30)),
        tuple(Verdict(task_id, at, Status.WRONG) for at in range(30)),
    )
    contents = RunContents(
        path=Path("run"),
        manifest=Manifest("adding", "1", "hash", "scripted", SamplingParams(), 30),
        chosen=ProblemSet(adding, (problem,)),
        pools=[pool],
        scores={"flat": {task_id: [1.0] * tied + [0.0] * (30 - tied)}},
        report=None,
        origins={},
    )
    text = " ".join(" ".join(line.plain for line in problem_page(contents, pool, Surface(width=200))).split())
    assert said in text
