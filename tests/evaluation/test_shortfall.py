"""Why a reranker falls below random."""

from __future__ import annotations

from dataclasses import replace

from codesample.evaluation.shortfall import why_below_random
from codesample.records import FinishReason, Status

MARKS = dict.fromkeys((1, 2, 3, 5), "110")
LAST = {f"adding/{addend}": [0.0, 0.0, 1.0] for addend in MARKS}


def pools(made_contents, *, candidate: dict[str, object], verdict: dict[str, object] | None = None):
    """Make pools whose last candidate, which fails and is chosen, differs from the others."""
    return [
        replace(
            pool,
            candidates=(*pool.candidates[:2], replace(pool.candidates[2], **candidate)),
            verdicts=(*pool.verdicts[:2], replace(pool.verdicts[2], **(verdict or {}))),
        )
        for pool in made_contents(MARKS).pools
    ]


def test_choices_that_are_longer_or_shorter_are_named_with_figures(made_contents) -> None:
    said = why_below_random(pools(made_contents, candidate={"program": "x" * 302}), LAST)
    # two programs of 2 characters and the long one, 102 on average
    assert "its choices are longer (302 against 102 characters)" in said
    assert "shorter" in why_below_random(pools(made_contents, candidate={"program": ""}), LAST)


def test_cut_off_raising_and_slow_choices_are_named_as_shares(made_contents) -> None:
    cut = pools(made_contents, candidate={"finish_reason": FinishReason.LENGTH})
    assert "more often answers that reached the token limit (100 % against 33 %)" in why_below_random(
        cut, LAST
    )
    raising = pools(made_contents, candidate={}, verdict={"status": Status.ERROR})
    assert "more often programs that raise (100 % against 33 %)" in why_below_random(raising, LAST)
    slow = pools(made_contents, candidate={}, verdict={"status": Status.CPU_TIMEOUT})
    assert "more often programs that run out of time" in why_below_random(slow, LAST)


def test_without_a_trait_the_problems_alone_are_named_worst_first(made_contents) -> None:
    marks = {1: "110", 2: "100", 3: "000", 5: "110"}
    contents = made_contents(marks)
    said = why_below_random(contents.pools, LAST)
    # no pair of the first and the last problem is ordered rightly, and half a tie of two pairs of the second
    assert said.startswith(
        "a wrong candidate outranks a right one in 92 % of a problem's pairs, and its choice is worse than "
        "chance on 3 of 4 problems; it loses most on "
    )
    assert said.endswith("adding/1, adding/5, adding/2")
