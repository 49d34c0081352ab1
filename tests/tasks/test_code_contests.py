from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from codesample.errors import DataError
from codesample.records import ScriptExample, ScriptTests, Verdict
from codesample.tasks.code_contests import code_contests, code_contests_valid
from codesample.tasks.contract import Task
from codesample.testing.tasks import check_task

ADDING = "a, b = map(int, input().split())\nprint(a + b)\n"
ROW: dict[str, Any] = {
    "name": "1575_A. Sum",
    "description": "Add the numbers.\n",
    "public_tests": {"input": ["1 2\n"], "output": ["3\n"]},
    "private_tests": {"input": ["3 4\n", "1 2\n"], "output": ["7\n", "3\n"]},
    "generated_tests": {"input": ["5 6\n", "3 4\n"], "output": ["11\n", "7\n"]},
    "solutions": {"language": [2, 1, 3, 3], "solution": ["int main(){}", "print 1", ADDING, "x"]},
    "incorrect_solutions": {"language": [3], "solution": ["print(3)"]},
    "source": 2,
    "difficulty": 7,
    "cf_rating": 1100,
    "cf_tags": ["math"],
    "time_limit": {"seconds": 2, "nanos": 500000000},
    "memory_limit_bytes": 256000000,
    "input_file": "",
    "output_file": "",
}


def of(tmp_path: Path, *rows: dict[str, Any]) -> Task:
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps({**ROW, **row}) + "\n" for row in rows))
    return code_contests(path)


def test_public_tests_are_examples_and_the_others_judge(tmp_path: Path) -> None:
    (problem,) = of(tmp_path, {}).problems()
    assert problem.examples == (ScriptExample("1 2\n", "3\n"),)
    assert isinstance(problem.tests, ScriptTests)
    # without repeats, and without what is shown
    assert problem.tests.cases == (ScriptExample("3 4\n", "7\n"), ScriptExample("5 6\n", "11\n"))
    assert problem.metadata == {
        "source": "codeforces",
        "difficulty": 7,
        "cf_rating": 1100,
        "cf_tags": ["math"],
        "stated_seconds": 2.5,
        "stated_memory_bytes": 256000000,
        "judged_by": "hidden tests",
    }


def test_it_keeps_what_tasks_promise(tmp_path: Path) -> None:
    check_task(lambda: of(tmp_path, {}, {"name": "other"}))


def test_the_reference_is_the_first_solution_in_python_3_and_passes(
    tmp_path: Path, reference_verdicts: Callable[[Task], dict[str, Verdict]]
) -> None:
    in_words = {"language": ["CPP", "PYTHON3"], "solution": ["int main(){}", ADDING]}
    none = {"language": [2], "solution": ["int main(){}"]}
    task = of(tmp_path, {}, {"name": "b", "solutions": in_words}, {"name": "c", "solutions": none})
    assert [problem.reference for problem in task.problems()] == [ADDING, ADDING, None]
    verdicts = reference_verdicts(task)
    assert {name: verdict.passed for name, verdict in verdicts.items()} == {ROW["name"]: True, "b": True}


def test_programs_are_judged_by_their_words(
    tmp_path: Path, verdicts_of: Callable[..., list[Verdict]]
) -> None:
    task = of(
        tmp_path, {"private_tests": {"input": ["0.5 x"], "output": ["0.25 YES"]}, "generated_tests": {}}
    )
    name = ROW["name"]
    programs = ["print('0.250001\\n yes')", "print('0.26 yes')", "print('0.25')", "1 / 0"]
    passed = [verdict.passed for verdict in verdicts_of(task, [(name, program) for program in programs])]
    assert passed == [True, False, False, False]


@pytest.mark.parametrize(
    ("stated", "seconds", "memory"),
    [
        ({"time_limit": None, "memory_limit_bytes": 0}, 10.0, 256 << 20),
        ({"time_limit": {"seconds": 2, "nanos": 0}}, 10.0, 256 << 20),
        ({"time_limit": {"seconds": 15, "nanos": 500000000}, "memory_limit_bytes": 1 << 30}, 15.5, 1 << 30),
    ],
)
def test_limits_are_those_of_the_tool_or_larger_stated_ones(
    tmp_path: Path, stated: dict[str, Any], seconds: float, memory: int
) -> None:
    (problem,) = of(tmp_path, stated).problems()
    assert (problem.tests.time_limit, problem.tests.memory) == (seconds, memory)


def test_public_tests_judge_where_there_are_no_others(tmp_path: Path) -> None:
    shown = {"input": ["1 2\n"], "output": ["3\n"]}
    (problem,) = of(tmp_path, {"private_tests": shown, "generated_tests": {}}).problems()
    assert isinstance(problem.tests, ScriptTests)
    assert (problem.examples, problem.tests.cases) == ((), (ScriptExample("1 2\n", "3\n"),))
    assert problem.metadata["judged_by"] == "public tests alone"


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"input_file": "in.txt", "output_file": "out.txt"}, r"files \(in.txt and out.txt\)"),
        ({"output_file": "out.txt"}, r"files \(out.txt\)"),
        ({"public_tests": {}, "private_tests": {}, "generated_tests": {}}, "it has no tests"),
        ({"private_tests": {"input": ["\ud800"], "output": ["1"]}}, "cannot be written"),
    ],
)
def test_problems_that_cannot_be_judged_are_left_out_by_name(
    tmp_path: Path, row: dict[str, Any], reason: str
) -> None:
    task = of(tmp_path, {}, {"name": "odd", **row})
    assert [problem.task_id for problem in task.problems()] == [ROW["name"]]
    with pytest.raises(AssertionError, match=reason):
        raise AssertionError(task.left_out["odd"])


def test_problems_of_one_name_are_told_apart(tmp_path: Path) -> None:
    assert [problem.task_id for problem in of(tmp_path, {}, {}, {}).problems()] == [
        ROW["name"],
        f"{ROW['name']} #2",
        f"{ROW['name']} #3",
    ]


def test_what_is_malformed_is_named_by_file_and_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"rows.jsonl:2: private_tests holds 1 inputs and 2 outputs"):
        of(tmp_path, {}, {"private_tests": {"input": ["1"], "output": ["1", "2"]}}).problems()
    with pytest.raises(DataError, match=r"rows.jsonl:1: field 'description' is missing"):
        of(tmp_path, {"description": None}).problems()


def test_each_split_is_asked_of_the_hub_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    class Hub:
        @staticmethod
        def load_dataset(hub_id: str, split: str) -> list[dict[str, Any]]:
            asked.append((hub_id, split))
            return [ROW]

    monkeypatch.setitem(__import__("sys").modules, "datasets", Hub)
    for task in (code_contests(), code_contests_valid()):
        assert len(task.problems()) == 1
    assert asked == [("deepmind/code_contests", "test"), ("deepmind/code_contests", "valid")]
