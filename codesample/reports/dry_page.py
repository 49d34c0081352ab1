"""A dry run as lines of text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from codesample.evaluation.dry_run import DryRun
from codesample.records.counted import counted
from codesample.reports.prompt_page import prompt_page

if TYPE_CHECKING:
    from codesample.sampling.outline import MemoryPlan

__all__ = ["dry_page"]


def dry_page(run: DryRun, *, encoding: str = "utf-8") -> str:
    """Return the page; it ends with the first problem's own.

    Args:
        encoding: Of the stream that it goes to.
    """
    head = "".join(f"{line}\n" for line in _lines(run))
    return f"{head}\nthe first prompt:\n{prompt_page(run.first, encoding=encoding)}"


def _lines(run: DryRun) -> Iterator[str]:
    yield f"dry run: {run.headline}"
    yield f"run folder   {run.run} {'is gone on with' if run.resumed else 'would be made'}"
    there = run.candidates - run.to_draw
    yield f"candidates   {run.to_draw:,} to draw{f', {there:,} are there' if there else ''}"
    if run.prompt_tokens is not None:
        tokens = counted(run.prompt_tokens, "token")
        yield f"prompts      {tokens} in all, the longest has {run.longest_prompt:,}"
    yield f"new tokens   up to {run.new_tokens:,}"
    again = f", up to {run.by_rerankers:,} more runs by rerankers" if run.by_rerankers else ""
    yield (
        f"executions   {counted(run.to_judge, 'program')}, {counted(run.checks, 'check')}{again}; "
        f"{run.references} references first"
    )
    yield f"pass@k       k = {', '.join(map(str, run.k))}"
    needs = [f"{name} (needs {', '.join(each) or 'nothing'})" for name, each in run.rerankers.items()]
    yield f"rerankers    {'; '.join(needs) or 'none'}"
    if run.memory is not None:
        yield f"memory       {_memory(run.memory)}"
    else:
        yield "memory       not known before the engine is open"
    yield from (f"notice       {each}" for each in run.notices)


def _memory(plan: MemoryPlan) -> str:
    from codesample.sampling.memory import size_text

    parts = [
        f"{plan.device}, {plan.dtype}: weights {size_text(plan.weights)} of {size_text(plan.free)} free, "
        f"{size_text(plan.budget)} may go to keys and values"
    ]
    if plan.per_candidate is not None:
        parts.append(f"{size_text(plan.per_candidate)} for a candidate at its limit")
    if plan.rows is not None and plan.store is not None:
        parts.append(f"{counted(plan.rows, 'candidate')} at a time, {size_text(plan.store)} in all")
    if plan.fault:
        parts.append(f"DOES NOT FIT: {plan.fault}")
    return "; ".join(parts)
