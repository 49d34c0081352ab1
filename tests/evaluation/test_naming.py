"""What the name of a reranker says, in words."""

from __future__ import annotations

import pytest

from codesample.evaluation.naming import explained

LAST = " Who has no score comes last."


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("executable > mean_logprob", "Order by executable, ties by mean_logprob."),
        (
            "executable | mean_logprob",
            "Keep those that are best by executable; only among these, order by mean_logprob. Scores behind "
            "a | are given among the kept alone, and may differ from those over all candidates.",
        ),
        ("executable + 2*mean_logprob", "Order by the sum executable + 2*mean_logprob."),
    ],
)
def test_a_composition_is_said_in_words_with_what_its_members_measure(name: str, sentence: str) -> None:
    (_, said), *members = explained(name)
    assert said == sentence + LAST
    assert members == [
        ("executable", "Score 1 for a program that runs, 0 for one that does not, whatever it returns."),
        (
            "mean_logprob",
            "Score by the mean log-probability per token, in nats; an empty candidate abstains.",
        ),
    ]


@pytest.mark.parametrize("name", ["idea.py:mine", "mine", "not a name ("])
def test_what_is_not_installed_is_not_opened(name: str) -> None:
    assert explained(name) == []
