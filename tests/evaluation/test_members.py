"""What composed rerankers are made of, and which member decided."""

from __future__ import annotations

import pytest

from codesample.evaluation.members import (
    Decision,
    Kept,
    decided_by,
    is_ranked,
    keeps_some,
    left_out_by,
    members_of,
)

ROWS = {"a": [1.0, 1.0, 0.0], "b": [2.0, 3.0, None], "c": [5.0, 5.0, 5.0]}


@pytest.mark.parametrize(
    ("name", "members", "ranked"),
    [
        ("a", [], False),
        ("a(window=2)", [], False),
        ("my file.py:score", [], False),
        ("a,b", ["a", "b"], True),
        ("a | b,a", ["a", "b"], True),
        ("0.5*z(a) + b", ["a", "b"], False),
        ("z(a),b(k=3)", ["a", "b(k=3)"], True),
    ],
)
def test_members_are_the_rerankers_in_a_name(name: str, members: list[str], ranked: bool) -> None:
    assert members_of(name) == members
    assert is_ranked(name) is ranked


@pytest.mark.parametrize(
    ("name", "ahead", "behind", "expected"),
    [
        ("a,b", 1, 0, Decision("b", (3.0, 2.0))),
        ("a,b", 0, 2, Decision("a", (1.0, 0.0))),
        ("c,b", 0, 2, Decision("b", (2.0, None))),
        ("a | b", 0, 2, Decision("a", (1.0, 0.0))),
        # of those that a kept, b saw no others: what it gives all candidates may not be what decided
        ("a | b", 1, 0, Decision("b", None, (Kept("a", 2, 3),))),
        ("c | a,b", 1, 0, Decision("b", (3.0, 2.0))),
        # nobody knows what x gave
        ("x,b", 1, 0, None),
        ("a,x", 1, 0, Decision("x", None)),
        ("c,a + b", 1, 0, Decision("a + b", None)),
        ("b", 1, 0, None),
        ("a + b", 1, 0, None),
    ],
)
def test_the_first_member_that_tells_two_candidates_apart_decides(
    name: str, ahead: int, behind: int, expected: Decision | None
) -> None:
    assert decided_by(name, ROWS, ahead, behind) == expected


@pytest.mark.parametrize(
    ("name", "gave", "ahead", "behind", "expected"),
    [
        # over all candidates b prefers 1; of those that a kept, it preferred 0
        (
            "a | b",
            {"a": {0: 1.0, 1: 1.0, 2: 0.0}, "b": {0: 3.5, 1: 3.0}},
            0,
            1,
            Decision("b", (3.5, 3.0), (Kept("a", 2, 3),)),
        ),
        (
            "a | c,b",
            {"a": {0: 1.0, 1: 1.0, 2: 0.0}, "c": {0: 5.0, 1: 5.0}, "b": {0: 3.5, 1: None}},
            0,
            1,
            Decision("b", (3.5, None), (Kept("a", 2, 3),)),
        ),
        # a candidate that was left out was not asked about
        ("a | b", {"a": {0: 1.0, 1: 1.0, 2: 0.0}, "b": {0: 3.5}}, 0, 2, Decision("a", (1.0, 0.0))),
    ],
)
def test_what_members_gave_within_a_composition_tells_who_decided(
    name: str, gave: dict[str, dict[int, float | None]], ahead: int, behind: int, expected: Decision
) -> None:
    assert decided_by(name, ROWS, ahead, behind, gave=gave) == expected


def test_members_behind_a_filter_see_only_what_it_keeps() -> None:
    assert [keeps_some(name) for name in ("a | b", "0.5*z((a | b)) + c", "a,b", "a")] == [
        True,
        True,
        False,
        False,
    ]


@pytest.mark.parametrize(
    ("name", "gave", "expected"),
    [
        ("a | b", {"a": {0: 1.0, 1: 1.0, 2: 0.0}, "b": {0: 3.0, 1: None}}, {2: "a"}),
        ("a | b", {"a": {0: 1.0, 1: 1.0}, "b": {0: 3.0, 1: 2.0}}, {}),
        (
            "a,c | b | d",
            {
                "a": dict.fromkeys(range(4), 1.0),
                "c": dict.fromkeys(range(4), 1.0),
                "b": dict.fromkeys((0, 1, 2), 1.0),
                "d": {0: 1.0},
            },
            {3: "a,c", 1: "b", 2: "b"},
        ),
        # who was left out within a member of a chain has a place by the other ones
        ("(a | b),c", {"a": {0: 1.0, 1: 0.0}, "b": {0: 3.0}, "c": {0: 1.0, 1: 1.0}}, {}),
        ("a | b", {"a": {0: 1.0, 1: 0.0}}, {}),
        ("a,b", {}, {}),
    ],
)
def test_candidates_that_nobody_behind_a_filter_was_asked_about_were_left_out_by_it(
    name: str, gave: dict[str, dict[int, float | None]], expected: dict[int, str]
) -> None:
    assert left_out_by(name, gave) == expected
