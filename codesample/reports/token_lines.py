"""A candidate's tokens by how likely the model found each: as colours, and as a list of the least likely."""

from __future__ import annotations

import math
from collections.abc import Iterator

from rich.text import Text

from codesample.records import Candidate
from codesample.reports.page_lines import Surface, cut, labelled

__all__ = ["token_lines"]

# probabilities below which a token is coloured; underlines are for terminals without colours
_BANDS = (
    (0.01, "bold underline white on red"),
    (0.1, "underline black on yellow"),
    (0.5, "black on cyan"),
)
_LEAST_LIKELY = 8
_MOST_TOKENS, _MOST_LINES, _MOST_CHARACTERS = 2000, 400, 400


def token_lines(candidate: Candidate, surface: Surface) -> Iterator[Text]:
    """Yield the tokens with their log-probabilities, or why there are none to show."""
    logprobs = candidate.logprobs
    if logprobs is None:
        yield from labelled("tokens", "no log-probabilities were recorded", surface)
        return
    if not logprobs:
        yield from labelled("tokens", "none were drawn", surface)
        return
    if surface.styled:
        yield from _marked(candidate, logprobs, surface)
    else:
        yield from labelled("tokens", "a terminal shows them coloured; here are the least likely", surface)
    yield from labelled("unlikeliest", "", surface)
    order = sorted(range(len(logprobs)), key=lambda at: (logprobs[at], at))
    for at in order[:_LEAST_LIKELY]:
        yield Text(
            f"  {_probability(logprobs[at]):>9}  {logprobs[at]:>9.3f}  {_where(candidate, at, surface)}"
        )


def _marked(candidate: Candidate, logprobs: tuple[float, ...], surface: Surface) -> Iterator[Text]:
    """Yield the text with its tokens coloured, behind what the colours mean."""
    yield from labelled("tokens", "coloured by the model's own probability of each", surface)
    said = Text("  ")
    for number, (bound, style) in enumerate(reversed(_BANDS)):
        said.append("  " if number else "")
        said.append(f"below {bound:.0%}", style=style)
    yield said
    ends = candidate.token_ends
    if ends is not None and len(ends) == len(logprobs):
        yield from _coloured(candidate.completion, logprobs, ends, surface)


def _coloured(
    text: str, logprobs: tuple[float, ...], ends: tuple[int, ...], surface: Surface
) -> Iterator[Text]:
    line, begin, lines = Text("  | "), 0, 0
    for number, (logprob, end) in enumerate(zip(logprobs, ends, strict=True)):
        if number == _MOST_TOKENS or lines >= _MOST_LINES:
            yield Text(f"  ... {len(ends) - number:,} more tokens; all with --json", style="dim")
            return
        style = next((style for bound, style in _BANDS if _of(logprob) < bound), "")
        for place, part in enumerate(text[begin:end].split("\n", _MOST_LINES)):
            if place:
                yield line
                line, lines = Text("  | "), lines + 1
            line.append(surface.safe(cut(part, _MOST_CHARACTERS)).expandtabs(4), style=style)
        begin = max(begin, end)
    if len(line.plain) > len("  | "):
        yield line


def _where(candidate: Candidate, at: int, surface: Surface) -> str:
    ends = candidate.token_ends
    if ends is None or len(ends) <= at:
        token = candidate.token_ids[at] if candidate.token_ids else "unknown"
        return f"token {at}, id {token}"
    begin = ends[at - 1] if at else 0
    text, before = cut(candidate.completion[begin : ends[at]], 40), candidate.completion[:begin]
    line, column = before.count("\n") + 1, begin - (before.rfind("\n") + 1) + 1
    return f"{surface.line(repr(text))} in line {line}, column {column}"


def _of(logprob: float) -> float:
    return math.exp(min(logprob, 0.0)) if not math.isnan(logprob) else 0.0


def _probability(logprob: float) -> str:
    found = _of(logprob)
    return f"{found:.2%}" if found >= 0.0001 else f"{found:.1e}"
