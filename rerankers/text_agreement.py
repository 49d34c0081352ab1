"""Rerankers by how far a program's text agrees with the others': no model, no execution."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Sequence
from typing import Annotated, Literal

from codesample.records import Candidate, PublicView
from codesample.rerankers.context import Context
from codesample.rerankers.contract import reranker
from codesample.rerankers.parameters import Bounds
from codesample.rerankers.program_text import bare, normal_form, text_of

__all__ = ["ngram_consistency", "text_majority", "weighted_unigram_consistency"]

_WORD = re.compile(r"\w+|[^\w\s]")


@reranker
def ngram_consistency(
    view: PublicView,
    candidates: Sequence[Candidate],
    ctx: Context,
    *,
    n: Annotated[int, Bounds(least=1, most=16)] = 2,
    similarity: Literal["jaccard", "shared"] = "jaccard",
) -> list[float | None]:
    """Score by the mean similarity of a program's n-grams to those of the other candidates.

    N-grams of one to `n` words and signs of the program without comments and docstrings; each counts once,
    however often it comes. A lone candidate abstains, and so does a text without any word.

    Formula: 1/(N-1) sum_(j != i) |G_i and G_j| / |G_i or G_j|; with similarity=shared, the published
        product |G_i and G_j| / |V| in each term, V all n-grams of the problem's candidates
    Source: arXiv:2307.06857, unigram and n-gram consistency score
    Needs: nothing
    Cost: nothing
    Leaning: towards what is ordinary, equal mistakes included; with similarity=shared so much towards long
        programs, which share more, that it can fall below a random choice
    """
    grams = [_grams(text_of(each), n) for each in candidates]
    if similarity == "shared":
        return _shared(grams)
    numbers: dict[Hashable, int] = {}
    # sets as bits of one number, of which 200 x 200 pairs take milliseconds
    bits = [sum(1 << numbers.setdefault(gram, len(numbers)) for gram in each) for each in grams]
    return _mean_of_others(bits, lambda one, other: (one & other).bit_count() / ((one | other).bit_count()))


@reranker(needs={"logprobs"})
def weighted_unigram_consistency(
    view: PublicView, candidates: Sequence[Candidate], ctx: Context
) -> list[float | None]:
    """Score by the tokens shared with the other candidates, each weighted by how probable it was.

    A token's weight in a candidate is the mean of its probabilities where it comes. Candidates without
    log-probabilities or tokens abstain and support nobody; a lone candidate abstains.

    Formula: 1/(N-1) sum_(j != i) sum_(v in V) w_i(v) w_j(v) / |V|, w_i(v) the mean of p(y_t | x, y_<t) over
        the t with y_t = v, 0 without any
    Source: arXiv:2307.06857, weighted unigram consistency score
    Needs: logprobs
    Cost: nothing
    Leaning: towards long programs, which share more; equal mistakes support one another
    """
    weights = [_weights(each) for each in candidates]
    totals: defaultdict[int, list[float]] = defaultdict(list)
    for each in weights:
        for token, weight in each.items():
            totals[token].append(weight)
    summed = {token: math.fsum(found) for token, found in totals.items()}
    others = sum(map(bool, weights)) - 1
    if others < 1:
        return [None] * len(candidates)
    return [
        math.fsum(weight * (summed[token] - weight) for token, weight in each.items()) / others / len(summed)
        if each
        else None
        for each in weights
    ]


@reranker
def text_majority(view: PublicView, candidates: Sequence[Candidate], ctx: Context) -> list[float | None]:
    """Score by how many candidates, itself included, are the same program.

    Programs are the same that differ in layout, comments, docstrings and names of locals alone; what is no
    Python is compared as text.

    Formula: |{j : normal(y_j) = normal(y_i)}|
    Source: the majority vote of arXiv:2203.11171, with a program's normal form as the answer
    Needs: nothing
    Cost: nothing
    Leaning: towards short programs, of which there are fewer ways to write them; with few candidates nearly
        all tie at 1
    """
    forms = [normal_form(text_of(each)) for each in candidates]
    counts = Counter(forms)
    return [float(counts[form]) for form in forms]


def _grams(program: str, n: int) -> set[Hashable]:
    text = bare(program)
    words = _WORD.findall(program if text is None else text)
    return {tuple(words[at : at + size]) for size in range(1, n + 1) for at in range(len(words) - size + 1)}


def _shared(grams: Sequence[set[Hashable]]) -> list[float | None]:
    counts = Counter(gram for each in grams for gram in each)
    others = len(grams) - 1
    # how many others have each of its n-grams is what all pairs together share
    return [
        sum(counts[gram] - 1 for gram in each) / others / len(counts) if each and others else None
        for each in grams
    ]


def _mean_of_others(bits: Sequence[int], similarity: Callable[[int, int], float]) -> list[float | None]:
    counts = Counter(bits)
    others = len(bits) - 1
    found: dict[int, float] = {}
    for one in counts:
        if one and others:
            terms = [similarity(one, other) * (times - (one == other)) for other, times in counts.items()]
            found[one] = math.fsum(terms) / others
    return [found.get(each) for each in bits]


def _weights(candidate: Candidate) -> dict[int, float]:
    if not candidate.logprobs or not candidate.token_ids:
        return {}
    found: defaultdict[int, list[float]] = defaultdict(list)
    for token, logprob in zip(candidate.token_ids, candidate.logprobs, strict=True):
        found[token].append(math.exp(min(logprob, 0.0)))
    return {token: math.fsum(each) / len(each) for token, each in found.items()}
