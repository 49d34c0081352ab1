"""Rerankers by what programs return on shared inputs: candidates that behave alike support one another.

Each is a pure function of one matrix, one row per candidate and one column per input: the canonical text of
the result, None where the call failed. A row of nothing but None is a program that never ran; None in place
of a row one that nobody could run. Both abstain, and support no one: failing alike is no agreement. Equal
candidates are as many votes as there are of them.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence

from codesample.records import Candidate, PublicView
from codesample.rerankers.context import Context
from codesample.rerankers.contract import reranker

__all__ = [
    "Row",
    "agreement_scores",
    "cluster_scores",
    "largest_cluster",
    "mbr_exec",
    "srank",
    "srank_scores",
]

Row = tuple[str | None, ...] | None
"""What one candidate returned, or None where the harness failed."""


@reranker(needs={"outputs"})
def largest_cluster(view: PublicView, candidates: Sequence[Candidate], ctx: Context) -> list[float | None]:
    """Score by how many candidates, itself included, return the same on every input.

    Failing on an input is part of a row; a candidate that fails on all of them abstains.

    Formula: |{k : row k = row i}|
    Source: arXiv:2203.07814, section 4.4 (clusters by behaviour); the largest first, as the vote of
        arXiv:2203.11171 on whole rows
    Needs: outputs
    Cost: one execution of each distinct program
    Leaning: towards a mistake that many share
    """
    return cluster_scores(ctx.outputs(candidates).rows)


@reranker(needs={"outputs"})
def mbr_exec(view: PublicView, candidates: Sequence[Candidate], ctx: Context) -> list[float | None]:
    """Score by how much of what it returns the candidates, itself included, return as well.

    Minimum Bayes risk with the mean 0/1 loss over inputs. With one input this is the published loss; with
    several, the published one asks for equality on all, which is `largest_cluster`. Published ties go to
    the likelier candidate: "mbr_exec > sum_logprob".

    Formula: sum_k share of the inputs on which i and k both ran and return the same
    Source: arXiv:2204.11454
    Needs: outputs
    Cost: one execution of each distinct program
    Leaning: towards a mistake that many share
    """
    return agreement_scores(ctx.outputs(candidates).rows)


@reranker(needs={"outputs", "tests"})
def srank(view: PublicView, candidates: Sequence[Candidate], ctx: Context) -> list[float | None]:
    """Score by the clusters that its own overlaps with, each by its size and the generated tests it passes.

    V_b is the share of candidates in b times the share of generated asserts that they pass, each as often as
    it was written; all of them where none was generated. All abstain where every V is 0.

    Formula: sum_b O_ab V_b, a its own cluster, O_ab the share of inputs on which both ran and return the
        same (O_aa = 1)
    Source: arXiv:2311.03366
    Needs: outputs, tests
    Cost: as codet, and one execution of each distinct program on the inputs
    Leaning: towards mistakes that clusters share
    """
    tests = ctx.passes(candidates)
    weights = [each.written for each in tests.asserts]
    return srank_scores(ctx.outputs(candidates).rows, tests.rows, weights)


def cluster_scores(rows: Sequence[Row]) -> list[float | None]:
    """Return the score of `largest_cluster` for each row."""
    sizes = Counter(row for row in rows if _ran(row))
    return [float(sizes[row]) if _ran(row) else None for row in rows]


def agreement_scores(rows: Sequence[Row]) -> list[float | None]:
    """Return the score of `mbr_exec` for each row."""
    sizes = Counter(row for row in rows if _ran(row))
    columns: defaultdict[int, Counter[str]] = defaultdict(Counter)
    for row, size in sizes.items():
        for at, text in enumerate(row or ()):
            if text is not None:
                columns[at][text] += size
    totals = {
        row: sum(columns[at][text] for at, text in enumerate(row or ()) if text is not None) / len(row or "_")
        for row in sizes
    }
    return [totals[row] if _ran(row) else None for row in rows]


def srank_scores(
    rows: Sequence[Row], passes: Sequence[tuple[bool, ...] | None], weights: Sequence[int]
) -> list[float | None]:
    """Return the score of `srank` for each row.

    Args:
        rows: What candidates return.
        passes: Which asserts hold for the same candidates.
        weights: How often each assert was written.
    """
    members: defaultdict[Row, list[int]] = defaultdict(list)
    for at, row in enumerate(rows):
        if _ran(row):
            members[row].append(at)
    total, judged = sum(weights), sum(row is not None for row in rows)
    values = {
        row: math.fsum(_pass_rate(passes[at], weights, total) for at in inside) / judged
        for row, inside in members.items()
    }
    if not any(values.values()):
        return [None] * len(rows)
    scores = {row: math.fsum(_overlap(row, other) * values[other] for other in members) for row in members}
    return [scores[row] if _ran(row) else None for row in rows]


def _pass_rate(held: tuple[bool, ...] | None, weights: Sequence[int], total: int) -> float:
    if not total:
        return 1.0
    return (
        0.0 if held is None else sum(each for each, holds in zip(weights, held, strict=True) if holds) / total
    )


def _overlap(one: Row, other: Row) -> float:
    if one == other:
        return 1.0
    pairs = list(zip(one or (), other or (), strict=True))
    return sum(a == b is not None for a, b in pairs) / len(pairs)


def _ran(row: Row) -> bool:
    """Whether a candidate returned anything at all."""
    return row is not None and any(text is not None for text in row)
