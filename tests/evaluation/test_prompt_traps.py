"""Each known trap is told where it is set, and nowhere else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from codesample.engines.model_options import ModelOptions
from codesample.errors import ParameterError
from codesample.evaluation.options import PromptOptions
from codesample.evaluation.preview import look_at
from codesample.evaluation.problem_set import ProblemSet
from codesample.records import Extraction, Problem, SamplingParams
from codesample.sampling.outline import Outline
from codesample.tasks.contract import Task
from codesample.tasks.prompt_form import PromptForm

TURNS = "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"
BASE, CHAT = PromptOptions("base"), PromptOptions("chat")


def of_one(task: Task, **changes: Any) -> tuple[ProblemSet, Problem]:
    """Return the task with its first problem changed, alone."""
    problem = replace(task.problems()[0], **changes)
    return ProblemSet(replace(task, load=lambda: [problem]), (problem,)), problem


def warnings(task: Task, outline: Outline | None = None, **more: Any) -> str:
    changes = more.pop("changes", {})
    chosen, problem = of_one(task, **changes)
    return "\n".join(look_at(chosen, problem, outline=outline, **more).warnings)


@pytest.fixture
def model(unloaded: Callable[..., Path]) -> Callable[..., Outline]:
    """Return a function that opens a small model of a name, a template and a configuration."""

    def opened(name: str = "small-instruct", **given: Any) -> Outline:
        return Outline(ModelOptions(str(unloaded(name, **given))))

    return opened


def test_a_sound_problem_has_none(adding: Task, model: Callable[..., Outline]) -> None:
    assert warnings(adding) == ""
    assert warnings(adding, Outline(ModelOptions("tiny"))) == ""
    wide = {"eos_token_id": [257, 259], "max_position_embeddings": 4096}
    instruct = model("small-instruct", template=TURNS, **wide)
    params = SamplingParams(max_new_tokens=400)
    found = look_at(*of_one(adding), outline=instruct, prompts=CHAT, params=params).warnings
    assert [each for each in found if "is read from" not in each] == []


@pytest.mark.parametrize(
    ("cut", "expected"),
    [
        (lambda prompt: prompt.rstrip("\n"), "the prompt does not end with a newline"),
        (lambda prompt: prompt + "    ", "the prompt ends in 5 blanks"),
    ],
)
def test_white_space_at_the_end_of_a_prompt(adding: Task, cut: Callable[[str], str], expected: str) -> None:
    prompt = cut(adding.problems()[0].prompt)
    assert expected in warnings(adding, changes={"prompt": prompt})
    assert expected not in warnings(adding, changes={"prompt": prompt}, prompts=CHAT)


def test_a_form_that_strips_the_prompt_is_told(adding: Task) -> None:
    class Stripping(Task):
        def form(self, style: Any, **more: Any) -> PromptForm:
            made = Task.form(self, style, **more)
            return replace(made, ask=lambda problem: problem.prompt.strip())

    task = Stripping("t", "1", "made", (), 16, adding.load)
    assert "differs from the problem's in white space" in warnings(task)


def test_a_prompt_that_ends_inside_a_token(adding: Task) -> None:
    tiny = Outline(ModelOptions("tiny"))
    problem = adding.problems()[0]
    cut = {"prompt": f"{problem.prompt}  ", "reference": "  return x + 1\n"}
    assert "a split that it hardly saw in training" in warnings(adding, tiny, changes=cut)
    assert "a split" not in warnings(adding, tiny)


def test_an_instruct_model_in_the_base_form(adding: Task, model: Callable[..., Outline]) -> None:
    assert "has a chat template and gets the base form" in warnings(
        adding, model(template=TURNS), prompts=BASE
    )
    assert "named like an instruct model" in warnings(adding, model("x-Instruct"))


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("Some-7B", True),
        ("some-base", True),
        ("transit-3", True),
        ("Some-7B-Instruct", False),
        ("gemma-2b-it", False),
        ("llama-2-chat", False),
        ("some-R1-distil", False),
    ],
)
def test_a_base_model_in_the_chat_form(
    adding: Task, model: Callable[..., Outline], name: str, told: bool
) -> None:
    found = warnings(adding, model(name, template=TURNS), prompts=CHAT)
    assert ("that it is an instruct model" in found) is told


def test_a_doubled_beginning_of_text(adding: Task, model: Callable[..., Outline]) -> None:
    once = model("a-chat", template="<s>" + TURNS)
    twice = model("b-chat", template="<s><s>" + TURNS)
    assert "twice" not in warnings(adding, once, prompts=CHAT)
    assert "twice" in warnings(adding, twice, prompts=CHAT)


def test_a_stop_inside_the_reference(adding: Task) -> None:
    held = {"reference": "    y = x\n    return y + 1\n\ndef later():\n    pass\n"}
    assert "the stop '\\ndef ' occurs in the reference: an answer" in warnings(adding, changes=held)
    own = SamplingParams(stop=("return",))
    assert "the stop 'return' occurs in the reference, inside its fence" in warnings(
        adding, prompts=CHAT, params=own
    )
    # the end of the fence is where an answer should end
    assert "the stop" not in warnings(adding, prompts=PromptOptions("chat", prefill=True))


def test_lengths(adding: Task, model: Callable[..., Outline]) -> None:
    outline = model("plain")
    assert "the reference takes 17 tokens, and candidates end at 16" in warnings(adding, outline)
    assert "takes" not in warnings(adding, outline, params=SamplingParams(max_new_tokens=17))
    prompt = len(outline.encode(adding.problems()[0].prompt))
    short = model("short", max_position_embeddings=prompt + 10)
    assert f"has {prompt + 10} positions and the prompt takes {prompt}: candidates end at 10" in warnings(
        adding, short
    )
    full = model("full", max_position_embeddings=prompt)
    assert "the run would be refused" in warnings(adding, full)


def test_system_turns(adding: Task, model: Callable[..., Outline]) -> None:
    refusing = "{% if messages[0].role == 'system' %}{{ raise_exception('no') }}{% endif %}" + TURNS
    outline = model("a-chat", template=refusing)
    assert "a system turn would be refused" in warnings(adding, outline, prompts=CHAT)
    with pytest.raises(ParameterError, match="takes no system turn"):
        warnings(adding, outline, prompts=PromptOptions(system="Be brief."))
    dropping = model("b-chat", template=TURNS.replace("in messages", "in messages if m.role != 'system'"))
    asked = PromptOptions(system="Be brief.")
    assert "leaves the system turn out" in warnings(adding, dropping, prompts=asked)
    assert "system turn" not in warnings(adding, model("c-chat", template=TURNS), prompts=asked)


def test_beginnings_of_answers(adding: Task, model: Callable[..., Outline]) -> None:
    users = "{% for m in messages %}{% if m.role != 'user' %}{{ raise_exception('x') }}{% endif %}"
    outline = model("a-chat", template=users + "<|user|>{{ m.content }}<|end|>{% endfor %}")
    assert "takes no beginning of an answer: leave --prefill out" in warnings(adding, outline, prompts=CHAT)
    with pytest.raises(ParameterError, match="cannot go on with the beginning of an answer"):
        warnings(adding, outline, prompts=PromptOptions(prefill=True))
    trimming = model("b-chat", template=TURNS.replace("m.content", "m.content | trim"))
    assert "takes white space off" in warnings(adding, trimming, prompts=CHAT)


def test_thinking_and_dates(adding: Task, model: Callable[..., Outline]) -> None:
    thinking = model("a-chat", template=TURNS + "{% if add_generation_prompt %}<think>\n{% endif %}")
    assert "a model that thinks before it answers" in warnings(adding, thinking, prompts=CHAT)
    dated = model("b-chat", template="{% if strftime_now is defined %}{% endif %}" + TURNS)
    assert "today's date" in warnings(adding, dated, prompts=CHAT)
    plain = warnings(adding, model("c-chat", template=TURNS), prompts=CHAT)
    assert "thinks" not in plain
    assert "today" not in plain


@pytest.mark.parametrize(
    ("read", "said"),
    [
        (lambda text: text[:10], "is another program (by rule 'made up')"),
        (lambda text: f"x = 1\n{text}", "is another program (by rule 'made up')"),
        (lambda text: "", "add is left out as not needed"),
        (lambda text: f"{text}\n\n# a remark", ""),
    ],
)
def test_an_answer_that_is_read_otherwise(adding: Task, read: Callable[[str], str], said: str) -> None:
    class Reading(Task):
        def form(self, style: Any, **more: Any) -> PromptForm:
            made = Task.form(self, style, **more)

            def changed(problem: Problem, text: str) -> Extraction:
                return Extraction(read(made.read(problem, text).program), "made up", ((0, 10),))

            return replace(made, read=changed)

    found = warnings(Reading("t", "1", "made", (), 16, adding.load))
    assert said in found
    assert said or not found


def test_a_problem_without_a_reference_says_so(adding: Task) -> None:
    assert "has no reference" in warnings(adding, changes={"reference": None})
