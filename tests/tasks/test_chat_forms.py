"""The turns that chat models are given, and what is looked for in their answers."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path

import pytest

from codesample.extraction import Wanted
from codesample.records import CodeTests, Message, Problem, ScriptExample, ScriptTests
from codesample.tasks.chat_forms import COMPLETE, SOLVE, complete_turn, named_wanted, solve_turn
from codesample.tasks.contract import Task, completion_alone
from codesample.tasks.prompt_form import FENCE
from codesample.tasks.registry import load_task

FILES = {
    "humaneval": "HumanEval.jsonl.gz",
    "humaneval_plus": "HumanEvalPlus.jsonl.gz",
    "mbpp": "mbpp.jsonl",
    "mbpp_plus": "MbppPlus.jsonl.gz",
    "mbpp_sanitized": "sanitized-mbpp.json",
    "mbpp_zero_shot": "mbpp.jsonl",
    "mini": "",
}

PROMPT = "\n\ndef f(x):\n    '''Return x + 1.'''\n"
CODE = Problem(
    task_id="a/0",
    prompt=PROMPT,
    tests=CodeTests(source="assert f(1) == 2"),
    entry_point="f",
    description=PROMPT,
)
SCRIPT = Problem(
    task_id="a/1",
    prompt="Add.",
    tests=ScriptTests(cases=(ScriptExample("1 2", "3"),)),
    description=" Add. \n",
)


@pytest.fixture(scope="module", params=sorted(FILES))
def task(request: pytest.FixtureRequest, published: Callable[[str], Path]) -> Task:
    file = FILES[request.param]
    return load_task(request.param, data=published(file) if file else None)


def turns(task: Task) -> list[str]:
    asked = [task.form("chat").ask(problem) for problem in task.problems()]
    assert all(len(messages) == 1 and messages[0].role == "user" for messages in asked)
    return [messages[0].content for messages in asked]


def test_what_all_problems_share_stands_first(task: Task) -> None:
    ending = "complete code, its imports included, in one Markdown block of Python.\n\n"
    assert len({turn.partition(ending)[:2] for turn in turns(task)}) == 1
    assert ending in turns(task)[0]


def test_every_turn_shows_the_problem_in_a_fence(task: Task) -> None:
    for problem, turn in zip(task.problems(), turns(task), strict=True):
        assert turn.count("```") == 2
        assert turn.count(FENCE) == 1
        assert turn.endswith("\n```\n")
        shown = turn.split(FENCE)[1].removesuffix("\n```\n")
        if task.name.startswith("mbpp") and task.name != "mbpp_plus":
            assert shown == "\n".join(problem.tests.checks)
        else:
            assert shown == problem.prompt.strip("\n")


def test_every_turn_names_the_function_asked_for(task: Task) -> None:
    for problem, turn in zip(task.problems(), turns(task), strict=True):
        assert problem.entry_point is not None
        assert problem.entry_point in turn
        assert task.chat_form.wanted(problem).name == problem.entry_point


def test_python_that_an_answer_may_go_on_with_is_code_up_to_a_body(task: Task) -> None:
    for problem in task.problems():
        begun = task.chat_form.wanted(problem).prompt
        assert begun in ("", problem.prompt)
        if begun:
            assert f"def {problem.entry_point}" in begun
            ast.parse(begun.rstrip() + "\n    pass")


def test_no_turn_of_mbpp_shows_the_examples_of_the_base_form(published: Callable[[str], Path]) -> None:
    base = load_task("mbpp_sanitized", data=published("sanitized-mbpp.json"))
    zero = load_task("mbpp_sanitized_zero_shot", data=published("sanitized-mbpp.json"))
    assert turns(base) == turns(zero)
    assert not any("[BEGIN]" in turn or "similar_elements" in turn for turn in turns(base))
    assert "[BEGIN]" in base.problems()[0].prompt


def test_the_number_of_asserts_is_said(published: Callable[[str], Path]) -> None:
    task = load_task("mbpp_sanitized", data=published("sanitized-mbpp.json"))
    counts = set()
    for problem, turn in zip(task.problems(), turns(task), strict=True):
        assert f"The code has to pass these {problem.tests.check_count} tests:" in turn
        counts.add(problem.tests.check_count)
    assert len(counts) > 1


def test_a_prompt_in_code_stands_in_the_fence_without_its_outer_lines() -> None:
    assert complete_turn(CODE).endswith("\n\n```python\ndef f(x):\n    '''Return x + 1.'''\n```\n")
    assert COMPLETE.wanted(CODE) == Wanted("function", name="f", prompt=PROMPT)


def test_a_prompt_in_words_stands_as_it_is() -> None:
    assert solve_turn(SCRIPT).endswith("of Python.\n\nAdd.\n")
    assert named_wanted(SCRIPT) == Wanted("script")
    assert named_wanted(CODE) == Wanted("function", name="f")


def test_a_task_without_a_wording_is_completed_or_solved() -> None:
    whole = Task("t", "1", "s", (), 8, load=lambda: [CODE], assemble=completion_alone)
    assert whole.chat_form is SOLVE
    assert Task("t", "1", "s", (), 8, load=lambda: [CODE]).chat_form is COMPLETE


def test_the_form_of_a_run_is_recorded_with_its_version() -> None:
    form = load_task("mini").form("chat", system="Be brief.", prefill=True)
    assert form.as_json() == {
        "style": "chat",
        "version": "complete-1",
        "system": "Be brief.",
        "prefill": FENCE,
    }
    (problem, *_) = load_task("mini").problems()
    roles = [message.role for message in form.ask(problem)]
    assert roles == ["system", "user", "assistant"]
    assert form.ask(problem)[-1] == Message("assistant", FENCE)
