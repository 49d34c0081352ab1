"""Records print as a line: which one, and the beginning of what it holds."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codesample.records import (
    CallExample,
    Candidate,
    CodeTests,
    FinishReason,
    Problem,
    PublicView,
    Status,
    Verdict,
)
from codesample.records.short import short
from codesample.rerankers.context import Context
from codesample.rerankers.contract import Reranker

LONG = "def f(x):\n    return x\n" * 100
CANDIDATE = Candidate("t/0", 3, LONG, tuple(range(500)), (-0.5,) * 500, finish_reason=FinishReason.EOS)


def test_a_candidate_of_many_tokens_is_a_line() -> None:
    assert repr(CANDIDATE) == f"Candidate('t/0', 3, {LONG[:40]!r}..., 500 tokens, eos)"
    assert repr(Candidate("t/0", 3, "x")) == "Candidate('t/0', 3, 'x')"


def test_a_verdict_and_a_problem_are_a_line_each() -> None:
    verdict = Verdict("t/0", 3, Status.WRONG, detail="got 1, expected 2", checks=(True, False, True))
    assert repr(verdict) == "Verdict('t/0', 3, wrong, 'got 1, expected 2', 2 of 3 checks held)"
    assert repr(Verdict("t/0", 3, Status.PASSED)) == "Verdict('t/0', 3, passed)"
    problem = Problem(
        "t/0", LONG, CodeTests(source="assert f(1) == SECRET"), examples=(CallExample("f(1)", "1"),)
    )
    assert repr(problem) == f"Problem('t/0', {LONG[:40]!r}..., CodeTests, examples: 1)"
    assert "SECRET" not in repr(problem)


@given(st.text(st.characters(codec=None), max_size=60))
def test_any_text_is_one_printable_line(text: str) -> None:
    for shown in (short(text), repr(replace(CANDIDATE, completion=text))):
        assert shown.isprintable()
    assert len(short(text)) <= 10 * 40 + 5


@pytest.mark.parametrize("odd", [None, 3, b"x", ["a"]])
def test_what_is_no_text_is_told_by_its_type(odd: object) -> None:
    candidate = replace(CANDIDATE)
    object.__setattr__(candidate, "completion", odd)
    assert repr(candidate).startswith("Candidate('t/0', 3, ")


def test_candidates_whose_numbers_are_hidden_print_like_others() -> None:
    seen: list[str] = []

    def look(view: PublicView, candidates: list[Candidate], ctx: Context) -> list[None]:
        seen.extend(map(repr, candidates))
        return [None]

    view = PublicView("t", "t/0", "p", "p", None, ())
    for needs in (set(), {"logprobs"}, {"confidence"}):
        Reranker("r", look, needs=needs).score(view, [CANDIDATE], Context(view, seed=0))  # type: ignore[arg-type]
    assert seen == [repr(CANDIDATE)] * 3
