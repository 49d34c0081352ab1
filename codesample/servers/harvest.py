"""Makes a candidate of a server's answer: cut before the first stop, with what is known of its tokens."""

from __future__ import annotations

from dataclasses import dataclass

from codesample.records import Candidate, FinishReason, SamplingParams, Usage
from codesample.servers.alignment import ends_in, start_of, stop_behind
from codesample.servers.answer import Choice, Piece
from codesample.servers.refusals import BrokenAnswerError
from codesample.servers.server_facts import ServerFacts

__all__ = ["Ending", "candidate_from", "ending_of"]


@dataclass(frozen=True, slots=True)
class Ending:
    """How a text ends: how much of it is kept, why it ends there, and before which stop."""

    length: int
    reason: FinishReason | None
    stop: str | None = None


def candidate_from(
    choice: Choice,
    task_id: str,
    index: int,
    params: SamplingParams,
    facts: ServerFacts,
    *,
    usage: Usage | None,
) -> Candidate:
    """Return the candidate that a choice is.

    Raises:
        BrokenAnswerError: the choice lacks log-probabilities, which the server gave when it was probed.
    """
    if facts.gives_logprobs and choice.pieces is None:
        raise BrokenAnswerError("the answer lacks log-probabilities, which the server gave before")
    ending = ending_of(choice, params.stop, names_stops=facts.names_stops)
    pieces, ends = _tokens(choice, ending)
    logprobs = None if pieces is None else tuple(each.logprob for each in pieces)
    # drawn from the model's own distribution, both are one
    plain = _draws_from_the_model(params)
    numbers = None if pieces is None else [each.token_id for each in pieces]
    known = [number for number in numbers or () if number is not None]
    return Candidate(
        task_id,
        index,
        choice.text[: ending.length],
        token_ids=tuple(known) if numbers is not None and len(known) == len(numbers) else None,
        logprobs=logprobs if facts.logprobs == "raw" or (plain and facts.gives_logprobs) else None,
        sampled_logprobs=logprobs
        if facts.logprobs == "processed" or (plain and facts.gives_logprobs)
        else None,
        finish_reason=ending.reason,
        stop=ending.stop,
        token_ends=ends,
        usage=usage,
    )


def ending_of(choice: Choice, stops: tuple[str, ...], *, names_stops: bool) -> Ending:
    """Say where a choice ends, whether or not its server saw to stops.

    Args:
        stops: Those that were asked for.
        names_stops: Whether the server tells a stop from a model's own end. Of one that does not, nobody
            knows which it was where stops were asked for, and the reason is None.
    """
    text = choice.text
    found = [(at, number) for number, each in enumerate(stops) if (at := text.find(each)) >= 0]
    if found:
        at, number = min(found)
        return Ending(at, FinishReason.STOP, stops[number])
    if choice.reason is not FinishReason.EOS or not stops:
        return Ending(len(text), choice.reason)
    named = choice.stop if choice.stop in stops else None
    if named is None and choice.pieces is not None:
        spelt = [piece.text for piece in choice.pieces]
        named = stop_behind(text, spelt[start_of(text, spelt) if choice.reasoning else 0 :], stops)
    if named is not None:
        return Ending(len(text), FinishReason.STOP, named)
    return Ending(len(text), FinishReason.EOS if names_stops else None)


def _tokens(choice: Choice, ending: Ending) -> tuple[tuple[Piece, ...] | None, tuple[int, ...] | None]:
    """Return the tokens of the text that is kept, with their ends; all of them where no ends can be told.

    None where some are lacking: llama.cpp's server takes as many off the end as the stop that was found has
    tokens by itself, however many it was drawn in.
    """
    if choice.pieces is None:
        return None, None
    pieces = choice.pieces
    if choice.reasoning:
        pieces = pieces[start_of(choice.text, [each.text for each in pieces]) :]
    ends = ends_in(choice.text, [each.text for each in pieces])
    if ends is None:
        spelt = "".join(each.text for each in pieces)
        cut = len(spelt) < ending.length and choice.text.startswith(spelt)
        return (None, None) if cut and ending.reason is FinishReason.STOP else (pieces, None)
    kept = _kept(ends, ending)
    return pieces[:kept], tuple(min(end, ending.length) for end in ends[:kept])


def _kept(ends: tuple[int, ...], ending: Ending) -> int:
    """Return how many tokens make the text: those up to the last that adds to it, or all that were drawn."""
    if ending.reason is FinishReason.LENGTH:
        return len(ends)
    before = 0
    kept = 0
    for number, end in enumerate(ends, 1):
        if before < ending.length and end > before:
            kept = number
        before = end
    return kept


def _draws_from_the_model(params: SamplingParams) -> bool:
    return (
        params.temperature == 1
        and params.top_p == 1
        and params.top_k == 0
        and params.min_p == 0
        and params.repetition_penalty == 1
        and params.frequency_penalty == 0
        and not params.logit_bias
    )
