"""Reranker by the examples that the prompt itself shows."""

from __future__ import annotations

from collections.abc import Sequence

from codesample.records import Candidate, PublicView
from codesample.rerankers.context import Context
from codesample.rerankers.contract import reranker

__all__ = ["examples_held", "public_examples"]


@reranker(needs={"public_examples"}, independent=True)
def public_examples(view: PublicView, candidates: Sequence[Candidate], ctx: Context) -> list[float | None]:
    """Score by how many of the prompt's examples the program gets right.

    Every candidate abstains where the prompt shows none: they tie, and a reranker that follows decides.
    Source: the filtering step of arXiv:2203.07814, section 4.4, with a count in place of all or nothing.
    """
    if not view.examples:
        return [None] * len(candidates)
    return [None if held is None else float(sum(held)) for held in examples_held(view, candidates, ctx)]


def examples_held(
    view: PublicView, candidates: Sequence[Candidate], ctx: Context
) -> list[tuple[bool, ...] | None]:
    """Say of each candidate which of the prompt's examples hold, in order; None where the harness failed.

    Raises:
        RerankerError: as `Context.check`.
    """
    statements = [f"assert ({example.call}) == ({example.expected})" for example in view.examples]
    # apart from the program: beside it, an object that equals everything would pass
    return ctx.check(candidates, statements, trusted=True)
