"""Best-of-n of messages: answers are read for programs, whose tokens alone rerankers see."""

from __future__ import annotations

from dataclasses import replace

import pytest
from canned_engine import PROMPT, RIGHT, Canned

from codesample import (
    Message,
    best_of_n,
    reranker,
)
from codesample.errors import ParameterError
from codesample.evaluation.asked_prompt import AskedPrompt
from codesample.records import Extraction

ASKED = [
    {"role": "system", "content": "Be brief. double(1) == 3"},
    {"role": "user", "content": "Hello"},
    {"role": "assistant", "content": "Hi"},
    {"role": "user", "content": f"Complete this.\n```python\n{PROMPT}```\n"},
]
ANSWERS = ("def double(x):\n    return x + 1\n", "def double(x):\n    return 2 * x\n")


def test_messages_are_handed_to_the_engine_and_examples_read_from_the_last_turn():
    engine = Canned(*ANSWERS, abilities=("logprobs", "chat"))
    seen = []
    stream = engine.stream
    engine.stream = lambda requests, *rest, **more: (seen.extend(requests), stream(requests, *rest, **more))[
        1
    ]
    got = best_of_n(engine, ASKED, n=2, reranker="public_examples", entry_point="double")
    assert seen[0].prompt == tuple(Message(**each) for each in ASKED)
    assert got.best.index == 1
    assert got.scores == {"public_examples": (0.0, 1.0)}


def test_an_engine_that_takes_no_messages_is_not_asked():
    engine = Canned(RIGHT)
    with pytest.raises(ParameterError, match="engine 'canned' takes no messages; give a text"):
        best_of_n(engine, ASKED, n=2)
    assert engine.asked == []


@pytest.mark.parametrize(
    ("prompt", "complaint"),
    [
        (None, "prompt = None"),
        (["text"], r"prompt = \['text'\]: expected one prompt"),
        ([{"role": "system", "content": "x"}], "messages of system only; expected one of the user's"),
    ],
)
def test_a_prompt_that_is_none_is_refused_before_anything_is_drawn(prompt, complaint):
    engine = Canned(RIGHT, abilities=("logprobs", "chat"))
    with pytest.raises(ParameterError, match=complaint):
        best_of_n(engine, prompt, n=2)
    assert engine.asked == []


def test_rerankers_see_the_tokens_of_the_program_alone(monkeypatch):
    # a token a letter; what surrounds the program is unlikely in one answer, the program in the other
    body = "def double(x): return 2 * x"
    texts = (f"zz{body}zz", f"zz{body}zz")
    likely = {0: (-9.0, -1.0), 1: (-1.0, -2.0)}

    class Lettered(Canned):
        def stream(self, requests, params, *, progress=None):
            for each in super().stream(requests, params, progress=progress):
                around, inside = likely[each.index]
                logprobs = tuple(around if letter == "z" else inside for letter in each.completion)
                ends = tuple(range(1, len(each.completion) + 1))
                yield replace(each, logprobs=logprobs, token_ends=ends)

    def found(answer, wanted):
        assert (wanted.shape, wanted.name, wanted.prefill) == ("function", "double", "")
        assert wanted.prompt == PROMPT
        return Extraction(answer.strip("z"), "fence", ((2, len(answer) - 2),))

    monkeypatch.setattr("codesample.evaluation.asked_prompt.extract", found)
    shown = []

    @reranker(needs={"logprobs"})
    def looking(view, candidates, ctx):
        shown.append(view.prompt)
        return [min(each.logprobs) for each in candidates]

    engine = Lettered(*texts, abilities=("logprobs", "chat"))
    got = best_of_n(engine, ASKED, n=2, reranker=looking, entry_point="double")
    assert got.scores == {"looking": (-1.0, -2.0)}
    assert shown == [ASKED[-1]["content"]]
    # what was drawn is kept whole
    assert [each.program for each in got.candidates] == [body, body]
    assert all(len(each.logprobs) == len(each.completion) for each in got.candidates)
    assert all((each.rule, each.spans) == ("fence", ((2, len(texts[0]) - 2),)) for each in got.candidates)


def test_the_beginning_of_an_answer_is_told_to_extraction(monkeypatch):
    told = []

    def found(answer, wanted):
        told.append(wanted.prefill)
        return Extraction(wanted.prefill + answer, "whole", ((0, len(answer)),))

    monkeypatch.setattr("codesample.evaluation.asked_prompt.extract", found)
    begun = [*ASKED, {"role": "assistant", "content": "def double"}]
    got = best_of_n(Canned("(x): return 2 * x", abilities=("logprobs", "chat")), begun, n=1)
    assert told == ["def double"]
    assert got.best.program == "def double(x): return 2 * x"


def test_a_program_of_the_callers_own_goes_before_extraction():
    got = best_of_n(
        Canned("2 * x", abilities=("logprobs", "chat")),
        [Message("user", "twice x")],
        n=1,
        program=lambda answer: f"def double(x): return {answer}",
    )
    assert got.best.program == "def double(x): return 2 * x"
    assert got.best.spans is None


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (PROMPT, PROMPT),
        (f"Go on:\n\n```python\n{PROMPT}```", PROMPT),
        (f"~~~~ py\n{PROMPT}\n~~~~\n", f"{PROMPT}\n"),
        ("```\nother(1)\n```\n```\ndef double(x):\n```", "def double(x):\n"),
        ("Write double(x), please.", ""),
        ("```python\ndef triple(x):\n    pass\n```", ""),
        ("```python\ndef double(x:\n```", ""),
    ],
)
def test_code_that_the_user_shows_is_what_an_answer_may_repeat(said, code):
    assert AskedPrompt.of([Message("user", said)], "double").code == code
    assert AskedPrompt.of([Message("user", said)], None).code == ""
