"""Tokens by how likely the model found them."""

from __future__ import annotations

import math
from dataclasses import replace

from codesample.records import Candidate
from codesample.reports.page_lines import Surface
from codesample.reports.token_lines import token_lines

CANDIDATE = Candidate(
    "t/0",
    0,
    "a = 1\nb",
    token_ids=(7, 8, 9, 10),
    logprobs=(-0.01, -3.0, -6.0, -1.0),
    token_ends=(1, 5, 6, 7),
)


def page(candidate: Candidate) -> list[str]:
    return [line.plain for line in token_lines(candidate, Surface())]


def test_tokens_are_coloured_by_their_probability() -> None:
    lines = {line.plain: line for line in token_lines(CANDIDATE, Surface())}
    line = lines["  | a = 1"]
    styled = {line.plain[span.start : span.end]: str(span.style) for span in line.spans}
    # exp(-3) is below 10 %, the first token is sure
    assert styled == {" = 1": "underline black on yellow"}
    assert [str(span.style) for span in lines["  | b"].spans] == ["black on cyan"]


def test_the_least_likely_are_listed_with_their_places() -> None:
    lines = page(CANDIDATE)
    start = lines.index(next(line for line in lines if line.startswith("unlikeliest")))
    assert lines[start + 1].split() == ["0.25%", "-6.000", r"'\n'", "in", "line", "1,", "column", "6"]
    assert lines[start + 2].split()[:2] == ["4.98%", "-3.000"]
    assert lines[start + 3].endswith("'b' in line 2, column 1")


def test_tokens_of_unknown_places_are_listed_by_their_ids() -> None:
    lines = page(replace(CANDIDATE, token_ends=None))
    assert not any(line.startswith("  | ") for line in lines)
    assert any(line.endswith("token 2, id 9") for line in lines)


def test_without_numbers_that_is_said() -> None:
    assert page(replace(CANDIDATE, logprobs=None)) == ["tokens      no log-probabilities were recorded"]
    assert page(replace(CANDIDATE, logprobs=(), token_ends=(), token_ids=())) == [
        "tokens      none were drawn"
    ]


def test_odd_numbers_and_characters_are_shown() -> None:
    odd = replace(
        CANDIDATE, completion="\x1b[2J", logprobs=(-math.inf, math.nan), token_ends=(1, 4), token_ids=(1, 2)
    )
    lines = page(odd)
    assert "  | <U+001B>[2J" in lines
    assert all(line.isprintable() for line in lines)
