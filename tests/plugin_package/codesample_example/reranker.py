"""A reranker by the prompt's own examples, then by length."""

from __future__ import annotations

from collections.abc import Sequence

from codesample import Candidate, Context, PublicView, reranker
from codesample.rerankers.public_examples import examples_held

__all__ = ["right_then_short"]


@reranker(needs={"public_examples"}, independent=True)
def right_then_short(view: PublicView, candidates: Sequence[Candidate], ctx: Context) -> list[float | None]:
    """Prefer programs that get more of the prompt's examples right, then shorter ones."""
    return [
        # None where the sandbox failed, not the program: such a candidate ranks last
        None if held is None else sum(held) + 1 / (2 + len(candidate.completion))
        for candidate, held in zip(candidates, examples_held(view, candidates, ctx), strict=True)
    ]
