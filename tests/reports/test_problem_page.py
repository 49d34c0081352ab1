"""What the page of one problem says of what rerankers put first."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from codesample.evaluation.problem_set import ProblemSet
from codesample.evaluation.run_contents import RunContents
from codesample.evaluation.scoring import Pool, Scores
from codesample.records import Candidate, SamplingParams, Status, Verdict
from codesample.reports.page_lines import Surface
from codesample.reports.problem_page import problem_page
from codesample.runs import Manifest
from codesample.tasks.contract import Task


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
    task_id = adding.problems()[0].task_id
    contents = contents_of(adding, "p" * 30, {"flat": {task_id: [1.0] * tied + [0.0] * (30 - tied)}})
    assert said in shown(contents)


def contents_of(task: Task, programs: str, scores: dict[str, Scores]) -> RunContents:
    """A run of one problem that no candidate solves, their programs a letter each."""
    problem = task.problems()[0]
    task_id = problem.task_id
    pool = Pool(
        problem,
        tuple(
            Candidate(task_id, at, "    return 0\n", program=program) for at, program in enumerate(programs)
        ),
        tuple(Verdict(task_id, at, Status.WRONG) for at in range(len(programs))),
    )
    return RunContents(
        path=Path("run"),
        manifest=Manifest("adding", "1", "hash", "scripted", SamplingParams(), len(programs)),
        chosen=ProblemSet(task, (problem,)),
        pools=[pool],
        scores=scores,
        report=None,
        origins={},
    )


def shown(contents: RunContents) -> str:
    lines = problem_page(contents, contents.pools[0], Surface(width=200))
    return " ".join(" ".join(line.plain for line in lines).split())


def test_a_program_that_a_filter_left_out_does_not_abstain(adding) -> None:
    name, task_id = "executable | mean_logprob", adding.problems()[0].task_id
    contents = contents_of(adding, "abb", {name: {task_id: [1.0, None, None]}})
    gave = {"executable": {0: 1.0, 1: 0.0, 2: 0.0}, "mean_logprob": {0: -1.0}}
    assert f"{name} abstains, places 2-3" in shown(contents)
    told = shown(replace(contents, members={name: {task_id: gave}}))
    assert f"{name} left out by executable, places 2-3" in told


def test_members_that_gave_no_scores_are_named_before_the_one_that_decided(adding) -> None:
    name = "public_examples,mean_logprob"
    problem = replace(adding.problems()[0], examples=())
    task_id = problem.task_id
    contents = contents_of(
        adding,
        "ab",
        {
            name: {task_id: [1.0, 0.0]},
            "public_examples": {task_id: [None, None]},
            "mean_logprob": {task_id: [-1.0, -2.0]},
        },
    )
    bare = replace(contents, pools=[replace(contents.pools[0], problem=problem)])
    assert (
        "candidate 0, which fails; public_examples gave no scores, for its prompt shows no example that "
        "could be read; decided by mean_logprob: -1, next candidate 1: -2"
    ) in shown(bare)
