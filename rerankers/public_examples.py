"""Reranker by the examples that the prompt itself shows."""

from __future__ import annotations

from collections.abc import Sequence

from codesample.errors import RerankerError
from codesample.records import CallExample, Candidate, PublicView, ScriptExample
from codesample.rerankers.context import Context
from codesample.rerankers.contract import reranker

__all__ = ["examples_held", "public_examples"]


@reranker(needs={"public_examples"}, independent=True)
def public_examples(view: PublicView, candidates: Sequence[Candidate], ctx: Context) -> list[float | None]:
    """Score by how many of the prompt's examples the program gets right.

    Every candidate abstains where the prompt shows none: they tie, and a reranker that follows decides.

    Formula: sum_j [y returns what example j shows]
    Source: the filtering step of arXiv:2203.07814, section 4.4, with a count in place of all or nothing
    Needs: public_examples
    Cost: one run of each distinct program
    Leaning: says nothing of what the examples do not show; where the prompt shows the hidden tests, as
        MBPP's does, it is the answer itself
    """
    if not view.examples:
        return [None] * len(candidates)
    return [None if held is None else float(sum(held)) for held in examples_held(view, candidates, ctx)]


def examples_held(
    view: PublicView, candidates: Sequence[Candidate], ctx: Context
) -> list[tuple[bool, ...] | None]:
    """Say of each candidate which of the prompt's examples hold, in order; None where the harness failed.

    Calls are compared with their values, scripts run on their inputs; a prompt may show both.

    Raises:
        RerankerError: as `Context.check`; an example of no kind that can be run.
    """
    calls = [each for each in view.examples if isinstance(each, CallExample)]
    scripts = [each for each in view.examples if isinstance(each, ScriptExample)]
    if len(calls) + len(scripts) < len(view.examples):
        odd = next(each for each in view.examples if not isinstance(each, CallExample | ScriptExample))
        raise RerankerError(f"{odd!r} cannot be run; expected a CallExample or a ScriptExample")
    # apart from the program: beside it, an object that equals everything would pass
    statements = [f"assert ({example.call}) == ({example.expected})" for example in calls]
    held_calls = ctx.check(candidates, statements, trusted=True)
    held_scripts = ctx.check_scripts(candidates, scripts)
    return [_in_order(view, *held) for held in zip(held_calls, held_scripts, strict=True)]


def _in_order(
    view: PublicView, calls: tuple[bool, ...] | None, scripts: tuple[bool, ...] | None
) -> tuple[bool, ...] | None:
    """Put the results of one program in the order of the examples."""
    if calls is None or scripts is None:
        return None
    next_call, next_script = iter(calls), iter(scripts)
    return tuple(next(next_call if isinstance(each, CallExample) else next_script) for each in view.examples)
