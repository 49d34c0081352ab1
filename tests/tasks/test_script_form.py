from __future__ import annotations

import pytest

from codesample.data_files import Entry
from codesample.extraction import Wanted
from codesample.records import CallExample, InputTests, Problem, ScriptExample, ScriptTests
from codesample.tasks.script_form import STARTER, Unjudgeable, call_example, contest_chat, judgeable

CHAT = contest_chat(source="here", max_new_tokens=9)
SCRIPT = Problem("a/1", "P", ScriptTests(cases=(ScriptExample("1", "2"),)), description="Add one.")
BODY = InputTests(inputs=((1,),), entry_point="add", expected=(2,))
PLAIN = "def add(x):\n    "
METHOD = "class Solution:\n    def add(self, x: int) -> int:\n        "


def function(starter: str) -> Problem:
    return Problem("a/2", "P", BODY, description="Add 1.", entry_point="add", metadata={STARTER: starter})


@pytest.mark.parametrize(
    ("problem", "wanted"),
    [
        (SCRIPT, Wanted("script")),
        (function(""), Wanted("function", name="add")),
        (function(PLAIN), Wanted("function", name="add", prompt=PLAIN)),
        (function(METHOD), Wanted("class", name="Solution", prompt=METHOD)),
    ],
)
def test_an_answer_holds_what_the_tests_need(problem: Problem, wanted: Wanted) -> None:
    assert CHAT.wanted(problem) == wanted
    assert CHAT.ask(problem).count(problem.description) == 1


def test_the_code_to_begin_with_is_shown_where_there_is_any() -> None:
    asked = CHAT.ask(function(METHOD))
    assert f"```python\n{METHOD.rstrip()}\n```" in asked
    assert "`add` in class `Solution`" in asked
    assert "```" not in CHAT.ask(function("")) + CHAT.ask(SCRIPT)
    assert "`add`" in CHAT.ask(function(""))


def test_all_questions_begin_alike() -> None:
    asked = [CHAT.ask(each) for each in (SCRIPT, function(""), function(PLAIN), function(METHOD))]
    assert len({text[:100] for text in asked}) == 1


def test_problems_that_cannot_be_judged_are_noted_and_the_others_made() -> None:
    def made(entry: Entry[int], name: str) -> Problem:
        if entry.record == 1:
            raise Unjudgeable("it is odd")
        return Problem(name, "p", BODY)

    left_out: dict[str, str] = {}
    entries = [Entry(number, f"file:{number}") for number in range(3)]
    problems = judgeable(entries, lambda entry: f"t/{entry.record}", made, left_out)
    assert [problem.task_id for problem in problems] == ["t/0", "t/2"]
    assert left_out == {"t/1": "file:1: it is odd"}


def test_an_example_of_a_call_is_python() -> None:
    assert call_example("f", ([1], "a"), None) == CallExample("f([1], 'a')", "None")
