"""Reranker by whether a program runs, whatever it returns."""

from __future__ import annotations

from collections.abc import Sequence

from codesample.records import CallExample, Candidate, PublicView, ScriptExample
from codesample.rerankers.context import Context
from codesample.rerankers.contract import reranker

__all__ = ["executable"]


@reranker(needs={"public_examples"}, independent=True)
def executable(view: PublicView, candidates: Sequence[Candidate], ctx: Context) -> list[float | None]:
    """Score 1 for a program that runs, 0 for one that does not, whatever it returns.

    It runs if it loads within the limits, defines what was asked for as something that can be called, and
    fails on none of the inputs of the prompt's examples; a script, if it ends normally on them. Where a
    prompt names no function and shows no example, every candidate abstains, and where the harness failed.

    Formula: [y loads, has the function, and raises on no example's input]
    Source: the executability of arXiv:2211.16490, on inputs of the prompt's examples alone: published code
        takes the input of a hidden test, which is a strong hint
    Needs: public_examples
    Cost: one run of each distinct program
    Leaning: towards programs that swallow errors; says little where hardly any program fails
    """
    calls = [each.call for each in view.examples if isinstance(each, CallExample)]
    scripts = [each for each in view.examples if isinstance(each, ScriptExample)]
    if view.entry_point is None and not calls and not scripts:
        return [None] * len(candidates)
    named = [] if view.entry_point is None else [f"assert callable({view.entry_point})"]
    called = ctx.check(candidates, [*named, *(f"({call})" for call in calls)], trusted=True)
    run = ctx.check_scripts(candidates, scripts, compare=False)
    return [
        None if one is None or other is None else float(all(one) and all(other))
        for one, other in zip(called, run, strict=True)
    ]
