from __future__ import annotations

import math
import time
from collections.abc import Sequence
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codesample.records import Candidate, PublicView
from codesample.rerankers.context import Context
from codesample.rerankers.contract import Reranker
from codesample.rerankers.text_agreement import (
    ngram_consistency,
    text_majority,
    weighted_unigram_consistency,
)

VIEW = PublicView("t", "t/0", "p", "p", None, ())
shared = ngram_consistency.with_parameters(similarity="shared")
TEXTS = st.lists(st.text("ab ", max_size=8), min_size=1, max_size=7)


def _score(
    reranker: Reranker, texts: Sequence[str], **known: Sequence[tuple[float, ...]]
) -> list[float | None]:
    candidates = [
        Candidate("t/0", at, text, program=text, **{name: values[at] for name, values in known.items()})  # type: ignore[arg-type]
        for at, text in enumerate(texts)
    ]
    return reranker.score(VIEW, candidates, Context(VIEW))


def test_shared_words_by_hand() -> None:
    # {a, b}, {a, c}, {d} of four words
    texts = ["a b b", "a c", "d"]
    assert _score(shared.with_parameters(n=1), texts) == [1 / 2 / 4, 1 / 2 / 4, 0.0]
    assert _score(ngram_consistency.with_parameters(n=1), texts) == [1 / 3 / 2, 1 / 3 / 2, 0.0]
    # with pairs: {a, b, ab, bb}, {a, c, ac}, {d}
    assert _score(ngram_consistency, texts) == [1 / 6 / 2, 1 / 6 / 2, 0.0]
    assert _score(shared, texts) == [1 / 2 / 7, 1 / 2 / 7, 0.0]


def _grams(text: str, n: int) -> set[tuple[str, ...]]:
    words = text.split()
    return {
        tuple(words[at : at + size])
        for size in range(1, n + 1)
        for at in range(len(words))
        if at + size <= len(words)
    }


@given(TEXTS, st.integers(1, 4), st.sampled_from(["jaccard", "shared"]))
def test_it_is_the_mean_over_all_other_candidates(texts: list[str], n: int, similarity: str) -> None:
    # no Python, so that words are those of the text
    texts = [f"( {text}" if text.strip() else "" for text in texts]
    grams = [_grams(text, n) for text in texts]
    vocabulary = set().union(*grams)
    got = _score(ngram_consistency.with_parameters(n=n, similarity=similarity), texts)
    for at, score in enumerate(got):
        others = [each for other, each in enumerate(grams) if other != at]
        if not others or not grams[at]:
            assert score is None
            continue
        assert score is not None
        sizes = [len(vocabulary) if similarity == "shared" else len(grams[at] | each) for each in others]
        terms = [len(grams[at] & each) / size for each, size in zip(others, sizes, strict=True)]
        assert math.isclose(score, sum(terms) / len(terms), abs_tol=1e-12)


@given(st.lists(st.lists(st.tuples(st.integers(0, 4), st.floats(-5, 0)), max_size=5), min_size=1, max_size=6))
def test_weighted_words_are_those_of_brute_force(tokens: list[list[tuple[int, float]]]) -> None:
    got = _score(
        weighted_unigram_consistency,
        [""] * len(tokens),
        token_ids=[tuple(token for token, _ in each) for each in tokens],  # type: ignore[misc]
        logprobs=[tuple(value for _, value in each) for each in tokens],
    )
    vocabulary = {token for each in tokens for token, _ in each}

    def weight(each: list[tuple[int, float]], token: int) -> float:
        found = [math.exp(value) for other, value in each if other == token]
        return sum(found) / len(found) if found else 0.0

    voters = [at for at, each in enumerate(tokens) if each]
    for at, score in enumerate(got):
        others = [other for other in voters if other != at]
        if at not in voters or not others:
            assert score is None
            continue
        terms = [weight(tokens[at], v) * weight(tokens[j], v) for j, v in product(others, vocabulary)]
        assert score is not None
        assert math.isclose(score, sum(terms) / len(others) / len(vocabulary), abs_tol=1e-12)


def test_weighted_words_by_hand_and_without_log_probabilities() -> None:
    half = math.log(0.5)
    known: dict[str, Sequence[tuple[float, ...]]] = {
        "token_ids": [(1, 1, 2), (1,), ()],
        "logprobs": [(0.0, half, 0.0), (half,), ()],
    }
    # weights: 1 -> 0.75, 2 -> 1; 1 -> 0.5
    got = _score(weighted_unigram_consistency, ["x", "y", "z"], **known)
    assert got == [pytest.approx(0.375 / 2), pytest.approx(0.375 / 2), None]
    bare = [Candidate("t/0", 0, "x"), Candidate("t/0", 1, "y")]
    assert weighted_unigram_consistency.score(VIEW, bare, Context(VIEW)) == [None, None]


def test_comments_and_docstrings_are_no_words() -> None:
    texts = ["def f(a):\n    'b c d'\n    return a # e", "def f(a):\n    return a"]
    assert _score(ngram_consistency, texts) == [1.0, 1.0]


def test_the_most_frequent_program_leads_however_it_is_laid_out() -> None:
    texts = [
        "def f(x):\n    return x + 1",
        "def f(y):\n    '''Add.'''\n    return (y + 1)  # one more",
        "def f(x):\n    return 1 + x",
        "def f(x:",
        " def f(x:\n",
    ]
    assert _score(text_majority, texts) == [2.0, 2.0, 1.0, 2.0, 2.0]


@pytest.mark.parametrize("each", [ngram_consistency, shared, text_majority], ids=lambda each: each.name)
@given(texts=TEXTS, data=st.data())
def test_neither_the_order_nor_anything_but_the_text_matters(
    each: Reranker, texts: list[str], data: st.DataObject
) -> None:
    scores = _score(each, texts)
    order = data.draw(st.permutations(range(len(texts))))
    assert _score(each, [texts[at] for at in order]) == [scores[at] for at in order]
    assert len({(text, score) for text, score in zip(texts, scores, strict=True)}) == len(set(texts))


def test_a_lone_candidate_and_an_empty_one_abstain_from_consistency() -> None:
    assert _score(ngram_consistency, ["a b"]) == [None]
    assert _score(shared, ["a b"]) == [None]
    assert _score(ngram_consistency, ["a b", "", "a"]) == [pytest.approx(1 / 6), None, pytest.approx(1 / 6)]
    assert _score(text_majority, ["a"]) == [1.0]


def test_two_hundred_candidates_take_no_seconds() -> None:
    texts = [
        f"def f(x, y):\n    total = {at}\n"
        + "".join(f"    total += x[{at % 7 + k}] * y\n" for k in range(20))
        for at in range(200)
    ]
    began = time.process_time()
    for each in (ngram_consistency.with_parameters(n=4), shared, text_majority):
        assert len(_score(each, texts)) == 200
    assert time.process_time() - began < 5
