from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from codesample.errors import ParameterError, RerankerError, UnreadableTextError
from codesample.records import Candidate, Message, Prompt, PublicView, SamplingParams
from codesample.rerankers.context import Context
from codesample.rerankers.reviewer import coder_reviewer, reviewer

PROMPT = 'def area(r):\n    """Return the area of a circle."""\n'
VIEW = PublicView("t", "t/0", PROMPT, PROMPT, "area", ())
PROGRAMS = (
    f"{PROMPT}    # of a circle\n    print(r)\n    return 3 * r * r\n",
    f"{PROMPT}    return 3*r*r\n",
    f"{PROMPT}    return area(r)\n",
    f"{PROMPT}    return (\n",
)


class Reading:
    """Gives each word of a text a log-probability that the length of what stands before sets."""

    def __init__(self) -> None:
        self.given: list[tuple[Prompt, str]] = []

    def logprobs(self, given: Sequence[tuple[Prompt, str]]) -> list[tuple[float, ...]]:
        self.given += given
        return [tuple(-float(len(_text(prompt))) for _ in text.split()) for prompt, text in given]

    def generate_all(
        self, asked: Sequence[tuple[str, Prompt]], *, n: int, params: SamplingParams
    ) -> list[list[Candidate]]:
        raise AssertionError("nothing is to be drawn")


def _text(prompt: Prompt) -> str:
    return prompt if isinstance(prompt, str) else prompt[-1].content


def _candidates(*programs: str) -> list[Candidate]:
    return [
        Candidate("t/0", at, program, program=program, logprobs=(-1.0, -3.0))
        for at, program in enumerate(programs)
    ]


def test_the_program_comes_first_and_cannot_quote_or_name_what_was_asked() -> None:
    model = Reading()
    scores = reviewer.score(VIEW, _candidates(*PROGRAMS), Context(VIEW, model=lambda name: model))
    # equal but for comments, prints and layout: read once
    assert len(model.given) == 2
    for prompt, text in model.given:
        assert isinstance(prompt, str)
        assert prompt.startswith("def f(r):\n    return ")
        assert "circle" not in prompt
        assert "area" not in prompt
        assert text == "Return the area of a circle.\n"
    by_text = {_text(prompt): -float(len(_text(prompt))) for prompt, _ in model.given}
    first, second, third, broken = scores
    assert first == second == by_text[next(each for each in by_text if "3 * r * r" in each)]
    assert third == by_text[next(each for each in by_text if "f(r)\n\n" in each)]
    assert broken is None


def test_a_run_of_messages_is_asked_by_a_message_unless_the_form_is_said() -> None:
    asked = (Message("user", "Write area."),)
    model = Reading()
    ctx = Context(VIEW, model=lambda name: model, asked=asked)
    reviewer.score(VIEW, _candidates(PROGRAMS[0]), ctx)
    reviewer.with_parameters(form="base").score(VIEW, _candidates(PROGRAMS[0]), ctx)
    reviewer.with_parameters(form="chat").score(
        VIEW, _candidates(PROGRAMS[0]), Context(VIEW, model=lambda name: model)
    )
    assert [isinstance(prompt, str) for prompt, _ in model.given] == [False, True, False]
    (message,) = model.given[0][0]
    assert isinstance(message, Message)
    assert message.role == "user"
    assert "```python\ndef f(r):\n    return 3 * r * r\n```" in message.content
    assert model.given[0][1] == "Return the area of a circle."


def test_sum_and_mean_by_hand() -> None:
    model = Reading()
    candidates = _candidates(PROGRAMS[0])
    ctx = Context(VIEW, model=lambda name: model)
    (each,) = reviewer.score(VIEW, candidates, ctx)
    assert each is not None
    # the instruction has six words, the program two tokens: -4 in all, -2 each
    assert coder_reviewer.score(VIEW, candidates, ctx) == [0.5 * -4.0 + 0.5 * 6 * each]
    mean = coder_reviewer.with_parameters(length="mean", alpha=0.25)
    assert mean.score(VIEW, candidates, ctx) == [0.75 * -2.0 + 0.25 * each]
    assert coder_reviewer.with_parameters(alpha=0).score(VIEW, candidates, ctx) == [-4.0]


def test_the_model_that_is_named_is_the_one_that_reads() -> None:
    named: list[str | None] = []

    def model(name: str | None) -> Reading:
        named.append(name)
        return Reading()

    ctx = Context(VIEW, model=model)
    reviewer.score(VIEW, _candidates(PROGRAMS[0]), ctx)
    coder_reviewer.with_parameters(model="/m").score(VIEW, _candidates(PROGRAMS[0]), ctx)
    assert named == [None, "/m"]


@pytest.mark.parametrize(
    ("description", "entry_point", "instruction"),
    [
        (PROMPT, "area", "Return the area of a circle."),
        (
            'def area(r):\n    """Text.\n\n    >>> area(1)\n    3\n    """\n    ',
            "area",
            "Text.\n\n>>> area(1)\n3",
        ),
        ("def helper():\n    '''No.'''\n    return 1\n\ndef area(r):\n    '''Yes.'''\n", "area", "Yes."),
        ('"""Write a function."""\n', "area", '"""Write a function."""'),
        ("Read two numbers and print their sum.\n", None, "Read two numbers and print their sum."),
    ],
)
def test_the_instruction_is_the_docstring_or_the_whole_description(
    description: str, entry_point: str | None, instruction: str
) -> None:
    view = replace(VIEW, description=description, prompt=description, entry_point=entry_point)
    model = Reading()
    program = "n = sum(map(int, input().split()))\nprint(n)"
    reviewer.score(view, _candidates(program), Context(view, model=lambda name: model))
    ((prompt, text),) = model.given
    assert text == f"{instruction}\n"
    # what a script prints is what it is for
    assert ("print" in _text(prompt)) == (entry_point is None)


def test_nothing_to_read_asks_no_model() -> None:
    view = replace(VIEW, description=" ", prompt="")
    candidates = _candidates(PROGRAMS[0])
    assert reviewer.score(view, candidates, Context(view)) == [None]
    assert reviewer.score(VIEW, _candidates("(", "# only\n"), Context(VIEW)) == [None, None]
    bare = [replace(candidates[0], logprobs=())]
    assert coder_reviewer.score(VIEW, bare, Context(VIEW, model=lambda name: Reading())) == [None]
    with pytest.raises(RerankerError, match="no model at hand"):
        reviewer.score(VIEW, candidates, Context(VIEW))


def test_parameters_are_limited() -> None:
    with pytest.raises(ParameterError, match=r"alpha=1\.5"):
        coder_reviewer.with_parameters(alpha=1.5)
    with pytest.raises(ParameterError, match="form='text': expected auto or base or chat"):
        reviewer.with_parameters(form="text")


class Short(Reading):
    """Takes no text of more than so many characters."""

    def logprobs(self, given: Sequence[tuple[Prompt, str]]) -> list[tuple[float, ...]]:
        for prompt, _ in given:
            if len(_text(prompt)) > 1000:
                raise UnreadableTextError("too long")
        return super().logprobs(given)


def test_a_program_that_the_model_cannot_be_given_abstains_alone_and_is_counted() -> None:
    long = PROMPT + "".join(f"    r += {number}\n" for number in range(200)) + "    return r\n"
    ctx = Context(VIEW, model=lambda name: Short())
    scores = reviewer.score(VIEW, _candidates(PROGRAMS[0], long, PROGRAMS[2]), ctx)
    expected = reviewer.score(VIEW, _candidates(PROGRAMS[0], PROGRAMS[2]), ctx)
    assert scores == [expected[0], None, expected[1]]
    assert list(ctx.notes.values()) == [1]
    assert "longer than the model takes" in next(iter(ctx.notes))


def test_what_else_a_model_refuses_is_an_error() -> None:
    class Refusing(Reading):
        def logprobs(self, given: Sequence[tuple[Prompt, str]]) -> list[tuple[float, ...]]:
            raise ParameterError("no messages")

    with pytest.raises(RerankerError, match="no messages"):
        reviewer.score(VIEW, _candidates(*PROGRAMS), Context(VIEW, model=lambda name: Refusing()))
