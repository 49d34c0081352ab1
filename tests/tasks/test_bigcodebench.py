from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from codesample.errors import DataError, ParameterError
from codesample.execution.caller.granted_modules import missing_modules
from codesample.records import CodeTests, Status, Verdict
from codesample.tasks.bigcodebench import (
    bigcodebench,
    bigcodebench_hard,
    bigcodebench_hard_instruct,
    bigcodebench_instruct,
)
from codesample.tasks.contract import Task
from codesample.testing.tasks import check_task

STARTER = "import math\nRATE = 2\ndef task_func(radius):\n"
ROW: dict[str, Any] = {
    "task_id": "BigCodeBench/7",
    "complete_prompt": "import math\nRATE = 2\n\ndef task_func(radius):\n"
    '    """\n    Area of a disc, rounded.\n\n    >>> task_func(0)\n    0\n    """\n',
    "instruct_prompt": "Area of a disc, rounded.\nYou should write self-contained code starting with:\n"
    f"```\n{STARTER}```",
    "canonical_solution": "    return round(math.pi * radius ** RATE)",
    "code_prompt": STARTER,
    "test": "import unittest\nclass Helper:\n    unit = 1\nclass TestCases(unittest.TestCase):\n"
    "    def test_one(self):\n        self.assertEqual(task_func(Helper.unit), 3)\n"
    "    def test_zero(self):\n        self.assertEqual(task_func(0), 0)\n",
    "entry_point": "task_func",
    "doc_struct": "{}",
    "libs": "['math']",
}
EASY = {
    "BigCodeBench/14": "starts processes",
    "BigCodeBench/15": "starts processes",
    "BigCodeBench/16": "starts processes",
    "BigCodeBench/18": "starts processes",
    "BigCodeBench/30": "writes to /tmp",
    "BigCodeBench/147": "network",
    "BigCodeBench/176": "network",
    "BigCodeBench/205": "starts processes",
    "BigCodeBench/314": "network",
    "BigCodeBench/346": "starts processes",
    "BigCodeBench/350": "starts processes",
    "BigCodeBench/363": "starts processes",
    "BigCodeBench/459": "starts processes",
    "BigCodeBench/541": "imports numpy by name",
    "BigCodeBench/562": "loads a library by ctypes",
    "BigCodeBench/563": "loads a library by ctypes",
    "BigCodeBench/565": "loads a library by ctypes",
    "BigCodeBench/604": "starts processes",
    "BigCodeBench/785": "writes to /tmp",
    "BigCodeBench/1005": "network",
    "BigCodeBench/1028": "starts processes",
    "BigCodeBench/1038": "network",
    "BigCodeBench/1040": "network",
    "BigCodeBench/1101": "starts processes",
    "BigCodeBench/1103": "starts processes",
    "BigCodeBench/1104": "starts processes",
    "BigCodeBench/1127": "needs names of files within /tmp",
}
"""References that need the standard library alone and cannot pass in the sandbox."""


def written(tmp_path: Path, *rows: dict[str, Any]) -> Path:
    path = tmp_path / "BigCodeBench.jsonl"
    path.write_text("".join(json.dumps({**ROW, **row}) + "\n" for row in rows))
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return written(tmp_path, {})


@pytest.fixture(scope="module")
def published_rows(published: Callable[[str], Path]) -> Path:
    return published("tasks/BigCodeBench.jsonl.gz")


@pytest.mark.parametrize(
    "make", [bigcodebench, bigcodebench_hard, bigcodebench_hard_instruct, bigcodebench_instruct]
)
def test_each_form_keeps_what_a_task_promises(make: Callable[[Path], Task], path: Path) -> None:
    check_task(lambda: make(path))
    assert make(path).name == make.__name__


def test_a_method_is_a_check_and_the_references_pass(
    path: Path, reference_verdicts: Callable[[Task], dict[str, Verdict]]
) -> None:
    for task in (bigcodebench(path), bigcodebench_instruct(path)):
        (verdict,) = reference_verdicts(task).values()
        assert verdict.passed, verdict
        assert (verdict.checks, verdict.integrity) == ((True, True), "weak")


def test_a_wrong_program_fails_the_methods_that_it_fails(
    path: Path, verdicts_of: Callable[..., list[Verdict]]
) -> None:
    (verdict,) = verdicts_of(bigcodebench(path), [("BigCodeBench/7", "def task_func(radius): return 0")])
    assert (verdict.status, verdict.checks) == (Status.WRONG, (False, True))


def test_a_program_of_its_own_gets_the_prompts_imports(
    path: Path, verdicts_of: Callable[..., list[Verdict]]
) -> None:
    body = "def task_func(radius):\n    return round(math.pi * radius ** RATE)\n"
    for task in (bigcodebench(path), bigcodebench_instruct(path)):
        (verdict,) = verdicts_of(task, [("BigCodeBench/7", body)])
        assert verdict.passed, verdict


def test_the_base_form_continues_the_docstring_to_the_letter(path: Path) -> None:
    task = bigcodebench(path)
    (problem,) = task.problems()
    assert problem.prompt == ROW["complete_prompt"]
    assert task.program(problem, "    return 3") == ROW["complete_prompt"] + "    return 3"
    assert [example.call for example in problem.examples] == ["task_func(0)"]


@pytest.mark.parametrize(
    ("make", "shown"), [(bigcodebench, "complete_prompt"), (bigcodebench_instruct, "instruct_prompt")]
)
def test_the_chat_form_puts_what_all_problems_share_first(
    make: Callable[[Path], Task], shown: str, tmp_path: Path
) -> None:
    other = 'def task_func(radius):\n    """Something else."""\n'
    path = written(tmp_path, {}, {"task_id": "BigCodeBench/8", shown: other})
    task = make(path)
    asked = [task.chat_form.ask(problem) for problem in task.problems()]
    assert ROW[shown].strip("\n") in asked[0]
    shared = asked[0][: asked[0].index(ROW[shown].strip("\n"))]
    assert len(shared) > 100
    assert asked[1].startswith(shared)


@pytest.mark.parametrize("make", [bigcodebench, bigcodebench_instruct])
def test_a_fenced_answer_is_judged(make: Callable[[Path], Task], path: Path) -> None:
    task = make(path)
    (problem,) = task.problems()
    answer = "Here:\n```python\ndef task_func(radius):\n    return round(math.pi * radius ** 2)\n```\nDone."
    program = task.form("chat").read(problem, answer).program
    assert "Here" not in program
    names: dict[str, Any] = {}
    exec(program, names)
    assert names["task_func"](1) == 3


def test_a_base_model_is_not_asked_in_words(path: Path) -> None:
    task = bigcodebench_instruct(path)
    with pytest.raises(ParameterError, match="has no base form"):
        task.form("base").ask(task.problems()[0])


def test_packages_and_files_that_a_problem_needs_are_stated(tmp_path: Path) -> None:
    test = "import numpy, tempfile\n" + ROW["test"]
    tests = bigcodebench(written(tmp_path, {"test": test})).problems()[0].tests
    assert (tests.imports, tests.scratch) == (("numpy",), 64 << 20)
    tests = bigcodebench(written(tmp_path, {})).problems()[0].tests
    assert (tests.imports, tests.scratch) == ((), None)


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ({"test": "import unittest"}, "the tests define no class 'TestCases'"),
        ({"test": "class TestCases(:"}, "the solution or the tests are not Python"),
        ({"canonical_solution": "   return ("}, "the solution or the tests are not Python"),
        ({"libs": "math"}, "libs 'math'; expected a list of names in a text"),
        ({"libs": "[1]"}, "libs"),
        ({"libs": 3}, "libs"),
    ],
)
def test_a_malformed_row_is_named_by_file_and_line(
    tmp_path: Path, row: dict[str, Any], complaint: str
) -> None:
    path = written(tmp_path, {}, {"task_id": "BigCodeBench/8", **row})
    with pytest.raises(DataError, match=complaint) as caught:
        bigcodebench(path).problems()
    assert str(caught.value).startswith(f"{path}:2")


def test_the_whole_data_are_not_taken_for_the_hard_part(tmp_path: Path) -> None:
    rows = [{"task_id": f"BigCodeBench/{number}"} for number in range(149)]
    with pytest.raises(DataError, match="holds 149 entries, the hard part 148"):
        bigcodebench_hard(written(tmp_path, *rows)).problems()


def test_the_published_rows_load_and_no_reference_is_cut(published_rows: Path) -> None:
    task = bigcodebench(published_rows)
    assert len(task.problems()) == task.facts.problems == 1140
    for problem in task.problems():
        assert problem.reference is not None
        assert not any(stop in problem.reference.rstrip() for stop in task.stop)
        assert isinstance(problem.tests, CodeTests)
        assert len(problem.tests.checks) >= 1
    assert sum(not problem.tests.imports for problem in task.problems()) == 300


@pytest.mark.parametrize(
    "every", [pytest.param(12, marks=pytest.mark.whole), pytest.param(1, marks=pytest.mark.whole)]
)
def test_the_published_references_pass_but_for_those_that_cannot(
    every: int, published_rows: Path, reference_verdicts: Callable[[Task], dict[str, Verdict]]
) -> None:
    task = bigcodebench(published_rows)
    plain = set([problem.task_id for problem in task.problems() if not problem.tests.imports][::every])
    alone = Task(
        "plain", "1", "", (), 1, task.problems, task.assemble, lambda problem: problem.task_id in plain
    )
    verdicts = reference_verdicts(alone)
    assert {task_id for task_id in plain if not verdicts[task_id].passed} == EASY.keys() & plain


@pytest.mark.slow
def test_nothing_is_missing_that_is_installed(published_rows: Path) -> None:
    named = {name for each in bigcodebench(published_rows).problems() for name in each.tests.imports}
    assert "numpy" in named
    assert "numpy" not in missing_modules(named)
