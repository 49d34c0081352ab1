"""Hidden checks that a prompt shows are found in any spelling; others that only look like them are not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codesample.evaluation.public_checks import PublicChecks, count_equal, public_checks, repeat_notices
from codesample.records import (
    CallExample,
    CodeTests,
    Example,
    InputTests,
    Message,
    Problem,
    ScriptExample,
    ScriptTests,
    Tests,
)
from codesample.tasks.registry import load_task

ONE = CallExample("f(1)", "2")


def problem(tests: Tests, *examples: Example, prompt: str = "def f(x):\n", **more: object) -> Problem:
    return Problem(
        task_id="t/0",
        prompt=prompt,
        tests=tests,
        entry_point="f",
        examples=examples,
        **more,  # type: ignore[arg-type]
    )


def shown(check: str, *examples: Example, **more: str) -> bool:
    (found,) = public_checks(problem(CodeTests(checks=(check,)), *examples, **more)).checks
    return found


@pytest.mark.parametrize(
    ("check", "example"),
    [
        ("assert f(1) == 2", ONE),
        ("assert 2 == f( 1 ), 'why'", ONE),
        ("assert f(1) == 2.0", ONE),
        ("assert candidate(1) == 2", ONE),
        ("assert abs(candidate(1) - 2) < 1e-6", ONE),
        ("assert math.isclose(f(1), 2, rel_tol=0.001)", ONE),
        ("assert set(f(1)) == set([2, 3])", CallExample("f(1)", "[2, 3]")),
        ("assert f('a', k=[1]) is None", CallExample('f("a", k = [1])', "None")),
        ("assert not f(1)", CallExample("f(1)", "False")),
        ("assert f(1)", CallExample("f(1)", "True")),
        ("assert f(1) == float('inf')", CallExample("f(1)", 'float("inf")')),
        ("assert f({1, 2}) == {'a': 1, 'b': 2}", CallExample("f({2, 1})", "{'b': 2, 'a': 1}")),
    ],
)
def test_a_check_is_public_however_it_is_spelt(check: str, example: Example) -> None:
    assert shown(check, example)


@pytest.mark.parametrize(
    ("check", "example"),
    [
        ("assert f(1) == 3", ONE),
        ("assert f(2) == 2", ONE),
        ("assert f(1) != 2", CallExample("f(1)", "3")),
        ("assert f(1) == 1", CallExample("f(1)", "True")),
        ("assert f('1') == 2", ONE),
        ("assert f([1]) == 2", CallExample("f((1,))", "2")),
        ("assert g(1) == 2", ONE),
        ("assert f(f(1)) == 2", ONE),
        ("assert isinstance(f(1), int)", ONE),
        ("assert f(f(1)) == 2 and f(1) == 2", ONE),
        ("for i in range(3):\n    assert f(i) == i + 1", ONE),
        ("f(1)", ONE),
        ("this is no Python", ONE),
    ],
)
def test_what_only_looks_alike_is_hidden(check: str, example: Example) -> None:
    assert not shown(check, example)


@pytest.mark.parametrize(
    "prompt",
    [
        'def f(x):\n    """Add one.\n    assert f(1) == 2\n    """\n',
        "Write f.\nYour code has to pass:\n\nassert f(1)==2\nassert f(7) == 8\n",
        "```python\nassert f(\n    1,\n) == 2\n```\nGo on, and assert nothing.",
        "Such as `assert 2 == f(1)\n`",
        'def f(x):\n    """Add one.\n\n    >>> f(1)\n    2\n    """\n',
    ],
)
def test_assertions_and_examples_are_read_from_the_prompt_too(prompt: str) -> None:
    assert shown("assert f(1) == 2", prompt=prompt)
    assert not shown("assert f(3) == 4", prompt=prompt)


def test_whole_assertions_are_public_where_no_value_can_be_read() -> None:
    stated = "assert sorted(f(n=4)) == list(range(4))"
    assert shown(stated, prompt=f"Write f, so that\n{stated}\n")
    assert not shown(stated.replace("4)", "5)"), prompt=f"Write f, so that\n{stated}\n")


def test_messages_and_what_a_model_was_asked_are_read() -> None:
    tests = CodeTests(checks=("assert f(1) == 2",))
    told = problem(tests, messages=(Message("user", "Write f.\nassert f(1) == 2"),))
    assert public_checks(told).every
    assert not public_checks(problem(tests)).any
    assert public_checks(problem(tests), asked="assert f(1) == 2").every
    assert public_checks(problem(tests), asked=(Message("user", "assert f(1) == 2"),)).every


def test_examples_of_other_problems_in_a_header_show_nothing() -> None:
    header = "assert f(1) == 2\n"
    tests = CodeTests(checks=("assert f(1) == 2",))
    assert not public_checks(problem(tests, prompt=f"{header}def f(x):\n", header=header)).any


def test_assertions_in_one_piece_are_told_apart_from_checks() -> None:
    source = "def check(candidate):\n    assert candidate(1) == 2\n    assert candidate(3) == 4\n"
    found = public_checks(problem(CodeTests(source=source), ONE))
    assert found == PublicChecks(checks=(), asserts=(True, False))
    assert (found.any, found.every, found.in_one_piece) == (True, False, True)
    both = public_checks(problem(CodeTests(source=source), ONE, CallExample("f(3)", "4")))
    assert (both.any, both.every, both.in_one_piece) == (True, True, False)
    assert not public_checks(problem(CodeTests(source="pass"), ONE)).every


def test_inputs_are_public_by_their_arguments() -> None:
    tests = InputTests(inputs=((1,), ([1, 2],), (3,)), entry_point="f", reference="def f(x): return x")
    found = public_checks(problem(tests, ONE, prompt="def f(x):\n    '''assert f([1, 2]) == 3'''\n"))
    assert found.checks == (True, True, False)


def test_cases_are_public_by_both_texts() -> None:
    cases = (ScriptExample("1 \n2\n", "3\n"), ScriptExample("1\n2", "4"))
    found = public_checks(problem(ScriptTests(cases=cases), ScriptExample("1\n2\n\n", "3")))
    assert found.checks == (True, False)


@given(st.text(), st.text(max_size=30), st.text(max_size=30))
def test_no_text_is_too_odd(prompt: str, check: str, call: str) -> None:
    tests = CodeTests(checks=(check or "pass", f"assert {check}"), source="pass")
    public_checks(problem(tests, CallExample(call, check), prompt=prompt), asked=f"assert {prompt}")
    count_equal(problem(tests), [prompt, check, f"assert {call}"])


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=8), st.data())
def test_a_check_is_public_exactly_where_an_example_says_the_same(
    pairs: list[tuple[int, int]], data: st.DataObject
) -> None:
    examples = data.draw(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=8))
    tests = CodeTests(checks=tuple(f"assert f({x}) == {y}" for x, y in pairs))
    found = public_checks(problem(tests, *(CallExample(f"f({x})", f"{y}") for x, y in examples)))
    assert found.checks == tuple(pair in examples for pair in pairs)


def test_generated_asserts_that_are_hidden_checks_are_counted() -> None:
    told = problem(CodeTests(source="assert f(1) == 2", checks=("assert abs(f(0.5) - 1.5) < 1e-6",)))
    written = ["assert f(1) == 2", "assert 2 == f(1)", "assert f(0.5) == 1.5", "assert f(2) == 3", "f(", ""]
    assert count_equal(told, written) == 3
    assert count_equal(replace(told, prompt="assert f(1) == 2"), written) == 1
    assert count_equal(told, []) == 0
    inputs = InputTests(inputs=((1,),), entry_point="f", reference="def f(x): return x")
    assert count_equal(problem(inputs), ["assert f(1) == 9", "assert f(2) == 9"]) == 1
    assert count_equal(problem(ScriptTests(cases=(ScriptExample("", "1"),))), written) == 0


def test_generated_asserts_that_are_hidden_checks_are_told_with_the_worst_problem() -> None:
    problems = [
        replace(problem(CodeTests(source=f"assert f({at}) == {at}\nassert f(9) == 9")), task_id=f"t/{at}")
        for at in range(3)
    ]
    written = {"t/0": ["assert f(0) == 0", "assert f(9) == 9"], "t/1": ["assert f(1) == 1"], "t/2": ["pass"]}
    (said,) = repeat_notices(problems, written)
    assert said.startswith(
        "3 of 4 generated asserts equal hidden checks that no prompt shows, in 2 of 3 problems"
    )
    assert "most in t/0 (2)" in said
    assert repeat_notices(problems, {}) == []


@pytest.mark.parametrize(
    ("name", "file", "problems", "some", "every"),
    [
        ("mini", "", 107, 107, 0),
        ("humaneval", "HumanEval.jsonl.gz", 164, 109, 1),
        ("humaneval_plus", "HumanEvalPlus.jsonl.gz", 164, 116, 0),
        ("mbpp", "mbpp.jsonl", 974, 974, 974),
        ("mbpp_sanitized_zero_shot", "sanitized-mbpp.json", 427, 427, 427),
        ("mbpp_plus", "MbppPlus.jsonl.gz", 378, 360, 0),
    ],
)
def test_of_published_data(
    name: str, file: str, problems: int, some: int, every: int, published: Callable[[str], Path]
) -> None:
    task = load_task(name, data=published(file) if file else None)
    found = [public_checks(each) for each in task.all_problems()]
    assert (len(found), sum(each.any for each in found), sum(each.every for each in found)) == (
        problems,
        some,
        every,
    )
