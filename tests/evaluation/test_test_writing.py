"""Tests out of what a model wrote, and how it is asked for them."""

from __future__ import annotations

import json
from dataclasses import asdict

import hypothesis.strategies as st
import pytest
from hypothesis import given

from codesample.errors import ParameterError
from codesample.evaluation.script_cases import read_script_cases
from codesample.evaluation.stripped_prompt import shown_without_examples
from codesample.evaluation.test_options import TestOptions, said
from codesample.evaluation.test_prompts import asking_for_tests
from codesample.evaluation.test_writing import plain_tests, read_tests, restored_tests
from codesample.records import CallExample, Example, Message, PublicView, ScriptExample
from codesample.rerankers.made_once import Assert

PROMPT = '''import math


def f(x: int) -> int:
    """Return the next number.

    >>> f(1)
    2
    >>> f(2)
    3

    Numbers are whole.
    """
'''


def view(prompt: str = PROMPT, *examples: Example, entry_point: str | None = "f") -> PublicView:
    return PublicView("t", "t/0", prompt, prompt, entry_point, examples)


def test_what_most_texts_hold_comes_first_each_once_however_it_is_spelt() -> None:
    texts = [
        "assert f(1) == 2",
        "assert f(3) == 4\nassert f( 1 )==2",
        "assert f(3)==4, 'x'",
        "assert f(3) == 4",
    ]
    made = read_tests(texts, view(), TestOptions())
    assert made.asserts == (
        Assert("assert f(3) == 4", "f(3)", "4", written=3),
        Assert("assert f(1) == 2", "f(1)", "2", written=2),
    )
    assert made.inputs == ("f(3)", "f(1)")


def test_the_first_asserts_of_each_text_are_taken_and_so_many_in_all() -> None:
    text = "\n".join(f"assert f({n}) == {n}" for n in range(9))
    assert len(read_tests([text], view(), TestOptions(asserts_per_sample=4)).asserts) == 4
    texts = [f"assert f({n}) == 1\n" * 3 for n in range(9)]
    made = read_tests(texts, view(), TestOptions(max_tests=5))
    assert [each.call for each in made.asserts] == [f"f({n})" for n in range(5)]
    assert [each.written for each in made.asserts] == [1] * 5
    assert len(made.inputs) == 5


def test_asserts_that_repeat_an_example_are_marked() -> None:
    shown = view(PROMPT, CallExample("f( 1)", "(2)"), CallExample("f(", "2"))
    made = read_tests(["assert f(1) == 2\nassert f(1) == 3\nassert f(2)"], shown, TestOptions())
    assert [each.shown for each in made.asserts] == [True, False, False]


def test_tests_come_back_from_json_as_they_were() -> None:
    made = read_tests(["assert f(1) == 2\nassert f(2)\nf(3)"], view(), TestOptions())
    assert restored_tests(plain_tests(made)) == made
    assert made.inputs == ("f(1)", "f(2)", "f(3)")


def test_texts_without_tests_make_none() -> None:
    assert read_tests(["", "no", "def f(x): ..."], view(), TestOptions()).asserts == ()


@pytest.mark.parametrize(
    "text",
    [
        "Input:\n```\n1 2\n```\nOutput:\n```\n3\n```",
        "Input:\n```text\n1 2\n```\n\nOutput:\n\n```\n3\n```\n",
        "**Input 1:**\n```\n1 2\n```\n**Output 1:**\n```\n3\n```",
        "### Sample Input\n1 2\n\n### Sample Output\n3\n",
        "Input:\n1 2\nOutput:\n3",
        "Input\r\n```\r\n1 2\r\n```\r\nOutput\r\n```\r\n3\r\n```",
        "Input:\n```\n1 2\n```\nOutput:\n```\n3\n```\nInput:\n```\ncut off",
    ],
    ids=range(7),
)
def test_cases_of_scripts_are_read_however_they_are_written(text: str) -> None:
    assert read_script_cases(text) == [("1 2\n", "3")]


def test_an_input_without_an_output_is_an_input_all_the_same() -> None:
    text = "Input:\n```\n1\n```\nInput:\n```\n2\n```\nOutput:\n```\n4\n```"
    assert read_script_cases(text) == [("1\n", None), ("2\n", "4")]
    made = read_tests([text], view("Add.", entry_point=None), TestOptions())
    assert made.inputs == ("2\n", "1\n")
    assert [(each.call, each.expected) for each in made.asserts] == [("2\n", "4")]


def test_an_output_does_not_pass_to_the_input_before_a_useless_one() -> None:
    text = f"Input:\n```\n1\n```\nInput:\n```\n{'9' * 20_000}\n```\nOutput:\n```\n4\n```"
    assert read_script_cases(text) == [("1\n", None)]


def test_cases_that_repeat_an_example_are_marked() -> None:
    shown = view("Add.", ScriptExample("1\n", "2\n"), entry_point=None)
    text = "Input:\n```\n1\n```\nOutput:\n```\n2\n```\nInput:\n```\n2\n```\nOutput:\n```\n2\n```"
    assert [each.shown for each in read_tests([text], shown, TestOptions()).asserts] == [True, False]


@given(
    st.text(max_size=100)
    | st.lists(st.sampled_from(["Input:", "Output:", "```", "1", "", "\x00", "\ud800"])).map("\n".join)
)
def test_any_text_can_be_read_for_cases(text: str) -> None:
    for given_, wanted in read_script_cases(text):
        assert given_.strip()
        assert given_.encode()
        assert wanted is None or wanted.encode() is not None
    read_tests([text], view("Add.", entry_point=None), TestOptions())


def test_prompts_are_shown_without_their_examples() -> None:
    docstring = '"""Return the next number.\n\n    Numbers are whole.\n    """'
    assert shown_without_examples(view()) == f"import math\n\ndef f(x: int) -> int:\n    {docstring}\n"


@pytest.mark.parametrize(
    ("line", "left"),
    [
        ("    f(1) == 2", ""),
        ("    For example: f(1) -> 2", ""),
        ("    * f(1) => 2", ""),
        ("    It adds one, e.g. f(1) == 2.", "It adds one"),
        ('    """Add one. f(1) == 2"""', '"""Add one."""'),
        ("    the value of gf(1)", "the value of gf(1)"),
    ],
)
def test_examples_within_lines_are_left_out(line: str, left: str) -> None:
    prompt = f'def f(x):\n    """Add.\n{line}\n    """\n' if '"""' not in line else f"def f(x):\n{line}\n"
    shown = shown_without_examples(view(prompt))
    assert "f(1) " not in shown.replace("gf(1)", "")
    assert left in shown


def test_a_base_model_continues_an_assert_behind_the_function() -> None:
    asking = asking_for_tests(view(), chat=False, count=5)
    assert isinstance(asking.prompt, str)
    assert asking.prompt.endswith("assert f(")
    assert asking.begun == "assert f("
    assert ">>>" not in asking.prompt
    compile(f"{asking.prompt}1) == 2\n", "", "exec")
    assert "\ndef " in asking.stop


def test_a_base_model_gets_a_header_where_the_prompt_shows_none() -> None:
    prompt = "Write a function to add. Your code should pass these tests:\nassert f(1, 2) == 3\n"
    asking = asking_for_tests(view(prompt), chat=False, count=5)
    assert isinstance(asking.prompt, str)
    assert "def f(a, b):" in asking.prompt
    assert "== 3" not in asking.prompt
    assert "should pass" not in asking.prompt


def test_a_chat_model_is_asked_and_its_answer_begun() -> None:
    asking = asking_for_tests(view(), chat=True, count=7)
    assert isinstance(asking.prompt, tuple)
    asked, begun = asking.prompt
    assert (asked.role, begun) == ("user", Message("assistant", "```python\nassert f("))
    assert "Write 7 tests of `f`" in asked.content
    assert ">>>" not in asked.content
    assert "def f(x: int) -> int:" in asked.content


def test_of_a_script_inputs_and_outputs_are_asked_for() -> None:
    shown = view(
        "Add one.\n\nExample\n\nInput\n12 13\n\nOutput\n25 26\n",
        ScriptExample("12 13\n", "25 26\n"),
        entry_point=None,
    )
    chat, base = (asking_for_tests(shown, chat=chat, count=5) for chat in (True, False))
    assert isinstance(base.prompt, str)
    assert base.prompt.endswith("Input:\n```\n")
    assert isinstance(chat.prompt, tuple)
    for text in (base.prompt, chat.prompt[0].content):
        assert "12 13" not in text
        assert "25 26" not in text
        assert "Add one." in text


@given(st.text(max_size=200))
def test_anything_can_be_asked_about(prompt: str) -> None:
    for chat in (True, False):
        for name in ("f", None):
            asking_for_tests(view(prompt, entry_point=name), chat=chat, count=3)


@pytest.mark.parametrize(
    "given_",
    [
        {"test_samples": 0},
        {"max_tests": 0},
        {"max_inputs": -1},
        {"inputs": ("hidden",)},
        {"test_temperature": -1.0},
        {"test_seed": 1 << 70},
    ],
)
def test_options_refuse_what_means_nothing(given_: dict[str, object]) -> None:
    with pytest.raises(ParameterError, match="expected"):
        TestOptions(**given_)  # type: ignore[arg-type]


def test_the_seed_is_the_run_s_where_none_is_said() -> None:
    assert TestOptions().params(max_new_tokens=5, stop=(), seed=7).seed == 7
    assert TestOptions(test_seed=3).params(max_new_tokens=5, stop=("x",), seed=7).seed == 3


def test_calls_with_other_kinds_of_arguments_are_left_out() -> None:
    text = "assert f('a') == 2\nassert f(1, 2) == 3\nassert f(1) == 2"
    assert [each.call for each in read_tests([text], view(), TestOptions()).asserts] == ["f(1)"]


def test_the_kinds_of_arguments_are_told_and_begun() -> None:
    prompt = 'def f(xs: list[int]) -> int:\n    """Add."""\n'
    base, chat = (asking_for_tests(view(prompt), chat=chat, count=5) for chat in (False, True))
    assert base.begun == chat.begun == "assert f(["
    assert isinstance(base.prompt, str)
    assert base.prompt.endswith("of the types list[int].\nassert f([")
    assert isinstance(chat.prompt, tuple)
    assert "of the types list[int]" in chat.prompt[0].content


def test_options_come_back_from_a_run_s_record() -> None:
    options = TestOptions(test_samples=3, inputs=("varied",), test_seed=4)
    assert TestOptions.from_json(json.loads(json.dumps(asdict(options)))) == options
    assert TestOptions.from_json({"test_samples": 3, "unknown": 1}) == TestOptions(test_samples=3)
    assert said(TestOptions()) is None
    assert said(options) == options
