"""Reads what servers answer: choices with their texts, tokens and reasons, in both forms that are about."""

from __future__ import annotations

import codecs
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from codesample.records import FinishReason, Usage
from codesample.servers.refusals import BrokenAnswerError

__all__ = ["Answer", "Choice", "Piece", "read_answer"]

_REASONS = {
    "stop": FinishReason.EOS,
    "eos": FinishReason.EOS,
    "eos_token": FinishReason.EOS,
    "end_turn": FinishReason.EOS,
    "stop_sequence": FinishReason.EOS,
    "length": FinishReason.LENGTH,
    "max_tokens": FinishReason.LENGTH,
    "content_filter": FinishReason.CONTENT_FILTER,
}
# reasons of answers that came to no end of their own
_BROKEN = {"abort", "error"}


@dataclass(frozen=True, slots=True)
class Piece:
    """One token as a server tells of it.

    Attributes:
        text: What it adds; "" where it completes no character.
        logprob: Its log-probability.
        top: That of the likeliest token at its place, where the server says it.
        token_id: Its number, likewise.
    """

    text: str
    logprob: float
    top: float | None = None
    token_id: int | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """One continuation as a server tells of it.

    Attributes:
        text: The answer, without reasoning that the server keeps apart.
        reason: Why it ended: EOS for a stop string, too. None where the server gives another reason.
        stop: The stop string that the server names.
        pieces: Its tokens, those of reasoning and of what is cut off included; None where there are none.
        reasoning: What the server keeps apart of it.
    """

    text: str
    reason: FinishReason | None
    stop: str | None = None
    pieces: tuple[Piece, ...] | None = None
    reasoning: str = ""

    @property
    def whole(self) -> str:
        """All that was written; of a short answer, reasoning may be all."""
        return self.reasoning + self.text


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer: its choices, in their order, and what the server says that it took."""

    choices: tuple[Choice, ...]
    usage: Usage | None = None


def read_answer(content: Mapping[str, Any]) -> Answer:
    """Read an answer of either endpoint.

    Raises:
        BrokenAnswerError: it holds no choices, or one without text, or one that the server broke off.
    """
    given = content.get("choices")
    if not isinstance(given, list) or not given or not all(isinstance(each, dict) for each in given):
        raise BrokenAnswerError(f"the answer has no choices; fields: {', '.join(sorted(content)) or 'none'}")
    ordered = sorted(given, key=lambda each: each.get("index") or 0)
    told = content.get("__verbose")
    if len(ordered) == 1 and isinstance(told, dict):
        # llama.cpp's server tells of the one choice beside it
        ordered = [{**ordered[0], "stopping_word": told.get("stopping_word")}]
    return Answer(tuple(map(_choice, ordered)), _usage(content.get("usage")))


def _choice(given: Mapping[str, Any]) -> Choice:
    message = given.get("message")
    said = given.get("finish_reason")
    if said in _BROKEN:
        raise BrokenAnswerError(f"the server broke the answer off: finish_reason {said!r}")
    reasoning = ""
    if isinstance(message, dict):
        text = _content(message.get("content")) or _content(message.get("refusal")) or ""
        reasoning = _content(message.get("reasoning_content") or message.get("reasoning")) or ""
    elif isinstance(given.get("text"), str):
        text = given["text"]
    else:
        raise BrokenAnswerError(f"a choice holds no text; fields: {', '.join(sorted(given)) or 'none'}")
    stops = (given.get(name) for name in ("stop_reason", "matched_stop", "stopping_word"))
    return Choice(
        text=text,
        reason=_REASONS.get(said) if isinstance(said, str) else None,
        # numbers are those of tokens that end a turn
        stop=next((each for each in stops if isinstance(each, str) and each), None),
        pieces=_pieces(given),
        reasoning=reasoning,
    )


def _content(given: Any) -> str | None:
    """Return a message's text, which may be given in parts."""
    if isinstance(given, list):
        return "".join(part["text"] for part in given if isinstance(part, dict) and "text" in part)
    return given if isinstance(given, str) else None


def _pieces(given: Mapping[str, Any]) -> tuple[Piece, ...] | None:
    found = given.get("logprobs")
    if not isinstance(found, dict):
        return None
    content = found.get("content")
    pieces = _of_chat(content) if isinstance(content, list) else _of_completions(found)
    ids = given.get("token_ids")
    if pieces is None or not isinstance(ids, list) or len(ids) != len(pieces):
        return pieces
    return tuple(
        Piece(each.text, each.logprob, each.top, int(number))
        for each, number in zip(pieces, ids, strict=True)
    )


def _of_chat(content: Sequence[Any]) -> tuple[Piece, ...] | None:
    """Read tokens with their bytes: a character belongs to the token that completes it."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    pieces = []
    for each in content:
        logprob = each.get("logprob") if isinstance(each, dict) else None
        if not isinstance(logprob, int | float) or math.isnan(logprob):
            return None
        raw = each.get("bytes")
        text = decoder.decode(bytes(raw)) if isinstance(raw, list) else str(each.get("token", ""))
        tops = [top.get("logprob") for top in each.get("top_logprobs") or () if isinstance(top, dict)]
        number = each.get("id")
        pieces.append(
            Piece(
                text,
                float(logprob),
                _largest(tops),
                number if isinstance(number, int) and number >= 0 else None,
            )
        )
    return tuple(pieces)


def _of_completions(found: Mapping[str, Any]) -> tuple[Piece, ...] | None:
    texts, logprobs = found.get("tokens"), found.get("token_logprobs")
    if not isinstance(texts, list) or not isinstance(logprobs, list) or len(texts) != len(logprobs):
        return None
    if not all(isinstance(each, int | float) and not math.isnan(each) for each in logprobs):
        return None
    tops = found.get("top_logprobs") or [None] * len(texts)
    return tuple(
        Piece(str(text), float(logprob), _largest((top or {}).values()))
        for text, logprob, top in zip(texts, logprobs, tops, strict=False)
    )


def _largest(values: Any) -> float | None:
    return max((float(each) for each in values if isinstance(each, int | float)), default=None)


def _usage(given: Any) -> Usage | None:
    if not isinstance(given, dict):
        return None
    cost = given.get("cost")
    return Usage(
        prompt_tokens=_count(given.get("prompt_tokens")),
        completion_tokens=_count(given.get("completion_tokens")),
        cost=float(cost) if isinstance(cost, int | float) and math.isfinite(cost) else None,
    )


def _count(given: Any) -> int:
    return given if isinstance(given, int) and given >= 0 else 0
