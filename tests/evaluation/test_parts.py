"""Figures for parts of the tests: base and plus inputs out of one verdict per program."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codesample.evaluation.execute_samples import execute_samples
from codesample.evaluation.options import RunOptions
from codesample.evaluation.parts import counts_by_part, holds
from codesample.evaluation.report import Report
from codesample.evaluation.scoring import Pool
from codesample.records import Candidate, InputTests, Problem, Status, Verdict
from codesample.tasks.registry import load_task

PARTS = (("base", 2), ("plus", 3))


def pool(
    task_id: str, *marks: str, parts: tuple[tuple[str, int], ...] = PARTS, strict: bool = False, **more: Any
) -> Pool:
    """Make a problem with one candidate for each text of 1 and 0, the results of its checks."""
    tests = InputTests(inputs=((0,),) * 5, entry_point="f", reference="def f(x): return x", parts=parts)
    verdicts = tuple(_verdict(task_id, index, each, **more) for index, each in enumerate(marks))
    candidates = tuple(Candidate(task_id, index, "") for index in range(len(marks)))
    return Pool(Problem(task_id=task_id, prompt="p", tests=tests), candidates, verdicts, strict)


def _verdict(task_id: str, index: int, marks: str, **more: Any) -> Verdict:
    if marks == "broken":
        return Verdict(task_id, index, Status.HARNESS_ERROR)
    checks = tuple(mark == "1" for mark in marks)
    status = Status.PASSED if checks and all(checks) else Status.CPU_TIMEOUT
    return Verdict(task_id, index, status, checks=checks, **more)


def test_a_program_holds_a_part_where_its_checks_and_those_before_hold() -> None:
    counts, said = counts_by_part(
        [pool("a", "11111", "11011", "11000", "10111", "00111"), pool("b", "broken", "11110")]
    )
    assert counts == {"base": {"a": (5, 3), "b": (1, 1)}}
    assert said == []


def test_of_three_parts_the_second_needs_the_first() -> None:
    parts = (("public", 1), ("private", 2), ("generated", 2))
    counts, _ = counts_by_part([pool("a", "11111", "11101", "10111", "01111", parts=parts)])
    assert counts == {"public": {"a": (4, 3)}, "private": {"a": (4, 2)}}


def test_tests_that_are_one_whole_have_no_parts() -> None:
    assert counts_by_part([pool("a", "11111", parts=())]) == ({}, [])


def test_a_part_that_some_problem_lacks_has_no_figure_and_says_so() -> None:
    counts, (notice,) = counts_by_part([pool("a", "11111"), pool("b", "11111", parts=())])
    assert counts == {}
    assert notice == "base has no figure of its own: 1 of 2 problems have no such part"


def test_a_verdict_without_results_leaves_a_part_open_unless_it_passed() -> None:
    assert holds(Verdict("a", 0, Status.PASSED), 2) is True
    assert holds(Verdict("a", 0, Status.WRONG), 2) is None
    counts, (notice,) = counts_by_part([pool("a", "11111", "")])
    assert counts == {}
    assert notice == "base has no figure of its own: verdicts on a do not say which checks held"


def test_where_weak_passes_do_not_count_neither_does_a_part_that_could_have_been_faked() -> None:
    made = pool("a", "11011", "01111", integrity="weak", strict=True)
    assert counts_by_part([made])[0] == {"base": {"a": (1, 0)}}
    made = pool("a", "11011", "01111", integrity="weak")
    assert counts_by_part([made])[0] == {"base": {"a": (2, 1)}}


@given(st.lists(st.lists(st.booleans(), min_size=5, max_size=5), min_size=1, max_size=6), st.integers(1, 4))
def test_whoever_passes_everything_holds_every_part(rows: list[list[bool]], first: int) -> None:
    marks = ["".join("01"[held] for held in row) for row in rows]
    made = pool("a", *marks, parts=(("base", first), ("more", 0), ("plus", 5 - first)))
    counts, _ = counts_by_part([made])
    base, more = counts["base"]["a"], counts["more"]["a"]
    assert base == more == (len(rows), sum(all(row[:first]) for row in rows))
    assert base[1] >= sum(made.passed)


ROW = {
    "task_id": "HumanEval/0",
    "prompt": "def half(x):\n",
    "entry_point": "half",
    "canonical_solution": "    return x // 2\n",
    "base_input": [[2], [4]],
    "plus_input": [[5], [-7], [10**6]],
    "atol": 0,
}
BODIES = {
    "right": "    return x // 2\n",
    "right on base": "    return int(x / 2)\n",
    "dies on plus": "    if x > 4: import os; os._exit(0)\n    return x // 2\n",
    "loops on plus": "    while x == -7: pass\n    return x // 2\n",
    "wrong on base": "    return x // 2 + (x == 4)\n",
    "wrong everywhere": "    return None\n",
    "no program": "    return (\n",
}


@pytest.fixture
def judged(tmp_path: Path) -> Report:
    data, samples = tmp_path / "HumanEvalPlus.jsonl", tmp_path / "samples.jsonl"
    data.write_text(json.dumps(ROW) + "\n")
    rows = [{"task_id": "HumanEval/0", "completion": body} for body in BODIES.values()]
    samples.write_text("".join(json.dumps(row) + "\n" for row in rows))
    options = RunOptions(out=tmp_path / "run", workers=1, allow_weak_isolation="none")
    return execute_samples(samples, "humaneval_plus", data=data, run=options)


def test_base_and_plus_figures_come_out_of_one_run(judged: Report) -> None:
    assert list(judged.parts) == ["base", "plus"]
    assert judged.parts["base"][1].value == pytest.approx(4 / len(BODIES))
    assert judged.parts["plus"] == judged.pass_at_k
    assert judged.pass_at_k[1].value == pytest.approx(1 / len(BODIES))
    assert "pass@1 0.143, pass@1 on base 0.571" in str(judged)


def test_the_record_of_a_run_holds_the_figures_of_its_parts(judged: Report) -> None:
    content = json.loads((judged.run / "results.json").read_text())
    assert set(content["parts"]) == {"base", "plus"}
    assert content["parts"]["base"]["1"]["value"] == pytest.approx(4 / len(BODIES))
    assert Report.from_json(content, run=judged.run) == judged
    del content["parts"]
    assert Report.from_json(content, run=judged.run).parts == {}


def test_parts_are_no_part_of_the_fingerprint(tmp_path: Path) -> None:
    data = tmp_path / "HumanEvalPlus.jsonl"
    data.write_text(json.dumps(ROW) + "\n")
    before = load_task("humaneval_plus", data=data)
    # the same inputs, cut elsewhere
    moved = {**ROW, "base_input": ROW["base_input"][:1], "plus_input": [[4], *ROW["plus_input"]]}
    data = tmp_path / "moved.jsonl"
    data.write_text(json.dumps(moved) + "\n")
    after = load_task("humaneval_plus", data=data)
    assert after.problems()[0].tests.parts == (("base", 1), ("plus", 4))
    assert after.fingerprint() == before.fingerprint()
