"""Answers of many servers are read as they are, and what is not whole is none."""

from __future__ import annotations

from typing import Any

import pytest

from codesample.records import FinishReason, SamplingParams, Usage
from codesample.servers.answer import Choice, Piece, read_answer
from codesample.servers.harvest import candidate_from
from codesample.servers.refusals import BrokenAnswerError, RefusedError, refusal_from
from codesample.servers.server_facts import ServerFacts


def chat(**message: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "message": {"role": "assistant", **message}, "finish_reason": "stop"}]}


@pytest.mark.parametrize(
    ("content", "text", "reasoning"),
    [
        (chat(content="yes"), "yes", ""),
        (chat(content=None), "", ""),
        (chat(content=[{"type": "text", "text": "ye"}, {"type": "text", "text": "s"}]), "yes", ""),
        (chat(content="yes", reasoning_content="hm"), "yes", "hm"),
        (chat(content=None, reasoning="hm"), "", "hm"),
        (chat(content=None, refusal="I will not."), "I will not.", ""),
        ({"choices": [{"text": "yes"}]}, "yes", ""),
    ],
)
def test_the_text_is_found(content: dict[str, Any], text: str, reasoning: str) -> None:
    (choice,) = read_answer(content).choices
    assert (choice.text, choice.reasoning) == (text, reasoning)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({}, "no choices"),
        ({"choices": []}, "no choices"),
        ({"choices": ["x"]}, "no choices"),
        ({"choices": [{"index": 0}]}, "a choice holds no text"),
        ({"choices": [{"text": "x", "finish_reason": "abort"}]}, "'abort'"),
        ({"choices": [{"text": "x", "finish_reason": "error"}]}, "'error'"),
    ],
)
def test_what_is_no_answer_is_not_taken_for_one(content: dict[str, Any], said: str) -> None:
    with pytest.raises(BrokenAnswerError, match=said):
        read_answer(content)


def test_tokens_of_both_forms() -> None:
    snowman = "\N{SNOWMAN}".encode()
    tokens = [
        {"token": "a", "bytes": [97], "logprob": -0.5, "id": 7, "top_logprobs": [{"logprob": -0.25}]},
        {"token": "?", "bytes": list(snowman[:2]), "logprob": -1, "top_logprobs": []},
        {"token": "?", "bytes": list(snowman[2:]), "logprob": -2, "top_logprobs": None},
    ]
    given = chat(content="a\N{SNOWMAN}")
    given["choices"][0]["logprobs"] = {"content": tokens}
    assert read_answer(given).choices[0].pieces == (
        Piece("a", -0.5, -0.25, 7),
        Piece("", -1.0),
        Piece("\N{SNOWMAN}", -2.0),
    )
    columns = {"tokens": ["a", "b"], "token_logprobs": [-1, -9999.0], "top_logprobs": [{"a": -1}, None]}
    text = {"choices": [{"text": "ab", "logprobs": columns, "token_ids": [3, 4]}]}
    assert read_answer(text).choices[0].pieces == (Piece("a", -1.0, -1.0, 3), Piece("b", -9999.0, None, 4))


@pytest.mark.parametrize(
    "logprobs",
    [
        None,
        {},
        "x",
        {"content": None},
        {"content": [{"token": "a", "logprob": None}]},
        {"tokens": ["a"], "token_logprobs": [None]},
        {"tokens": ["a", "b"], "token_logprobs": [-1.0]},
        {"tokens": ["a"], "token_logprobs": [float("nan")]},
    ],
)
def test_what_is_no_log_probability_is_none(logprobs: Any) -> None:
    (choice,) = read_answer({"choices": [{"text": "a", "logprobs": logprobs}]}).choices
    assert choice.pieces is None
    with pytest.raises(BrokenAnswerError, match="lacks log-probabilities"):
        candidate_from(choice, "t", 0, SamplingParams(), ServerFacts("chat", logprobs="raw"), usage=None)


def test_usage_is_read_as_far_as_it_goes() -> None:
    choice = {"text": "x"}
    assert read_answer({"choices": [choice]}).usage is None
    said = {"prompt_tokens": 3, "completion_tokens": None, "cost": 0.5}
    assert read_answer({"choices": [choice], "usage": said}).usage == Usage(3, 0, 0.5)


def test_tokens_that_do_not_spell_the_text_are_kept_without_their_ends() -> None:
    choice = Choice("other", FinishReason.LENGTH, pieces=(Piece("a", -1.0), Piece("b", -2.0)))
    found = candidate_from(choice, "t", 0, SamplingParams(), ServerFacts("chat", logprobs="raw"), usage=None)
    assert (found.logprobs, found.token_ends, found.token_ids) == ((-1.0, -2.0), None, None)


@pytest.mark.parametrize(
    ("body", "message", "field"),
    [
        ('{"error": {"message": "no", "param": "top_k"}}', "no", "top_k"),
        ('{"error": "no"}', "no", ""),
        ('{"detail": "no"}', "no", ""),
        ('{"detail": [{"loc": ["body", "seed"], "msg": "too big"}]}', '[{"loc": ["body", "seed"]', "seed"),
        ('{"message": "no"}', "no", ""),
        ("<html>\n no </html>", "<html> no </html>", ""),
        ("", "", ""),
        ("[1]", "[1]", ""),
        ("x" * 1000, "xxx", ""),
    ],
)
def test_refusals_of_many_servers_are_read(body: str, message: str, field: str) -> None:
    found = refusal_from(400, body)
    assert found.message.startswith(message)
    assert len(found.message) < 500
    assert found.field == field


def test_a_refusal_names_the_fields_that_it_speaks_of() -> None:
    fields = ("n", "top_k", "min_p", "seed", "logprobs", "top_logprobs")
    said = RefusedError(422, "Unexpected fields in the request: {'top_k', 'n'}")
    assert said.names(fields) == ["n", "top_k"]
    assert RefusedError(400, "unknown parameter top_logprobs in n places").names(fields) == ["top_logprobs"]
    assert RefusedError(400, "no", "seed").names(fields) == ["seed"]
