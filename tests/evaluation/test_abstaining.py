"""Why rerankers give no scores, as a problem tells."""

from __future__ import annotations

import pytest

from codesample.evaluation.abstaining import silent_members, why_abstained
from codesample.records import CallExample, CodeTests, Problem

# nothing here runs the hidden tests
BARE = Problem("t/0", "say 1", CodeTests(source="assert True"))
SHOWN = Problem("t/1", "say 1", CodeTests(source="assert True"), examples=(CallExample("f()", "1"),))
NO_EXAMPLE = "its prompt shows no example that could be read"
NOTHING = "no program returned anything on the inputs that were made"


@pytest.mark.parametrize(
    ("reranker", "problem", "why"),
    [
        ("public_examples", BARE, NO_EXAMPLE),
        ("public_examples", SHOWN, ""),
        ("executable", BARE, "its prompt names no function and shows no example"),
        ("mbr_exec", SHOWN, NOTHING),
        ("public_examples | largest_cluster,mbr_exec", BARE, f"{NO_EXAMPLE}; {NOTHING}"),
        ("my_own", BARE, ""),
    ],
)
def test_the_reason_is_that_of_each_member_once(reranker: str, problem: Problem, why: str) -> None:
    assert why_abstained(reranker, problem) == why


def test_silent_members_are_those_that_gave_a_score_to_nobody_they_were_asked_about() -> None:
    gave = {
        "public_examples": {0: None, 1: None},
        "mbr_exec": {0: None, 1: 1.0},
        "mine": {0: None},
        "executable": {},
    }
    assert silent_members("public_examples | mbr_exec,mine,executable,unknown", gave, BARE) == [
        ("public_examples", NO_EXAMPLE),
        ("mine", ""),
    ]
    assert silent_members("public_examples", gave, BARE) == []
