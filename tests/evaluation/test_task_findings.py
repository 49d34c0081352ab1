"""What verify finds odd about problems, by their texts and by programs that do nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from codesample.errors import DataError
from codesample.evaluation.evaluate import evaluate
from codesample.evaluation.options import RunOptions
from codesample.evaluation.references import verify_references
from codesample.evaluation.task_findings import Finding, findings
from codesample.records import (
    CallExample,
    CodeTests,
    InputTests,
    Problem,
    ScriptExample,
    ScriptTests,
    Tests,
)
from codesample.tasks.contract import Task, completion_alone

RUN = RunOptions(workers=1, allow_weak_isolation="none")
PROMPT = "def f(x):\n"


def problem(task_id: str = "t/1", tests: Tests | None = None, **fields: Any) -> Problem:
    settings = {"prompt": PROMPT, "entry_point": "f", "reference": "    return x\n"} | fields
    return Problem(task_id, tests=tests or code(f"assert f('{task_id}') == '{task_id}'"), **settings)


def code(source: str, *checks: str) -> CodeTests:
    return CodeTests(source=source, checks=checks, entry_point="f")


def task_of(*problems: Problem, **fields: Any) -> Task:
    settings = {"stop": ("\ndef ",), "max_new_tokens": 16, "load": lambda: problems} | fields
    return Task("t", "1", "made", **settings)


def kinds(*problems: Problem, **fields: Any) -> dict[str, Finding]:
    found = findings(task_of(*problems, **fields), problems)
    assert len({each.kind for each in found}) == len(found)
    return {each.kind: each for each in found}


def test_sound_problems_have_no_findings(adding: Task) -> None:
    assert findings(adding, adding.problems()) == []


def test_ids_that_differ_in_case_alone() -> None:
    found = kinds(problem("T/1", prompt="def a(x):\n"), problem("t/1", prompt="def b(x):\n"), problem("t/2"))
    assert found["equal ids"].problems == ("T/1", "t/1")


def test_twins_are_named_with_what_they_share() -> None:
    same = code("assert f(1) == 1")
    found = kinds(problem("a", same), problem("b", replace(same, reference="def f(x): return x")))
    assert "the same prompt and the same tests" in found["equal prompts"].text
    found = kinds(problem("a"), problem("b", prompt=f"\n{PROMPT}"))
    assert "different tests" in found["equal prompts"].text
    found = kinds(problem("a", same), problem("b", same, prompt="def f(x):\n    # other\n"))
    assert found["equal tests"].problems == ("a", "b")
    assert not any(each.fault for each in found.values())


@pytest.mark.parametrize(
    ("tests", "example"),
    [
        (code("assert f(1) == 2\nassert f(3) == 4"), CallExample("f(1)", "2")),
        (
            code(
                "def check(candidate):\n    assert candidate( 1 ) == 2, 'why'\n    assert candidate(3) == 4\n"
            ),
            CallExample("f(1)", "2"),
        ),
        (code("assert 2 == f(1)\nassert f(3) == 4"), CallExample("f(1)", "2")),
        (code("assert f('a') is True\nassert f(3) == 4"), CallExample('f("a")', "True")),
        (code("assert f(1)\nassert f(3) == 4"), CallExample("f(1)", "True")),
        (code("assert not f(1)\nassert f(3) == 4"), CallExample("f(1)", "False")),
        (
            code("pass", "assert f([1,2], k=3) == {1: 2}", "assert f(3) == 4"),
            CallExample("f([1, 2], k=3)", "{1:2}"),
        ),
        (
            InputTests(inputs=((1, [2]), (3, [])), entry_point="f", reference="def f(x, y): return x"),
            CallExample("f(1, [2])", "1"),
        ),
        (
            ScriptTests(cases=(ScriptExample("1\n", "2\n"), ScriptExample("3\n", "4\n"))),
            ScriptExample("1\n", "2\n"),
        ),
    ],
)
def test_examples_that_the_hidden_tests_hold(tests: Tests, example: Any) -> None:
    found = kinds(problem(tests=tests, examples=(example,)))
    assert found["examples among the hidden tests"].problems == ("t/1",)
    assert "tests that are the examples" not in found
    other = problem(tests=tests, examples=(CallExample("f(77)", "2"),))
    assert "examples among the hidden tests" not in kinds(other)


@pytest.mark.parametrize(
    ("tests", "bare"),
    [
        (code("assert f(1) == 2"), True),
        (code("assert f(1) == 2\nassert f(2) == 3"), False),
        (code("assert f(1) == 2\nassert isinstance(f(1), int)"), False),
        (code("assert f(1) == 2\nfor i in range(9):\n    assert f(i) == i + 1"), False),
    ],
)
def test_tests_that_are_the_examples(tests: Tests, bare: bool) -> None:
    found = kinds(problem(tests=tests, examples=(CallExample("f(1)", "2"),)))
    assert ("tests that are the examples" in found) is bare


@pytest.mark.parametrize(
    ("tests", "said"),
    [
        (code("assert f(1) ==\n"), "source, line 1: invalid syntax"),
        (code("x = 1", "assert f(1) == 1", "assert f("), "check 1, line 1:"),
        (CodeTests(source="assert f(1)", stub="import\n"), "stub, line 1:"),
        (InputTests(inputs=((1,),), entry_point="f", reference="def f(x) return x"), "reference, line 1:"),
        (
            InputTests(inputs=((1,),), entry_point="f", reference="def f(x): return x", oracle="\n)"),
            "oracle, line 2",
        ),
        (ScriptTests(cases=(ScriptExample("", "1"),), checker="def accept(:"), "checker, line 1"),
    ],
)
def test_tests_that_are_no_python_are_faults_and_refused_at_the_start(
    tests: Tests, said: str, scripted_engine: type[Any]
) -> None:
    task = task_of(problem(tests=tests))
    found = findings(task, task.problems())[0]
    assert (found.kind, found.fault) == ("tests that are no Python", True)
    assert said in found.text
    engine = scripted_engine()
    with pytest.raises(DataError, match=r"problem 't/1': .*it would judge nothing"):
        evaluate(task, model=engine, n=1, run=RUN)
    assert engine.asked == []


def test_a_base_form_that_ends_inside_a_line() -> None:
    assert kinds(problem(prompt="def f(x):"))["prompts that end inside a line"].problems == ("t/1",)
    assert "prompts that end inside a line" not in kinds(problem(prompt="Say f"), assemble=completion_alone)


def test_a_reference_that_a_stop_cuts() -> None:
    cut = problem(reference="    return g(x)\n\ndef g(x):\n    return x\n")
    assert "'\\ndef '" in kinds(cut)["references that a stop cuts"].text


def test_missing_references_are_a_note() -> None:
    found = kinds(problem("a", reference=None), problem("b", prompt="def g(x):\n"))
    assert (found["no reference"].problems, found["no reference"].fault) == (("a",), False)


@pytest.mark.parametrize(
    ("tests", "said"),
    [
        (code("try:\n    assert f(1) == 1\nexcept Exception:\n    pass"), "a function that returns None"),
        (code("assert f(1) is None"), "a function that returns None"),
        (code("f(1)"), "a function that returns None"),
        (ScriptTests(cases=(ScriptExample("1\n", ""),)), "an empty program"),
        (code("assert f(1) == 1"), ""),
    ],
)
def test_tests_that_test_nothing_are_faults(tests: Tests, said: str) -> None:
    task = task_of(problem(tests=tests, reference=None))
    outcome = verify_references(task, run=RUN)
    hollow = [each for each in outcome.findings if each.kind == "tests that test nothing"]
    assert [each.text for each in hollow] == ([f"{said} passes them"] if said else [])
    assert outcome.sound is not bool(said)


def test_tests_that_never_use_the_program_are_faults() -> None:
    outcome = verify_references(task_of(problem(tests=code("pass"), reference=None)), run=RUN)
    found = {each.kind: each for each in outcome.findings}["tests that cannot judge"]
    assert (found.text, found.fault) == ("the tests never use the program", True)


def test_a_task_without_references_is_sound_when_the_rest_is(adding: Task) -> None:
    rows = [replace(each, reference=None) for each in adding.problems()]
    outcome = verify_references(replace(adding, load=lambda: rows), run=RUN)
    assert outcome.sound
    assert [each.kind for each in outcome.findings] == ["no reference"]


def test_the_content_has_one_name_for_any_copy(adding: Task) -> None:
    outcome = verify_references(adding, run=RUN)
    assert outcome.content == adding.fingerprint()
    assert outcome.as_json()["content"] == outcome.content


def test_faults_come_first_and_everything_is_in_the_json() -> None:
    task = task_of(problem("a", code("f("), reference=None), problem("b", reference=None))
    content = verify_references(task, run=RUN).as_json()
    assert [each["fault"] for each in content["findings"]] == [True, False, False]
    assert content["findings"][0]["problems"] == ("a",)
