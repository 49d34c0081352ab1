from __future__ import annotations

import copy
import json
import re
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from codesample.data_files import read_entries
from codesample.errors import DataError
from codesample.execution import Executor, Program
from codesample.records import InputTests, Problem
from codesample.tasks.contract import Task
from codesample.tasks.evalplus.argument_types import FORMS, typed_arguments
from codesample.tasks.registry import load_task

FILES = {"humaneval_plus": ("HumanEvalPlus.jsonl.gz", 164), "mbpp_plus": ("MbppPlus.jsonl.gz", 378)}
# their own contracts refuse some inputs: floats for an integer, and empty lists
BREAK_THEIR_CONTRACT = {"Mbpp/267": 3, "Mbpp/734": 104}


pytestmark = pytest.mark.filterwarnings("ignore:invalid escape sequence")


@pytest.fixture(scope="module")
def tasks(published: Callable[[str], Path]) -> dict[str, Task]:
    return {name: load_task(name, data=published(file)) for name, (file, _) in FILES.items()}


@pytest.fixture(scope="module", params=sorted(FILES))
def task(request: pytest.FixtureRequest, tasks: dict[str, Task]) -> Task:
    return tasks[request.param]


def _tests(problem: Problem) -> InputTests:
    assert isinstance(problem.tests, InputTests)
    return problem.tests


def _function(problem: Problem) -> Any:
    names: dict[str, Any] = {}
    exec(_tests(problem).reference, names)
    return names[_tests(problem).entry_point]


def _accept(problem: Problem) -> Any:
    names: dict[str, Any] = {}
    exec(_tests(problem).oracle or "", names)
    return names["accept"]


def test_every_problem_loads_with_inputs_reference_and_tolerance(task: Task) -> None:
    assert len(task.problems()) == FILES[task.name][1]
    for problem in task.problems():
        tests = _tests(problem)
        assert tests.check_count == len(tests.inputs) > 0
        assert tests.reference.startswith(task.program(problem, problem.reference or ""))
        assert callable(_function(problem))
    # the others are compared exactly, but for floats
    tolerant = [problem for problem in task.problems() if _tests(problem).atol]
    assert len(tolerant) == {"humaneval_plus": 3, "mbpp_plus": 13}[task.name]


def test_base_inputs_come_first_and_are_a_part_of_their_own(
    task: Task, published: Callable[[str], Path]
) -> None:
    rows = {row.record["task_id"]: row.record for row in read_entries(published(FILES[task.name][0]), dict)}
    for problem in task.problems():
        row, parts = rows[problem.task_id], dict(_tests(problem).parts)
        assert parts == {"base": len(row["base_input"]), "plus": len(row["plus_input"])}
        assert parts["base"] > 0
        if task.name == "humaneval_plus":
            first = [list(arguments) for arguments in _tests(problem).inputs[: parts["base"]]]
            assert first == row["base_input"]


BREAKING = """
_real, _calls, _inside = {name}, [], []
def {name}(*arguments):
    # a reference may call itself
    if not _inside:
        _calls.append(1)
        if len(_calls) > {base}:
            {end}
    _inside.append(1)
    try:
        return _real(*arguments)
    finally:
        _inside.pop()
"""


@pytest.mark.parametrize(
    "every", [pytest.param(12, marks=pytest.mark.slow), pytest.param(1, marks=pytest.mark.whole)]
)
@pytest.mark.parametrize("end", ["import os; os._exit(3)", "return 'no such result'"], ids=["dies", "wrong"])
def test_references_that_break_at_the_first_plus_input_hold_base_alone(
    task: Task, end: str, every: int
) -> None:
    with Executor(workers=2) as executor:
        judged = []
        for problem in task.problems()[::every]:
            base, name = dict(_tests(problem).parts)["base"], problem.entry_point
            source = task.program(problem, problem.reference or "")
            source += BREAKING.format(name=name, base=base, end=end)
            judged.append((base, executor.submit(Program(problem.task_id, 0, source, problem.tests))))
        for base, verdict in judged:
            checks = verdict.result().checks
            assert all(checks[:base]), verdict.result().task_id
            # one problem of MBPP+ has no plus inputs
            assert verdict.result().passed == (len(checks) == base)


def test_oracles_accept_what_the_reference_returns(task: Task) -> None:
    special = [problem for problem in task.problems() if _tests(problem).oracle]
    assert len(special) == {"humaneval_plus": 1, "mbpp_plus": 12}[task.name]
    for problem in special:
        function, accept = _function(problem), _accept(problem)
        for arguments in _tests(problem).inputs:
            result = function(*copy.deepcopy(arguments))
            assert accept(arguments, result, result)


@pytest.mark.parametrize(
    ("task_id", "arguments", "result", "expected", "accepted"),
    [
        ("HumanEval/32", ([-4, 0, 1],), -2.0, 2.0, True),
        ("HumanEval/32", ([-4, 0, 1],), 2.1, 2.0, False),
        ("Mbpp/2", ((1,), (1,)), (2, 1), (1, 2), True),
        ("Mbpp/2", ((1,), (1,)), (2,), (1, 2), False),
        ("Mbpp/737", ("a",), True, True, True),
        ("Mbpp/737", ("a",), re.match("a", "a"), True, True),
        ("Mbpp/737", ("a",), None, True, False),
        ("Mbpp/737", ("a",), False, False, True),
        ("Mbpp/558", (1, 23), 3, 22, False),
        ("Mbpp/558", (1, 23), 4, 22, True),
        ("Mbpp/581", (3, 4), 35, 33, True),
        ("Mbpp/581", (3, 4), 34, 33, False),
    ],
)
def test_oracles_accept_other_right_answers_only(
    tasks: dict[str, Task],
    task_id: str,
    arguments: tuple[Any, ...],
    result: Any,
    expected: Any,
    accepted: bool,
) -> None:
    name = "mbpp_plus" if task_id.startswith("Mbpp") else "humaneval_plus"
    (problem,) = (each for each in tasks[name].problems() if each.task_id == task_id)
    assert _accept(problem)(arguments, result, expected) is accepted


@pytest.mark.parametrize(
    ("task_id", "arguments", "typed"),
    [
        ("Mbpp/2", [[1], [2, 3]], ((1,), (2, 3))),
        ("Mbpp/63", [[[1, 2], [3, 4]]], ([(1, 2), (3, 4)],)),
        ("Mbpp/106", [[1, [2]], [3]], ([1, [2]], (3,))),
        ("Mbpp/124", ["0", "1j"], (0.0, 1j)),
        ("Mbpp/252", ["(1+2j)"], (1 + 2j,)),
        ("Mbpp/278", [[1, [4, 6], 10]], ((1, (4, 6), 10),)),
        ("Mbpp/580", [[4, [7, [2, []]]]], ((4, (7, (2, ()))),)),
        ("Mbpp/722", [{"a": [6.2, 70]}, 6.0, 70], ({"a": (6.2, 70)}, 6.0, 70)),
        ("Mbpp/3", [[1, [2]]], ([1, [2]],)),
        ("Mbpp/2", [], ()),
    ],
)
def test_arguments_get_their_types_back(task_id: str, arguments: list[Any], typed: tuple[Any, ...]) -> None:
    got = typed_arguments(task_id, arguments)
    assert got == typed
    assert repr(got) == repr(typed)


@pytest.mark.slow
def test_typed_arguments_fulfil_the_data_sets_own_contracts(published: Callable[[str], Path]) -> None:
    refused: dict[str, int] = {}
    for entry in read_entries(published("MbppPlus.jsonl.gz"), dict):
        row = entry.record
        task_id, name = row["task_id"], row["entry_point"]
        code = row["prompt"] + row["canonical_solution"]
        header = re.search(rf"^def {re.escape(name)}\s*\(.*?\)[^\n]*:", code, re.MULTILINE | re.DOTALL)
        assert header is not None
        body = textwrap.indent(textwrap.dedent(row["contract"]), "    ")
        names: dict[str, Any] = {}
        exec(f"import re\nfrom typing import *\n{header[0]}\n{body}\n    return 0", names)
        for arguments in [*row["base_input"], *row["plus_input"]]:
            try:
                names[name](*typed_arguments(task_id, copy.deepcopy(arguments)))
            except AssertionError:
                refused[task_id] = refused.get(task_id, 0) + 1
    assert refused == BREAK_THEIR_CONTRACT


def test_the_shown_examples_are_found(published: Callable[[str], Path]) -> None:
    for name, count in (("humaneval_plus", 401), ("mbpp_plus", 355)):
        task = load_task(name, data=published(FILES[name][0]))
        assert sum(len(problem.examples) for problem in task.problems()) == count


def test_every_form_belongs_to_a_problem_of_the_data(published: Callable[[str], Path]) -> None:
    ids = {entry.record["task_id"] for entry in read_entries(published("MbppPlus.jsonl.gz"), dict)}
    assert set(FORMS) <= ids


@pytest.mark.parametrize("name", sorted(FILES))
def test_without_the_release_file_the_error_names_it(name: str) -> None:
    with pytest.raises(DataError, match=rf"give the release file {FILES[name][0]} with --data FILE"):
        load_task(name).problems()


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"base_input": [3]}, "must hold lists of arguments"),
        ({"plus_input": None}, "field 'plus_input' is missing"),
        ({"task_id": "Mbpp/252", "base_input": [["x"]]}, "another form than those of Mbpp/252"),
        ({"atol": "0"}, "field 'atol' is str, expected a number"),
        ({"atol": -1}, "atol = -1.0: expected a number of at least 0"),
        ({"base_input": []}, "at least one input"),
        ({"plus_input": {"a": [1]}}, "must hold lists of arguments"),
        ({"plus_input": 3}, "field 'plus_input' is int, expected list or dict"),
    ],
)
def test_a_malformed_row_is_named_by_file_and_line(
    tmp_path: Path, changes: dict[str, Any], complaint: str
) -> None:
    row = {
        "task_id": "Mbpp/9",
        "prompt": '"""Do."""\n',
        "entry_point": "f",
        "canonical_solution": "def f(): ...",
    }
    path = tmp_path / "MbppPlus.jsonl"
    path.write_text(json.dumps({**row, "base_input": [[1]], "plus_input": [], "atol": 0, **changes}) + "\n")
    with pytest.raises(DataError, match=complaint) as caught:
        load_task("mbpp_plus", data=path).problems()
    assert f"{path}:1: " in str(caught.value)
