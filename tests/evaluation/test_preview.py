"""A problem looked at before anything is run: which one is meant, what the model reads, what is read back."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from codesample.engines.model_options import ModelOptions
from codesample.errors import ParameterError
from codesample.evaluation.options import PromptOptions
from codesample.evaluation.preview import dressed_reference, find_problem, look_at
from codesample.evaluation.problem_set import ProblemSet
from codesample.extraction import Wanted
from codesample.records import CodeTests, Message, Problem, SamplingParams
from codesample.sampling.outline import Outline
from codesample.tasks.contract import Task, completion_alone
from codesample.tasks.prompt_form import ChatForm

TESTS = CodeTests(source="assert f() == 1")
CHAT = "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"


def task_of(*ids: str, split: Callable[[Problem], bool] = lambda problem: True) -> Task:
    problems = [Problem(each, f"# {each}\n", TESTS) for each in ids]
    return Task("t", "1", "made", (), 16, lambda: problems, in_split=split)


def chosen(task: Task) -> ProblemSet:
    return ProblemSet(task, tuple(task.problems()))


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (None, "HumanEval/5"),
        ("HumanEval/7", "HumanEval/7"),
        ("humaneval/7", "HumanEval/7"),
        ("7", "HumanEval/7"),
        ("a/b/c", "a/b/c"),
        ("x,y", "x,y"),
        # no id ends in 2, so a position
        ("2", "a/b/c"),
        ("outside/9", "outside/9"),
        ("9", "outside/9"),
    ],
)
def test_a_problem_is_found_by_what_people_call_it(item: str | None, expected: str) -> None:
    ids = ("HumanEval/5", "HumanEval/7", "a/b/c", "x,y", "outside/9")
    task = task_of(*ids, split=lambda problem: not problem.task_id.startswith("outside"))
    assert find_problem(task, item).task_id == expected


@pytest.mark.parametrize("item", ["HumanEval/77", "4", "nothing", "HumanEval/*"])
def test_an_unknown_problem_is_refused(item: str) -> None:
    with pytest.raises(ParameterError, match=r"HumanEval|problems of t"):
        find_problem(task_of("HumanEval/5", "HumanEval/7"), item)


def test_without_a_model_the_task_alone_is_shown(adding: Task) -> None:
    problem = adding.problems()[1]
    seen = look_at(chosen(adding), problem)
    assert (seen.task_id, seen.text, seen.prompt) == ("adding/2", problem.prompt, problem.prompt)
    assert (seen.model, seen.tokens, seen.last, seen.end_tokens) == (None, None, (), ())
    assert (seen.stop, seen.max_new_tokens) == (("\ndef ",), 16)
    assert seen.answer == problem.reference
    assert seen.found is not None
    assert seen.found.program == problem.prompt + (problem.reference or "")
    assert seen.warnings == ()
    assert problem.prompt[: seen.shared] == 'def add(x):\n    """Return x + '
    json.dumps(seen.as_json())


def test_tokens_are_those_that_sampling_gives(adding: Task) -> None:
    outline = Outline(ModelOptions("tiny"))
    problem = adding.problems()[0]
    seen = look_at(chosen(adding), problem, outline=outline)
    ids = outline.encode(problem.prompt)
    assert (seen.tokens, seen.bos) == (len(ids), 1)
    assert tuple(each.id for each in seen.last) == ids[-len(seen.last) :]
    assert seen.text == problem.prompt
    assert seen.shared_tokens is not None
    assert 1 < seen.shared_tokens < len(ids)
    assert seen.answer_tokens == len(outline.encode(problem.reference or "")) - 1
    assert [each.text for each in seen.end_tokens] == ["<|eos|>"]


def test_messages_are_shown_through_the_template(adding: Task, unloaded: Callable[..., Path]) -> None:
    outline = Outline(ModelOptions(str(unloaded("small-instruct", template=CHAT))))
    seen = look_at(
        chosen(adding), adding.problems()[0], outline=outline, prompts=PromptOptions(system="Be brief.")
    )
    assert seen.form["style"] == "chat"
    assert seen.text is not None
    assert seen.text.startswith("<|system|>Be brief.<|end|><|user|>")
    assert "def add(x):" in seen.text[seen.shared - 60 :]
    assert seen.text[: seen.shared].startswith("<|system|>Be brief.<|end|><|user|>")
    assert isinstance(seen.prompt, tuple)
    assert seen.stop == ()


def test_messages_without_a_model_stay_messages(adding: Task) -> None:
    seen = look_at(chosen(adding), adding.problems()[0], prompts=PromptOptions("chat", prefill=True))
    assert seen.text is None
    assert isinstance(seen.prompt, tuple)
    assert [each.role for each in seen.prompt] == ["user", "assistant"]
    assert seen.prompt[0].content[: seen.shared].endswith('"""Return x + ')


def test_chat_of_a_model_without_a_template_is_refused_as_a_run_is(adding: Task) -> None:
    with pytest.raises(ParameterError, match="tiny has no chat template"):
        look_at(
            chosen(adding),
            adding.problems()[0],
            outline=Outline(ModelOptions("tiny")),
            prompts=PromptOptions("chat"),
        )


def test_ones_own_stops_and_limit_are_shown(adding: Task) -> None:
    params = SamplingParams(stop=("END",), max_new_tokens=7)
    seen = look_at(chosen(adding), adding.problems()[0], params=params)
    assert (seen.stop, seen.max_new_tokens) == (("\ndef ", "END"), 7)


def test_a_single_problem_shares_nothing(adding: Task) -> None:
    alone = ProblemSet(adding, tuple(adding.problems()[:1]))
    assert look_at(alone, alone.problems[0]).shared == 0


def test_a_reference_is_dressed_as_the_form_has_answers(adding: Task) -> None:
    problem = adding.problems()[0]
    whole = problem.prompt + (problem.reference or "")
    assert dressed_reference(adding, adding.form("base"), problem) == problem.reference
    assert dressed_reference(adding, adding.form("chat"), problem) == f"```python\n{whole}```\n"
    assert dressed_reference(adding, adding.form("chat", prefill=True), problem) == whole
    assert dressed_reference(adding, adding.form("chat"), replace(problem, reference=None)) is None


def test_an_answer_that_the_messages_begin_in_a_fence_goes_on_there(adding: Task) -> None:
    problem = adding.problems()[0]
    begun = replace(problem, messages=(Message("user", "Add."), Message("assistant", "Sure:\n```python\n")))
    whole = problem.prompt + (problem.reference or "")
    assert dressed_reference(adding, adding.form("chat"), begun) == whole


def test_a_value_that_is_asked_for_is_its_own_answer() -> None:
    problem = Problem("t/1", "f() == ?", TESTS, reference="[1, 2]")
    task = Task(
        "t",
        "1",
        "made",
        (),
        16,
        lambda: [problem],
        assemble=lambda problem, text: f"assert f() == {text}",
        chat=ChatForm("v", "made", lambda each: each.prompt, lambda each: Wanted("expression")),
    )
    assert dressed_reference(task, task.form("chat"), problem) == "```python\n[1, 2]\n```\n"


def test_a_task_in_words_is_previewed_too() -> None:
    problem = Problem("t/1", "Write f.\n", TESTS, reference="def f():\n    return 1\n")
    task = Task("t", "1", "made", (), 16, lambda: [problem], assemble=completion_alone)
    seen = look_at(chosen(task), problem)
    assert seen.found is not None
    assert seen.found.program == problem.reference
    assert look_at(chosen(task), problem, prompts=PromptOptions("chat")).prompt == (
        Message("user", task.form("chat").ask(problem)[0].content),  # type: ignore[union-attr]
    )
