"""A conformance kit for engines: what `codesample.engines.contract.Engine` promises, tried on a real one."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

from codesample.engines.contract import Engine, Reproducibility
from codesample.errors import ModelError, ParameterError
from codesample.records import Candidate, FinishReason, Message, Prompt, Request, SamplingParams
from codesample.records.validation import validated
from codesample.testing.readers import require_confidence, require_readings

__all__ = ["Checked", "DecodeTokens", "check_engine"]

DecodeTokens = Callable[[Prompt, Sequence[int]], str]
"""Gives the text that tokens add behind a prompt."""

_Found = dict[tuple[str, int], Candidate]
_SAME_LOGPROB = 1e-4
_CONVERSATION = (Message("user", "Write a function that adds two numbers."),)


class Checked(NamedTuple):
    """What the kit tried, and what it could not try on this engine and why."""

    tried: tuple[str, ...]
    left_out: dict[str, str]


@validated
def check_engine(
    engine: Engine,
    requests: Sequence[Request],
    params: SamplingParams,
    *,
    decode: DecodeTokens | None = None,
) -> Checked:
    """Try everything that an engine promises.

    Args:
        engine: Under test; of an exact one in a precision in which rounding cannot move a draw.
        requests: Two or more prompts, each with two or more candidates, not all of them of one token.
        params: How tokens are chosen, without stops.
        decode: Gives a text for token ids; without it, texts are not compared with tokens.

    Returns: which checks were carried out, and which were not and why.

    Raises:
        ModelError: a promise is broken; names the engine, the check and the candidate.
    """
    kit = _Kit(engine, tuple(requests), params, decode)
    for name, check in _CHECKS:
        reason = check(kit)
        if reason is None:
            kit.tried.append(name)
        else:
            kit.left_out[name] = reason
    return Checked(tuple(kit.tried), kit.left_out)


class _Interrupted(Exception):
    """Raised in mid-stream, from the caller's side."""


class _Kit:
    """One engine under test and what it gave first."""

    def __init__(
        self,
        engine: Engine,
        requests: tuple[Request, ...],
        params: SamplingParams,
        decode: DecodeTokens | None,
    ) -> None:
        if len(requests) < 2 or any(len(request.indices) < 2 for request in requests) or params.stop:
            raise ParameterError("the kit needs two requests of two candidates each, and no stops")
        self.engine, self.requests, self.params, self.decode = engine, requests, params, decode
        self.prompts = {request.task_id: request.prompt for request in requests}
        self.tried: list[str] = []
        self.left_out: dict[str, str] = {}
        self.first: _Found = {}

    def fail(self, complaint: str) -> ModelError:
        return ModelError(f"engine {getattr(self.engine, 'name', '?')!r}: {complaint}")

    def gather(self, stream: Iterable[Candidate], asked: Sequence[Request]) -> _Found:
        """Read a stream to its end; require every candidate asked for once, and no other."""
        expected = {(request.task_id, index) for request in asked for index in request.indices}
        found: _Found = {}
        for candidate in stream:
            key = (candidate.task_id, candidate.index)
            if key not in expected:
                raise self.fail(f"candidate {key} was never asked for")
            if key in found:
                raise self.fail(f"candidate {key} came twice")
            found[key] = candidate
        if missing := sorted(expected - found.keys()):
            raise self.fail(f"{len(missing)} candidates never came, first {missing[0]}")
        return found

    def draw(self, asked: Sequence[Request], params: SamplingParams | None = None) -> _Found:
        return self.gather(self.engine.stream(asked, params or self.params), asked)

    def require_same(self, found: _Found, when: str) -> None:
        """Require that candidates are those of the first call."""
        for key, candidate in found.items():
            before = self.first[key]
            repeats = self.engine.reproducibility
            same = (candidate.completion, candidate.token_ids) == (before.completion, before.token_ids)
            if not same or not _close(candidate.logprobs, before.logprobs):
                raise self.fail(f"candidate {key} differs {when}, though the engine calls itself {repeats}")


def _states_what_it_is(kit: _Kit) -> str | None:
    engine = kit.engine
    if not isinstance(engine, Engine):
        raise kit.fail(f"{type(engine).__name__} lacks an attribute or method of an engine")
    if not engine.name or not isinstance(engine.abilities, frozenset):
        raise kit.fail(f"name {engine.name!r}, abilities {engine.abilities!r}: expected text and a frozenset")
    if engine.reproducibility not in set(Reproducibility):
        raise kit.fail(f"reproducibility {engine.reproducibility!r}; one of {', '.join(Reproducibility)}")
    try:
        json.dumps(engine.describe())
    except (TypeError, ValueError) as error:
        raise kit.fail(f"describe() is no plain JSON data: {error}") from error
    return None


def _every_candidate_once(kit: _Kit) -> str | None:
    kit.first = kit.draw(kit.requests)
    if list(kit.engine.stream((), kit.params)):
        raise kit.fail("candidates came though none were asked for")
    return None


def _lengths(kit: _Kit) -> str | None:
    limit, promised = kit.params.token_limit, "logprobs" in kit.engine.abilities
    for key, each in kit.first.items():
        if each.token_ids is not None and len(each.token_ids) > limit:
            raise kit.fail(
                f"candidate {key} has {len(each.token_ids)} tokens; at most {limit} were asked for"
            )
        if promised and each.logprobs is None:
            raise kit.fail(f"candidate {key} has no log-probabilities, which the engine says it gives")
        for name in ("logprobs", "sampled_logprobs"):
            values = getattr(each, name)
            if values is None:
                continue
            if each.token_ids is not None and len(values) != len(each.token_ids):
                raise kit.fail(f"candidate {key}: {len(values)} {name} for {len(each.token_ids)} tokens")
            if any(math.isnan(value) or value > _SAME_LOGPROB for value in values):
                raise kit.fail(f"candidate {key}: {name} hold what is no log-probability")
        _require_ends(kit, each)
    return None


def _require_ends(kit: _Kit, each: Candidate) -> None:
    """Require that the ends of tokens, where there are any, lead through the text to its end."""
    key, ends = (each.task_id, each.index), each.token_ends
    if ends is None:
        return
    if each.token_ids is not None and len(ends) != len(each.token_ids):
        raise kit.fail(f"candidate {key}: {len(ends)} token_ends for {len(each.token_ids)} tokens")
    if any(end < before for before, end in pairwise((0, *ends))):
        raise kit.fail(f"candidate {key}: token_ends go back: {ends}")
    if ends and ends[-1] != len(each.completion):
        raise kit.fail(
            f"candidate {key}: token_ends lead to {ends[-1]}, its text to {len(each.completion)} characters"
        )


def _text_is_decoded_tokens(kit: _Kit) -> str | None:
    if kit.decode is None:
        return "no decode function was given"
    for key, each in kit.first.items():
        if each.token_ids is None:
            return "candidates carry no token ids"
        text = kit.decode(kit.prompts[each.task_id], each.token_ids)
        if text != each.completion:
            raise kit.fail(f"candidate {key}: its tokens decode to {text!r}, its text is {each.completion!r}")
        for count, end in enumerate(each.token_ends or (), 1):
            text = kit.decode(kit.prompts[each.task_id], each.token_ids[:count])
            if not text.startswith(each.completion[:end]):
                raise kit.fail(
                    f"candidate {key}: {count} tokens decode to {text!r}, and token_ends say {end}"
                )
    return None


def _stops(kit: _Kit) -> str | None:
    longest = max(kit.first.values(), key=lambda each: len(each.completion))
    text = longest.completion
    if len(text) < 3:
        return "every candidate is shorter than three characters"
    stop = text[len(text) // 2 : len(text) // 2 + 2]
    try:
        found = kit.draw(kit.requests, replace(kit.params, stop=(stop,)))
    except ParameterError as refusal:
        return f"the engine refuses stops: {refusal}"
    for key, each in found.items():
        if stop in each.completion:
            raise kit.fail(f"candidate {key} goes on past the stop {stop!r}: {each.completion!r}")
        if (each.finish_reason is FinishReason.STOP) != (each.stop is not None):
            raise kit.fail(f"candidate {key}: stop {each.stop!r} with finish reason {each.finish_reason}")
        _require_ends(kit, each)
        if kit.engine.reproducibility is Reproducibility.EXACT:
            whole = kit.first[key].completion
            if each.completion != whole.partition(stop)[0]:
                raise kit.fail(f"candidate {key} is {each.completion!r}, expected {whole!r} up to {stop!r}")
    if found[longest.task_id, longest.index].stop != stop and (
        kit.engine.reproducibility is Reproducibility.EXACT
    ):
        raise kit.fail(f"the candidate that holds the stop {stop!r} does not name it")
    return None


def _repeats(kit: _Kit) -> str | None:
    if kit.engine.reproducibility is Reproducibility.NONE:
        return "the engine does not claim to repeat itself"
    kit.require_same(kit.draw(kit.requests), "when the same call is repeated")
    return None


def _prefix_property(kit: _Kit) -> str | None:
    if kit.engine.reproducibility is not Reproducibility.EXACT:
        return "the engine does not claim to be exact"
    for request in kit.requests:
        for part in ((request.indices[-1],), request.indices[:-1], tuple(reversed(request.indices))):
            asked = (replace(request, indices=part),)
            kit.require_same(kit.draw(asked), f"when {part} of {request.task_id!r} are asked for alone")
    kit.require_same(kit.draw(kit.requests[::-1]), "when the prompts come in another order")
    return None


def _cancelling(kit: _Kit) -> str | None:
    stream = kit.engine.stream(kit.requests, kit.params)
    delivered = next(iter(stream))
    close = getattr(stream, "close", None)
    if close is None:
        return "its streams cannot be closed"
    close()
    if next(iter(stream), None) is not None:
        raise kit.fail("a closed stream goes on")
    again = kit.draw(kit.requests)
    if kit.engine.reproducibility is Reproducibility.EXACT:
        kit.require_same(again, "after a stream was cancelled")
        kit.require_same({(delivered.task_id, delivered.index): delivered}, "where its stream was cancelled")
    return None


def _an_error_in_mid_stream(kit: _Kit) -> str | None:
    calls = 0

    def interrupt(tokens: int) -> None:
        nonlocal calls
        calls += 1
        # late enough that something may have been delivered
        if calls == 2:
            raise _Interrupted

    delivered: _Found = {}
    try:
        for candidate in kit.engine.stream(kit.requests, kit.params, progress=interrupt):
            delivered[candidate.task_id, candidate.index] = candidate
    except _Interrupted:
        pass
    else:
        if calls >= 2:
            raise kit.fail("an error raised in mid-stream was swallowed")
        return "it reports no progress, so no error can be raised in mid-stream"
    again = kit.draw(kit.requests)
    if kit.engine.reproducibility is Reproducibility.EXACT:
        kit.require_same(delivered, "where an error followed it")
        kit.require_same(again, "after an error in mid-stream")
    return None


def _bad_requests(kit: _Kit) -> str | None:
    good = kit.requests[0]
    for what, indices in (("an index asked for twice", (0, 0)), ("an index below 0", (0, -1))):
        try:
            came = list(kit.engine.stream((replace(good, indices=indices),), kit.params))
        except ParameterError:
            continue
        raise kit.fail(f"{what} is not refused with a ParameterError; {len(came)} candidates came")
    return None


def _messages(kit: _Kit) -> str | None:
    asked = replace(kit.requests[0], prompt=_CONVERSATION)
    if "chat" not in kit.engine.abilities:
        try:
            came = {(each.task_id, each.index): each for each in kit.engine.stream((asked,), kit.params)}
        except ParameterError:
            return None
        if came == {key: each for key, each in kit.first.items() if key[0] == asked.task_id}:
            return "the engine gives the same whatever the prompt"
        raise kit.fail("it takes messages, and its abilities lack 'chat'")
    found = kit.draw((asked,))
    for each in found.values():
        _require_ends(kit, each)
    if kit.engine.reproducibility is Reproducibility.EXACT:
        # side by side with texts
        among = kit.draw((asked, *kit.requests[1:]))
        for key, each in found.items():
            if (each.completion, each.token_ids) != (among[key].completion, among[key].token_ids):
                raise kit.fail(f"candidate {key} of messages differs when texts are asked for beside them")
    return None


def _confidence(kit: _Kit) -> str | None:
    return require_confidence(kit.engine, kit.requests, kit.params, kit.first)


def _given_text(kit: _Kit) -> str | None:
    return require_readings(kit.engine, kit.prompts, kit.first)


_CHECKS: tuple[tuple[str, Callable[[_Kit], str | None]], ...] = (
    ("states what it is", _states_what_it_is),
    ("every candidate once", _every_candidate_once),
    ("lengths", _lengths),
    ("text is decoded tokens", _text_is_decoded_tokens),
    ("stops", _stops),
    ("repeats", _repeats),
    ("prefix property", _prefix_property),
    ("cancelling", _cancelling),
    ("an error in mid-stream", _an_error_in_mid_stream),
    ("bad requests", _bad_requests),
    ("messages", _messages),
    ("confidence", _confidence),
    ("given text", _given_text),
)


def _close(first: Sequence[float] | None, second: Sequence[float] | None) -> bool:
    if first is None or second is None:
        return first is second
    return len(first) == len(second) and all(
        abs(one - other) <= _SAME_LOGPROB for one, other in zip(first, second, strict=True)
    )
