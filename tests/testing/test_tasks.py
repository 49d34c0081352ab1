"""The kit passes for every built-in task, and finds each planted violation."""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from codesample.errors import TaskError
from codesample.records import (
    CallExample,
    CodeTests,
    Example,
    InputTests,
    Problem,
    ScriptExample,
    ScriptTests,
    Tests,
)
from codesample.tasks.contract import Task, completion_alone
from codesample.tasks.registry import load_task, load_task_file
from codesample.testing.tasks import check_fingerprint, check_problems, check_references, check_task

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data"
CHECKS = {
    "problems": check_problems,
    "fingerprint": lambda task: check_fingerprint(task, task),
    "references": check_references,
}
FILES = {
    "humaneval": "HumanEval.jsonl.gz",
    "humaneval_plus": "HumanEvalPlus.jsonl.gz",
    "mbpp": "mbpp.jsonl",
    "mbpp_plus": "MbppPlus.jsonl.gz",
    "mbpp_sanitized": "sanitized-mbpp.json",
    "mbpp_sanitized_zero_shot": "sanitized-mbpp.json",
    "mbpp_train": "mbpp.jsonl",
    "mbpp_validation": "mbpp.jsonl",
    "mbpp_zero_shot": "mbpp.jsonl",
    "mini": None,
}
PROMPT = 'def f(x):\n    """Return x + 1.\n\n    >>> f(1)\n    2\n    """\n'
GOOD = Problem(
    task_id="a/0",
    prompt=PROMPT,
    tests=CodeTests(source="assert f(5) == 6\nassert f(-1) == 0", entry_point="f"),
    description=PROMPT,
    entry_point="f",
    examples=(CallExample("f(1)", "2"),),
    reference="    return x + 1\n",
)


def task_of(*problems: Problem, **changes: Any) -> Task:
    facts = {"name": "planted", "version": "1", "source": "s", "stop": ("\ndef",), "max_new_tokens": 8}
    return Task(**{**facts, "load": lambda: problems, **changes})


def planted(**changes: Any) -> Callable[[], Task]:
    return lambda: task_of(dataclasses.replace(GOOD, **changes))


@pytest.mark.parametrize(
    "name",
    # what takes seconds has thousands of inputs; its problems are those of the data set without "plus"
    [pytest.param(name, marks=pytest.mark.slow if name.endswith("_plus") else ()) for name in FILES],
)
def test_built_in_tasks_keep_their_promises(name: str) -> None:
    file = FILES[name]
    if file is not None and not (SHARED / file).is_file():
        pytest.skip(f"needs the published file {file} in ../shared/data beside the checkout")
    check_task(
        lambda: load_task(name, data=None if file is None else SHARED / file),
        shows_tests=name.startswith("mbpp") and name != "mbpp_plus",
    )


def test_a_users_file_of_scripts_keeps_them(tmp_path: Path) -> None:
    case = {"input": "1 2\n", "output": "3\n"}
    entry = {"task_id": "mine/0", "prompt": "Add.", "completion": "is_program", "io": [case]}
    path = tmp_path / "mine.jsonl"
    path.write_text(json.dumps({**entry, "examples": [{"input": "", "output": ""}]}) + "\n")
    check_task(lambda: load_task_file(path))
    path.write_text(json.dumps({**entry, "examples": [case]}) + "\n")
    with pytest.raises(TaskError, match=r"the public example ScriptExample.* is a hidden test"):
        check_task(lambda: load_task_file(path))


def test_a_good_task_passes() -> None:
    check_task(planted())
    check_task(planted(reference=None, entry_point=None))


@pytest.mark.parametrize(
    ("check", "changes", "complaint"),
    [
        ("problems", {"task_id": ""}, "empty task_id"),
        ("problems", {"tests": Tests()}, "no tests"),
        ("problems", {"header": "other"}, "does not begin with its header"),
        ("problems", {"metadata": {"a": {1, 2}}}, "no plain JSON data"),
        ("problems", {"metadata": {"a": (1, 2)}}, "change when they are saved"),
        ("problems", {"examples": (Example(),)}, "is no kind of them"),
        ("problems", {"examples": (CallExample("f(1", "2"),)}, "an example cannot be run: call 'f\\(1'"),
        ("problems", {"header": PROMPT}, "its prompt is the header alone"),
        ("references", {"reference": "    return x +\n"}, "makes no Python program"),
        ("references", {"reference": "    return x + 1\ndef g(): pass\n"}, r"stop string '\\ndef' would cut"),
        ("references", {"entry_point": "g"}, "the program of its reference defines no 'g'"),
        (
            "fingerprint",
            {"tests": InputTests(inputs=(([{"a", "b"}],),), entry_point="f", reference="def f(x): pass")},
            "tests.inputs holds a set",
        ),
        (
            "fingerprint",
            {"tests": InputTests(inputs=((object(),),), entry_point="f", reference="def f(x): pass")},
            "tests.inputs holds a object",
        ),
    ],
)
def test_a_planted_violation_is_found_by_its_check(
    check: str, changes: dict[str, Any], complaint: str
) -> None:
    CHECKS[check](planted()())
    with pytest.raises(TaskError, match=f"task 'planted'.*{complaint}"):
        CHECKS[check](planted(**changes)())


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [({"stop": ("",)}, "stop .*not empty"), ({"version": ""}, "needs a name, a version")],
)
def test_facts_of_the_task_are_looked_at(changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(TaskError, match=f"task 'planted': {complaint}"):
        check_problems(task_of(GOOD, **changes))


def test_a_repeated_id_is_found() -> None:
    with pytest.raises(TaskError, match="its task_id occurs twice"):
        check_task(lambda: task_of(GOOD, GOOD))


@pytest.mark.parametrize("field", ["prompt", "tests", "metadata"])
def test_data_that_change_between_readings_are_found(field: str) -> None:
    counter: Iterator[int] = itertools.count()

    def changing() -> Task:
        number = next(counter)
        values = {
            "prompt": f"{PROMPT}# {number}\n",
            "tests": CodeTests(source=f"assert f({number})"),
            "metadata": {"read": number},
        }
        return task_of(dataclasses.replace(GOOD, **{field: values[field]}))

    with pytest.raises(TaskError, match="'a/0': differs from one reading of the data to the next"):
        check_task(changing)


def test_problems_that_come_and_go_are_found() -> None:
    loads = iter([[GOOD], [GOOD, dataclasses.replace(GOOD, task_id="a/1")]])
    with pytest.raises(TaskError, match="1 problems at one reading, then 2"):
        check_task(lambda: task_of(*next(loads)))


def test_numbers_that_are_none_are_no_change() -> None:
    def with_nan() -> Task:
        tests = InputTests(inputs=((float("nan"),),), entry_point="f", reference="def f(x): return 1")
        return task_of(dataclasses.replace(GOOD, tests=tests))

    check_task(with_nan)


def test_a_form_of_programs_that_changes_between_readings_is_found() -> None:
    counter: Iterator[int] = itertools.count()

    def changing() -> Task:
        number = next(counter)
        return task_of(GOOD, assemble=lambda problem, text: f"{problem.prompt}{text}\n# {number}")

    with pytest.raises(TaskError, match="its fingerprint differs from one reading of the data to the next"):
        check_task(changing)


@pytest.mark.parametrize(
    "changes",
    [
        {"prompt": PROMPT + "# assert f(5) == 6\n"},
        {"description": "Return x + 1, so that\nassert f(-1) == 0\nholds."},
        {"tests": CodeTests(checks=("f(1)",))},
        {"tests": InputTests(inputs=((1,),), entry_point="f", reference=PROMPT)},
        {
            "tests": InputTests(
                inputs=((1,),), entry_point="f", reference="x = 1", oracle="def accept(*a): 1"
            ),
            "prompt": PROMPT + "# def accept(*a): 1\n",
        },
    ],
)
def test_hidden_tests_in_the_public_view_are_found(changes: dict[str, Any]) -> None:
    with pytest.raises(TaskError, match="problem 'a/0': its public view shows the hidden test"):
        check_task(planted(**changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"examples": (CallExample("f( 5 )", "6"),)},
        {"tests": CodeTests(checks=("assert f(1) == 2",)), "prompt": "Do.", "description": "", "header": ""},
        {
            "tests": ScriptTests(cases=(ScriptExample("1", "2"),)),
            "examples": (ScriptExample("3", "4"), ScriptExample("1", "2")),
        },
        {"tests": InputTests(inputs=(("a",), (1,)), entry_point="f", expected=("b", 2))},
    ],
)
def test_hidden_tests_among_the_examples_are_found_also_where_prompts_show_tests(
    changes: dict[str, Any],
) -> None:
    make_task = planted(reference=None, **changes)
    for shows_tests in (False, True):
        with pytest.raises(TaskError, match=r"the public example .* is a hidden test"):
            check_task(make_task, shows_tests=shows_tests)


def test_prompts_that_show_tests_pass_where_the_data_set_is_made_so() -> None:
    shown = planted(prompt="Write f.\nassert f(5) == 6\n", examples=(), reference=None)
    check_task(shown, shows_tests=True)
    with pytest.raises(TaskError, match="its public view shows the hidden test 'assert f"):
        check_task(shown)


def test_tests_that_are_not_python_are_found() -> None:
    with pytest.raises(TaskError, match="problem 'a/0': its tests are not Python"):
        check_task(planted(tests=CodeTests(source="assert f(")))


def test_a_program_is_the_completion_alone_where_the_task_says_so() -> None:
    check_task(
        lambda: task_of(dataclasses.replace(GOOD, reference="f = int.__add__"), assemble=completion_alone)
    )
