"""What composed rerankers are made of, and which member decided."""

from __future__ import annotations

import pytest

from codesample.evaluation.members import Decision, decided_by, is_ranked, members_of

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
        ("a | b", 1, 0, Decision("b", None)),
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
