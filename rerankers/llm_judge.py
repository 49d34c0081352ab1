"""Rerankers that ask a language model which programs are right: one by one, all at once, or in pairs.

Equal programs are shown once and share a score. Answers that cannot be read give no score, never 0, and
are counted in the run's notices. Programs are shown with their comments, which helps a judge
(arXiv:2507.10535) and lets a program talk to it.
"""

from __future__ import annotations

import itertools
import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from string import ascii_uppercase
from typing import Annotated, Literal, TypeVar

from codesample.errors import UnreadableTextError
from codesample.records import Candidate, Prompt, PublicView, SamplingParams
from codesample.rerankers.context import Context
from codesample.rerankers.contract import reranker
from codesample.rerankers.judge_wordings import (
    ask_best,
    ask_grade,
    ask_ranking,
    read_better,
    read_grade,
    read_ranking,
)
from codesample.rerankers.parameters import Bounds, Opens
from codesample.rerankers.program_text import text_of

__all__ = ["judge_listwise", "judge_pairwise", "judge_pointwise"]

Form = Literal["auto", "base", "chat"]
"""How the model is asked: a text to continue, a message, or as the run put its prompts."""

_Count = Annotated[int, Bounds(least=1, most=1000)]
_Tokens = Annotated[int, Bounds(least=1)]
_Model = Annotated[str | None, Opens("model")]
_T = TypeVar("_T")

_SAMPLED = 0.7
"""Temperature where several answers to one question are wanted."""


@reranker(needs={"generate"}, independent=True)
def judge_pointwise(
    view: PublicView,
    candidates: Sequence[Candidate],
    ctx: Context,
    *,
    samples: _Count = 1,
    model: _Model = None,
    form: Form = "auto",
    tokens: _Tokens = 512,
) -> list[float | None]:
    """Score by the grade from 0 to 10 that a model gives the program, by itself; a mean over `samples`.

    One sample is greedy, several are drawn at temperature 0.7. A program without a readable grade abstains.

    Formula: mean of the grades in `samples` answers
    Source: arXiv:2507.10535 compares it with pairs, which judge better
    Needs: generate
    Cost: samples answers of up to `tokens` tokens for each distinct program
    Leaning: gives most programs one of a few grades, so that many tie; prefers well commented ones
    """
    chat = _is_chat(ctx, form)
    params = _params(tokens, chat=chat, sampled=samples > 1)
    grades: dict[str, float | None] = {}
    programs = _distinct(candidates)
    asked = [ask_grade(view.description, program, chat=chat) for program in programs]
    answers = _answers(ctx, asked, n=samples, params=params, model=model)
    for program, drawn in zip(programs, answers, strict=True):
        read = [read_grade(each.completion, chat=chat) for each in drawn]
        usable = _counted(read, ctx, "an answer gave no grade from 0 to 10")
        grades[program] = sum(usable) / len(usable) if usable else None
    return [grades[text_of(each)] for each in candidates]


@reranker(needs={"generate"})
def judge_listwise(
    view: PublicView,
    candidates: Sequence[Candidate],
    ctx: Context,
    *,
    shuffles: _Count = 1,
    group: Annotated[int, Bounds(least=2, most=26)] = 10,
    model: _Model = None,
    form: Form = "auto",
    tokens: _Tokens = 512,
) -> list[float | None]:
    """Score by where a model ranks the program among all of them, shown together in shuffled order.

    More programs than `group` are shown in several questions, other ones together in each shuffle. What a
    ranking leaves out shares its last places. A lone program has 0.5; who is in no readable ranking abstains.

    Formula: mean over rankings of the share of the others that are ranked lower, ties half
    Source: arXiv:2311.17311 asks one question about all candidates; letters and shuffles are ours
    Needs: generate
    Cost: shuffles ceil(n / group) answers of up to `tokens` tokens, n distinct programs
    Leaning: towards the first places shown, which more shuffles even out; long lists are read carelessly
    """
    chat = _is_chat(ctx, form)
    programs = _distinct(candidates)
    found: defaultdict[str, list[float]] = defaultdict(list)
    if len(programs) == 1:
        found[programs[0]].append(0.5)
    lists = [
        dict(zip(ascii_uppercase, part, strict=False))
        for _ in range(shuffles if len(programs) > 1 else 0)
        for part in _parts(ctx.rng.sample(programs, len(programs)), group)
    ]
    asked = [ask_ranking(view.description, shown, chat=chat) for shown in lists]
    answers = _answers(ctx, asked, params=_params(tokens, chat=chat), model=model)
    for shown, drawn in zip(lists, answers, strict=True):
        rankings = [read_ranking(each.completion, tuple(shown), chat=chat) for each in drawn]
        for ranks in _counted(rankings, ctx, "an answer gave no ranking"):
            for letter, share in _shares(ranks, shown).items():
                found[shown[letter]].append(share)
    return [_mean(found.get(text_of(each))) for each in candidates]


@reranker(needs={"generate"})
def judge_pairwise(
    view: PublicView,
    candidates: Sequence[Candidate],
    ctx: Context,
    *,
    swaps: Literal[1, 2] = 2,
    most_pairs: _Count = 60,
    model: _Model = None,
    form: Form = "auto",
    tokens: _Tokens = 512,
) -> list[float | None]:
    """Score by how often a model prefers the program to another one, each pair judged in both orders.

    A preference is 1, a tie 0.5: a win in both orders gives 1, one win in each order 0.5 to both. Where
    there are more pairs than `most_pairs`, every program meets equally many others, drawn at random. With
    swaps=1 a pair is judged once, in an order drawn at random. A lone program has 0.5; who is in no readable
    comparison abstains.

    Formula: mean over comparisons of [preferred] + 0.5 [tie]
    Source: arXiv:2502.14382 judges pairs twice, with 0 for what the order decides; arXiv:2507.10535 finds
        pairs to judge better than grades, and the order to matter
    Needs: generate
    Cost: swaps min(n (n-1) / 2, most_pairs) answers of up to `tokens` tokens, n distinct programs
    Leaning: towards longer and better commented programs; one order alone towards a place
    """
    chat = _is_chat(ctx, form)
    programs = _distinct(candidates)
    found: defaultdict[str, list[float]] = defaultdict(list)
    if len(programs) == 1:
        found[programs[0]].append(0.5)
    both = ([pair, pair[::-1]] for pair in _pairs(programs, most_pairs, ctx.rng))
    shown = [each for orders in both for each in (orders if swaps == 2 else [ctx.rng.choice(orders)])]
    asked = [ask_best(view.description, first, second, chat=chat) for first, second in shown]
    answers = _answers(ctx, asked, params=_params(tokens, chat=chat), model=model)
    for (first, second), drawn in zip(shown, answers, strict=True):
        read = [read_better(each.completion, chat=chat) for each in drawn]
        for letter in _counted(read, ctx, "an answer preferred neither A nor B, nor called it a tie"):
            points = {"A": 1.0, "B": 0.0}.get(letter, 0.5)
            found[first].append(points)
            found[second].append(1.0 - points)
    return [_mean(found.get(text_of(each))) for each in candidates]


def _answers(
    ctx: Context, asked: Sequence[Prompt], *, params: SamplingParams, model: str | None, n: int = 1
) -> list[list[Candidate]]:
    """Draw answers to questions, together; none to one that the model cannot be given."""
    if not asked:
        return []
    try:
        return ctx.generate_all(asked, n=n, params=params, model=model)
    except UnreadableTextError:
        if len(asked) == 1:
            ctx.note("a question is longer than the model takes, or no tokenizer takes it")
            return [[]]
    # which one it is, the halves tell
    halves = (asked[: len(asked) // 2], asked[len(asked) // 2 :])
    return [each for half in halves for each in _answers(ctx, half, n=n, params=params, model=model)]


def _is_chat(ctx: Context, form: Form) -> bool:
    return form == "chat" or (form == "auto" and not isinstance(ctx.asked, str))


def _params(tokens: int, *, chat: bool, sampled: bool = False) -> SamplingParams:
    return SamplingParams(
        temperature=_SAMPLED if sampled else 0.0, max_new_tokens=tokens, stop=() if chat else ("\n",)
    )


def _distinct(candidates: Sequence[Candidate]) -> list[str]:
    # in an order of their own, so that where a candidate stands decides nothing
    return sorted({text_of(each) for each in candidates})


def _counted(read: Sequence[_T | None], ctx: Context, complaint: str) -> list[_T]:
    usable = [each for each in read if each is not None]
    for _ in range(len(read) - len(usable)):
        ctx.note(complaint)
    return usable


def _parts(programs: Sequence[str], most: int) -> list[Sequence[str]]:
    """Cut programs into parts of at most `most`, all of nearly one size."""
    count = -(-len(programs) // most)
    return [programs[at::count] for at in range(count)]


def _shares(ranking: Sequence[Sequence[str]], shown: Mapping[str, str]) -> dict[str, float]:
    """Return, per letter, the share of the others that are ranked lower, those at its side by half."""
    named = set(itertools.chain.from_iterable(ranking))
    groups = [*ranking, [letter for letter in shown if letter not in named]]
    below, shares = len(shown), dict[str, float]()
    for group in groups:
        below -= len(group)
        for letter in group:
            shares[letter] = (below + (len(group) - 1) / 2) / max(1, len(shown) - 1)
    return shares


def _pairs(programs: Sequence[str], most: int, rng: random.Random) -> list[tuple[str, str]]:
    """Return all pairs, or as many whole rounds of a tournament as there may be pairs, at least one."""
    if len(programs) * (len(programs) - 1) // 2 <= most:
        return list(itertools.combinations(programs, 2))
    seats: list[str | None] = [*rng.sample(programs, len(programs)), *([None] * (len(programs) % 2))]
    chosen: list[tuple[str, str]] = []
    for _ in range(len(seats) - 1):
        met = zip(seats[: len(seats) // 2], reversed(seats[len(seats) // 2 :]), strict=True)
        round_ = [(one, other) for one, other in met if one is not None and other is not None]
        if chosen and len(chosen) + len(round_) > most:
            break
        chosen += round_
        # the first stays, all others move on by a seat
        seats = [seats[0], seats[-1], *seats[1:-1]]
    return chosen


def _mean(values: Sequence[float] | None) -> float | None:
    return sum(values) / len(values) if values else None
