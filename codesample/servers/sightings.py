"""What answers of a probe show: each fact from the texts and tokens that tell it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

from codesample.servers.answer import Answer, Choice, Piece
from codesample.servers.harvest import ending_of

__all__ = [
    "choices_fact",
    "limit_fact",
    "logprobs_fact",
    "middle",
    "seed_fact",
    "stop_facts",
    "temperature_fact",
]

# log-probabilities of one token that differ by less are one, computed in low precision
_SAME = 0.1
# a likelier token than this is as likely at any temperature
_CERTAIN = -0.2
# characters that two greedy texts share beyond what drawn ones do, where rounding parted them
_SHARED = 8


def choices_fact(first: Answer, *, asked: int, refused: bool) -> str:
    """Say what became of `n`, by the answer to it."""
    if refused:
        return "refused"
    if len(first.choices) < asked:
        return "ignored"
    return "equal" if len({each.whole for each in first.choices}) == 1 else "honoured"


def limit_fact(first: Answer, *, asked: int) -> str:
    """Say what became of the limit of tokens, as far as the server says how many it drew."""
    drawn = max((len(each.pieces) for each in first.choices if each.pieces is not None), default=0)
    if first.usage is not None:
        drawn = max(drawn, first.usage.completion_tokens // len(first.choices))
    # some count the end of a turn, or reasoning apart from the answer
    return "unclear" if not drawn else "honoured" if drawn <= 2 * asked else "ignored"


def logprobs_fact(alone: Choice, cool: Choice, *, refused: bool) -> str:
    """Say what log-probabilities are of, by those of one place at temperatures 1 and 0.5.

    The model's own are the same at both; those of the distribution drawn from are not.
    """
    if refused:
        return "refused"
    if not alone.pieces or not cool.pieces:
        return "ignored"
    warm_top, cool_top = _least_certain(alone.pieces, cool.pieces)
    if warm_top > _CERTAIN:
        return "unclear"
    return "raw" if abs(warm_top - cool_top) <= _SAME else "processed"


def _least_certain(warm: Sequence[Piece], cool: Sequence[Piece]) -> tuple[float, float]:
    """Return what two texts say of the likeliest token at one place, behind the same tokens."""
    tops = [(0.0, 0.0)]
    for one, other in zip(warm, cool, strict=False):
        if one.top is not None and other.top is not None:
            tops.append((one.top, other.top))
        if one.text != other.text:
            break
    return min(tops)


def seed_fact(alone: str, later: str, beside: Sequence[str], other: str, *, refused: bool) -> str:
    """Say what became of seeds.

    Args:
        alone, later: Texts of one seed, with nothing else under way.
        beside: Texts of that seed, with other requests under way.
        other: The text of another seed.
    """
    if refused:
        return "refused"
    if later != alone or other == alone:
        return "ignored"
    return "honoured" if all(each == alone for each in beside) else "alone"


def temperature_fact(drawn: Sequence[str], greedy: Sequence[str], *, refused: bool) -> str:
    """Say what became of temperatures, by texts that were drawn at 1 and two texts of temperature 0."""
    if refused:
        return "refused"
    one, two = greedy
    if len(set(drawn)) == 1:
        # nothing was drawn; where 0 gives another text, or reasoning is hidden, nobody knows what was
        return "greedy" if set(drawn) == {one} and one else "unclear"
    shared = max(_common(*pair) for pair in combinations(set(drawn), 2))
    repeats = one == two or _common(one, two) >= shared + _SHARED
    return "honoured" if repeats else "sampled"


def middle(text: str) -> str:
    """Return a part of a text that does not stand at its beginning, to stop it by; "" where there is none."""
    at = len(text) // 2
    return next((part for end in (2, 1) if (part := text[at : at + end]) and text.find(part) > 0), "")


def stop_facts(greedy: str, stopped: Choice, part: str) -> tuple[str, bool]:
    """Say what became of a stop string that is a part of the greedy text, and whether it was named."""
    before = greedy.partition(part)[0]
    if stopped.text == before:
        named = ending_of(stopped, (part,), names_stops=False).stop == part
        return "trimmed", named
    if part not in stopped.text:
        return "unclear", False
    ended = len(stopped.text) < len(greedy)
    return ("kept" if ended else "ignored"), True


def _common(one: str, two: str) -> int:
    return next(
        (at for at, (left, right) in enumerate(zip(one, two, strict=False)) if left != right),
        min(len(one), len(two)),
    )
