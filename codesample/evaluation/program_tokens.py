"""What rerankers see of candidates' tokens: those of the programs, and equal numbers of equal ones."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import replace

from codesample.records import Candidate

__all__ = ["of_programs"]

# nats; the rounding of single precision is about 1e-5, of bfloat16 about 1e-2
_ROUNDING = 0.05
_Tokens = tuple[int, ...]


def of_programs(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Return candidates with the tokens alone that their programs were made of.

    What a model gives for a token differs by rounding with the batch that it was drawn in, by about 1e-5, and
    would tell programs apart that are the same. Those that were drawn by the same tokens, up to the
    program's end, have the numbers of the one among them with the lowest index; where log-probabilities are
    more than 0.05 nats apart at a token, which no rounding of a model does, each keeps its own.

    Args:
        candidates: Whole ones, of one prompt.
    """
    first: dict[tuple[_Tokens, _Tokens], Candidate] = {}
    found: dict[int, Candidate] = {}
    for at in sorted(range(len(candidates)), key=lambda at: candidates[at].index):
        kept = candidates[at].within(candidates[at].spans)
        if kept.token_ids:
            equal = first.setdefault((_drawn_by(candidates[at]), kept.token_ids), kept)
            kept = _with_numbers(kept, equal) if _is_near(kept.logprobs, equal.logprobs) else kept
        found[at] = kept
    return [found[at] for at in range(len(candidates))]


def _drawn_by(candidate: Candidate) -> _Tokens:
    """Return the tokens up to the program's end, on which what is known of its own depends."""
    ids, ends = candidate.token_ids or (), candidate.token_ends
    if not candidate.spans or ends is None:
        return ids
    return ids[: bisect_left(ends, candidate.spans[-1][1]) + 1]


def _is_near(ours: Sequence[float] | None, theirs: Sequence[float] | None) -> bool:
    if ours is None or theirs is None:
        return False
    return all(abs(one - other) <= _ROUNDING for one, other in zip(ours, theirs, strict=True))


def _with_numbers(candidate: Candidate, equal: Candidate) -> Candidate:
    return replace(
        candidate,
        logprobs=equal.logprobs or candidate.logprobs,
        sampled_logprobs=equal.sampled_logprobs or candidate.sampled_logprobs,
        certainties=equal.certainties or candidate.certainties,
        confidences=equal.confidences or candidate.confidences,
    )
