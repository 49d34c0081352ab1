from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from codesample.errors import DataError
from codesample.records import Problem
from codesample.tasks.contract import Task
from codesample.tasks.registry import load_task

WRONG_IN_THE_PROMPT = {"HumanEval/47": 1, "HumanEval/116": 2, "HumanEval/130": 4, "HumanEval/148": 1}


@pytest.fixture(scope="module")
def path(published: Callable[[str], Path]) -> Path:
    return published("HumanEval.jsonl.gz")


@pytest.fixture(scope="module")
def task(path: Path) -> Task:
    return load_task("humaneval", data=path)


def _by_id(task: Task) -> dict[str, Problem]:
    return {problem.task_id: problem for problem in task.problems()}


def test_all_164_problems_load_with_untouched_prompts(task: Task, path: Path) -> None:
    raw = [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]
    assert len(task.problems()) == 164
    for problem, row in zip(task.problems(), raw, strict=True):
        assert (problem.task_id, problem.prompt) == (row["task_id"], row["prompt"])
        assert problem.prompt.endswith("\n")
        assert problem.header == ""
        assert task.program(problem, row["canonical_solution"]) == row["prompt"] + row["canonical_solution"]


def test_the_stop_strings_are_the_papers(task: Task) -> None:
    assert task.stop == ("\nclass", "\ndef", "\n#", "\nif", "\nprint")


def test_no_reference_is_cut_by_a_stop_string(task: Task) -> None:
    for problem in task.problems():
        assert problem.reference is not None
        assert not any(stop in problem.reference.rstrip() for stop in task.stop)


@pytest.mark.parametrize(
    ("task_id", "helper"),
    [
        (10, "is_palindrome"),
        (32, "poly"),
        (38, "encode_cyclic"),
        (50, "encode_shift"),
        (0, "List"),
        (162, None),
    ],
)
def test_what_stands_before_the_function_is_given_to_the_tests(
    task: Task, task_id: int, helper: str | None
) -> None:
    problem = _by_id(task)[f"HumanEval/{task_id}"]
    names: dict[str, object] = {}
    exec(problem.tests.stub, names)
    assert problem.entry_point not in names
    assert helper is None or helper in names


def test_every_reference_passes_its_tests(task: Task) -> None:
    for problem in task.problems():
        names: dict[str, object] = {}
        exec(problem.tests.stub, names)
        exec(task.program(problem, problem.reference or ""), names)
        exec(problem.tests.source, names)


def test_the_shown_examples_are_found_and_hold_but_for_the_known_wrong_ones(task: Task) -> None:
    found, wrong = 0, {}
    for problem in task.problems():
        names: dict[str, object] = {}
        exec(task.program(problem, problem.reference or ""), names)
        for example in problem.examples:
            found += 1
            if not eval(f"({example.call}) == ({example.expected})", names):
                wrong[problem.task_id] = wrong.get(problem.task_id, 0) + 1
    assert found == 401
    assert sum(bool(problem.examples) for problem in task.problems()) == 140
    assert wrong == WRONG_IN_THE_PROMPT


def test_the_fingerprint_is_that_of_the_published_data(task: Task, path: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.json"
    rows = [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]
    copy.write_text(json.dumps(rows))
    assert load_task("humaneval", data=copy).fingerprint() == task.fingerprint()


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"test": None}, "field 'test' is missing"),
        ({"entry_point": "g"}, "does not define entry_point 'g'"),
        ({"prompt": "def f(x:\n"}, "not Python up to a function's body"),
        ({"task_id": 3}, "field 'task_id' is int, expected str"),
    ],
)
def test_a_malformed_row_is_named_by_file_and_line(
    tmp_path: Path, changes: dict[str, object], complaint: str
) -> None:
    good = {"task_id": "x/0", "prompt": 'def f(x):\n    """Doc."""\n', "entry_point": "f"}
    good |= {
        "test": "def check(candidate):\n    assert candidate(1) is None\n",
        "canonical_solution": "    pass\n",
    }
    path = tmp_path / "he.jsonl"
    path.write_text(json.dumps(good) + "\n" + json.dumps({**good, "task_id": "x/1", **changes}) + "\n")
    with pytest.raises(DataError, match=complaint) as caught:
        load_task("humaneval", data=path).problems()
    assert f"{path}:2: " in str(caught.value)


def test_the_tests_know_the_program_that_the_reference_makes(task: Task) -> None:
    for problem in task.problems():
        assert problem.tests.reference == task.program(problem, problem.reference or "")
