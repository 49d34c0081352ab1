"""The first line of a run: what is run, by which model, and in which form problems are put to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from codesample.evaluation.plan import Able, EvaluationPlan
from codesample.records.counted import counted

__all__ = ["form_text", "headline", "shard_text"]


def headline(plan: EvaluationPlan, engine: Able) -> str:
    """Return the line.

    Args:
        plan: Settled for the engine.
    """
    problems = len(plan.chosen.problems)
    candidates = f"{counted(problems, 'problem')} x {counted(plan.n, 'candidate')}"
    if len(plan.wanted) != problems * plan.n:
        candidates = f"{counted(problems, 'problem')}, {counted(len(plan.wanted), 'candidate')}"
    start = f"{plan.chosen.task.name}: {shard_text(plan.manifest.shard)}{candidates}"
    if plan.prompts is None:
        return f"{start}, recorded: {plan.source.name}"
    params = plan.manifest.params
    drawn = "greedy" if params.temperature == 0 else f"temperature {params.temperature:g}"
    form = form_text(plan.manifest.prompt)
    return f"{start} of {engine.name}, prompts {form}{_reason(plan, engine)}, {drawn}, seed {params.seed}"


def shard_text(shard: str | None) -> str:
    """Return what stands before the number of problems of a shard; "" for a whole run."""
    return f"shard {shard}, " if shard else ""


def form_text(prompt: Mapping[str, Any]) -> str:
    """Return the form of a run's prompts in words: "chat (version plain-1, with a system turn)".

    Args:
        prompt: `Manifest.prompt`.
    """
    if prompt.get("style") != "chat":
        return "base"
    parts = [f"version {prompt.get('version')}"]
    if prompt.get("system") is not None:
        parts.append("with a system turn")
    if prompt.get("prefill"):
        parts.append("answers begun")
    return f"chat ({', '.join(parts)})"


def _reason(plan: EvaluationPlan, engine: Able) -> str:
    """Say what settled a form that was left open."""
    assert plan.prompts is not None
    if plan.prompts.style != "auto" or plan.prompts.system is not None or plan.prompts.prefill:
        return ""
    if plan.run.resume:
        return ", as the run has them"
    if "chat" in engine.abilities and plan.chosen.task.chat_form is None:
        return ", since the task does not say how answers are read"
    has = "has a" if "chat" in engine.abilities else "has no"
    return f", since the model {has} chat template"
