"""The word for a function's end, wherever stops are taken."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import codesample
from codesample.engines.contract import Reproducibility
from codesample.errors import ParameterError
from codesample.records import Candidate, FinishReason, Message, SamplingParams
from codesample.sampling.prompts import Prompt
from codesample.sampling.sampler import Sampler
from codesample.sampling.token_sampler import TokenSampler

WORD = codesample.stops.PYTHON_FUNCTION
PROMPT = 'def add(a, b):\n    """Return the sum of a and b."""\n'
BODY = "    return total(a, b)\n\n\ndef total(a, b):\n# both\n    return a + b\n"
BEHIND = "\n\nprint(add(1, 2))\n"


class Spelling:
    """A model that writes a text letter by letter, through the text stream of the sampler's."""

    name, reproducibility = "spelling", Reproducibility.EXACT

    def __init__(self, sampler: Sampler, abilities: frozenset[str]) -> None:
        self._sampler, self.abilities = sampler, abilities
        self.stops: list[tuple[str, ...]] = []

    def stream(self, requests: Any, params: SamplingParams, *, progress: Any = None) -> Iterator[Candidate]:
        self.stops.append(params.stop)
        checkpoint = self._sampler.checkpoint
        for request in requests:
            chat = not isinstance(request.prompt, str)
            ids = checkpoint.encode(PROMPT if chat else request.prompt)
            prompt = Prompt(request.task_id, ids, request.indices, 500, chat=chat)
            for row in TokenSampler(checkpoint, params, chat=chat).begin_rows(prompt, request.indices):
                for letter in BODY + BEHIND:
                    (token,) = checkpoint.tokenizer(letter, add_special_tokens=False)["input_ids"]
                    if (done := row.push(token, -1.0, -1.0)) is not None:
                        break
                yield done or row.push(min(checkpoint.eos_ids), -1.0, -1.0)

    def describe(self) -> dict[str, Any]:
        return {"name": self.name}


@pytest.fixture(scope="module")
def sampler() -> Sampler:
    return Sampler("tiny")


def best(sampler: Sampler, *, able: bool = True, **asked: Any) -> tuple[tuple[str, ...], Candidate]:
    words = {"stop_words"} if able else set()
    engine = Spelling(sampler, frozenset({"logprobs", "chat", *words}))
    found = codesample.best_of_n(engine, asked.pop("prompt", PROMPT), n=2, **asked)
    return engine.stops[0], found.best


def test_best_of_n_ends_where_the_function_ends(sampler: Sampler) -> None:
    stops, found = best(sampler)
    assert stops == (WORD,)
    assert (found.completion, found.stop, found.finish_reason) == (BODY, WORD, FinishReason.STOP)
    assert found.program == PROMPT + BODY
    assert found.token_ids is not None
    assert len(found.token_ids) == len(found.logprobs or ()) == len(BODY)
    assert sampler.checkpoint.tokenizer.decode(found.token_ids) == BODY


@pytest.mark.parametrize(
    ("asked", "stops"),
    [
        ({"stop": ()}, ()),
        ({"stop": "\nprint"}, ("\nprint",)),
        ({"stop": [WORD, "x"]}, (WORD, "x")),
        ({"params": SamplingParams(stop=("\n\n\n",))}, ("\n\n\n",)),
        ({"params": SamplingParams(temperature=0.5)}, (WORD,)),
        ({"prompt": "# add\n", "entry_point": "add"}, (WORD,)),
        ({"prompt": "import os\n"}, ()),
        ({"prompt": "Write add.", "entry_point": "add"}, ()),
        ({"prompt": [Message("user", PROMPT)], "entry_point": "add"}, ()),
        ({"able": False}, ()),
    ],
)
def test_the_default_is_for_code_alone_and_what_is_given_wins(
    sampler: Sampler, asked: dict[str, Any], stops: tuple[str, ...]
) -> None:
    assert best(sampler, **asked)[0] == stops


def test_in_an_answer_to_messages_the_word_is_left_out(sampler: Sampler) -> None:
    _, found = best(sampler, prompt=[Message("user", PROMPT)], stop=(WORD, "\n\nprint"))
    assert (found.completion, found.stop) == (BODY, "\n\nprint")


def test_an_engine_that_takes_strings_only_refuses_the_word(sampler: Sampler) -> None:
    with pytest.raises(ParameterError, match="'python:function': engine 'spelling' takes stop strings only"):
        best(sampler, able=False, stop=WORD)


def test_the_sampler_takes_it_and_no_function_is_cut_short(sampler: Sampler) -> None:
    prompt = 'def double(x):\n    """Return twice x.\n\n    >>> double(2)\n    4\n    """\n'
    free = sampler.sample(prompt, 8, max_new_tokens=120)
    ended = sampler.sample(prompt, 8, max_new_tokens=120, stop=WORD)
    assert all(long.completion.startswith(short.completion) for long, short in zip(free, ended, strict=True))
    for each in ended:
        assert (each.stop == WORD) == (each.finish_reason is FinishReason.STOP)
        compile(prompt + each.completion, "program", "exec")


def test_it_is_recorded_as_its_text() -> None:
    assert SamplingParams(stop=(WORD,)).stop == ("python:function",)
    assert codesample.stops.words_in(("a", WORD)) == (WORD,)
