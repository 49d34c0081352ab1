"""What an evaluation would do, told without doing any of it: nothing is loaded, run or written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codesample.errors import ParameterError
from codesample.evaluation.evaluate import plan_evaluation
from codesample.evaluation.headline import headline, shard_text
from codesample.evaluation.health_check import sample_of_references
from codesample.evaluation.options import PromptOptions, RunOptions
from codesample.evaluation.plan import EvaluationPlan, ModelSource
from codesample.evaluation.preview import Preview, look_at
from codesample.evaluation.problem_set import ProblemSet
from codesample.evaluation.scoring import EXECUTED
from codesample.evaluation.shard import nothing_to
from codesample.evaluation.supply import supply_of_plan
from codesample.records import Request, SamplingParams
from codesample.records.counted import counted
from codesample.rerankers.contract import Reranker
from codesample.runs import RunFolder

if TYPE_CHECKING:
    from codesample.sampling.outline import MemoryPlan, Outline

__all__ = ["DryRun", "dry_run"]


@dataclass(frozen=True, slots=True)
class DryRun:
    """What would be done. Every number is an upper bound.

    Attributes:
        headline: The first line of the run.
        run: The folder that would be made, or gone on with.
        resumed: Whether it is there already.
        problems, candidates: How many, with those that are there already.
        to_draw, to_judge: How many candidates are still to be drawn, and programs to be judged.
        prompt_tokens: Of all prompts, each counted once; None where the tokenizer is not known.
        longest_prompt: Tokens of the longest one; None as before.
        new_tokens: Of all candidates to be drawn, at their limits.
        checks: Checks of the hidden tests, over all programs to be judged.
        references: How many references would be tried first.
        by_rerankers: Programs that rerankers run once more, on examples or inputs of their own.
        k: The k of pass@k.
        rerankers: By name, what each needs.
        memory: Plan of the memory; None where the model is not known.
        first: The first problem, as the model would be given it.
        notices: What the run would say before it begins.
    """

    headline: str
    run: Path
    resumed: bool
    problems: int
    candidates: int
    to_draw: int
    to_judge: int
    prompt_tokens: int | None
    longest_prompt: int | None
    new_tokens: int
    checks: int
    references: int
    by_rerankers: int
    k: tuple[int, ...]
    rerankers: dict[str, tuple[str, ...]]
    memory: MemoryPlan | None
    first: Preview
    notices: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return plain JSON data."""
        return {**asdict(self), "run": str(self.run), "first": self.first.as_json()}


def dry_run(
    chosen: ProblemSet,
    source: ModelSource,
    *,
    outline: Outline | None,
    n: int,
    params: SamplingParams | None = None,
    k: int | Sequence[int] | None = None,
    rerankers: Sequence[Reranker] = (),
    prompts: PromptOptions | None = None,
    run: RunOptions | None = None,
) -> DryRun:
    """Check an evaluation as `evaluate` does before it loads a model, and say what it would come to.

    Args:
        chosen, source, n, params, k, rerankers, prompts, run: As for `plan_evaluation`.
        outline: The model; None where it is another engine's, whose form of prompts is then open.

    Raises:
        CodesampleError: whatever `evaluate` refuses before it samples, as far as the outline tells.
    """
    plan, notice = plan_evaluation(
        chosen,
        source,
        n=n,
        params=params,
        k=k,
        rerankers=rerankers,
        prompts=prompts or PromptOptions(),
        run=run or RunOptions(),
    )
    if not plan.wanted:
        raise ParameterError(nothing_to("do", plan.manifest.shard))
    if outline is not None:
        plan = plan.settled_for(outline)
        supply_of_plan(plan, outline).require(plan.rerankers)
    return _told(plan, outline, params, notices=(notice,) if notice else ())


def _told(
    plan: EvaluationPlan,
    outline: Outline | None,
    params: SamplingParams | None,
    *,
    notices: tuple[str, ...],
) -> DryRun:
    """Say what a plan comes to, settled for its model where that is known."""
    sampled, judged = _done(plan)
    requests = plan.chosen.requests_for(plan.wanted - sampled)
    settled = plan.manifest.params
    lengths = [len(outline.encode(each.prompt)) for each in requests] if outline else []
    left = plan.wanted - judged
    tests = {each.task_id: each.tests for each in plan.chosen.problems}
    executing = sum(bool(each.needs & EXECUTED) for each in plan.rerankers)
    return DryRun(
        headline=headline(plan, outline) if outline else _open_headline(plan),
        run=plan.out,
        resumed=plan.run.resume,
        problems=len(plan.chosen.problems),
        candidates=len(plan.wanted),
        to_draw=sum(len(each.indices) for each in requests),
        to_judge=len(left),
        prompt_tokens=sum(lengths) if outline else None,
        longest_prompt=max(lengths, default=0) if outline else None,
        new_tokens=_new_tokens(requests, lengths, settled.token_limit, outline),
        checks=sum(max(1, tests[task_id].check_count) for task_id, _ in left),
        references=0 if plan.run.skip_health_check else _references(plan),
        by_rerankers=executing * len(plan.wanted),
        k=plan.k,
        rerankers={each.name: tuple(sorted(each.needs)) for each in plan.rerankers},
        memory=outline.memory(requests, settled) if outline else None,
        first=look_at(
            plan.chosen,
            plan.chosen.problems[0],
            outline=outline,
            prompts=_as_settled(plan),
            params=params,
        ),
        notices=(*notices, *plan.notices),
    )


def _references(plan: EvaluationPlan) -> int:
    return len(sample_of_references(plan.chosen.of_all_shards or plan.chosen.problems))


def _done(plan: EvaluationPlan) -> tuple[frozenset[tuple[str, int]], frozenset[tuple[str, int]]]:
    """Return the keys of the plan that have a candidate already, and those that have a verdict."""
    if not plan.run.resume:
        return frozenset(), frozenset()
    with RunFolder.open(plan.out) as run:
        return frozenset(run.sampled & plan.wanted), frozenset(run.judged & plan.wanted)


def _as_settled(plan: EvaluationPlan) -> PromptOptions:
    """Return the options that give the plan's form again; a run in hand has its own."""
    kept = plan.manifest.prompt
    if kept["style"] == "base":
        return PromptOptions("base")
    return PromptOptions("chat", system=kept.get("system"), prefill=bool(kept.get("prefill")))


def _new_tokens(
    requests: Sequence[Request], lengths: Sequence[int], limit: int, outline: Outline | None
) -> int:
    rooms = [outline.room_behind(length) for length in lengths] if outline else [None] * len(requests)
    return sum(
        len(each.indices) * (limit if room is None else max(0, min(limit, room)))
        for each, room in zip(requests, rooms, strict=True)
    )


def _open_headline(plan: EvaluationPlan) -> str:
    """Return the first line as far as it is known before another library's engine is open."""
    problems = f"{shard_text(plan.manifest.shard)}{counted(len(plan.chosen.problems), 'problem')}"
    start = f"{plan.chosen.task.name}: {problems} x {counted(plan.n, 'candidate')}"
    return f"{start} of {plan.source.name}, prompts base or chat: known once the engine is open"
