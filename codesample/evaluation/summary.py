"""From verdicts and scores to a report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from codesample.errors import ExecutionError, MetricError
from codesample.evaluation.agreement import agreement
from codesample.evaluation.choice_figures import bounds, selections, variance_split
from codesample.evaluation.environment import engine_facts, weakest_isolation
from codesample.evaluation.health_check import RunHealth
from codesample.evaluation.intervals import Draws, Estimate
from codesample.evaluation.leaks import hidden_only
from codesample.evaluation.metrics import pass_at_k_by_problem
from codesample.evaluation.observer import is_graded
from codesample.evaluation.parse_check import parse_notice
from codesample.evaluation.parts import counts_by_part
from codesample.evaluation.report import Counted, Report, Seconds
from codesample.evaluation.scoring import Pool, Scores
from codesample.records import Candidate, Status, Usage, Verdict
from codesample.records.counted import counted
from codesample.rerankers.made_once import Cost
from codesample.runs import RunFolder

__all__ = ["compared", "summarise"]

_UNJUDGED = Status.HARNESS_ERROR
# what the last part is called where problems call it differently
_WHOLE = "all"


def summarise(
    run: RunFolder,
    gathered: Sequence[Pool],
    scores: Mapping[str, Scores],
    *,
    problems: int,
    n: int,
    k: Sequence[int],
    seconds: Seconds,
    tokens_per_second: float | None,
    notices: Sequence[str] = (),
    unread: Sequence[str] = (),
    health: RunHealth | None = None,
    costs: Mapping[str, Cost] = MappingProxyType({}),
) -> Report:
    """Turn a run's verdicts and scores into figures; problems and k that have too few grades are left out.

    Args:
        run: Says which task, model and engine, and how its programs were isolated.
        gathered, scores, costs: From `codesample.evaluation.scoring`; `problems` is how many were asked for.
        n, seconds, tokens_per_second, health: See `Report`; k are those of pass@k, ascending.
        notices, unread: What else is to be said; `unread` unless most programs are no Python.

    Raises:
        ExecutionError: the harness failed on every candidate; says why for the first.
    """
    verdicts = [verdict for pool in gathered for verdict in pool.verdicts]
    graded = _graded(gathered)
    by_k, parts, unreached = _figures(graded, _counts(graded), k)
    candidates = [candidate for pool in gathered for candidate in pool.candidates]
    texts = _texts(run, candidates, verdicts, unread)
    return Report(
        task=run.manifest.task,
        model=run.manifest.model,
        problems=len(graded),
        n=n,
        n_max=max(len(pool.candidates) for pool in graded),
        samples=len(candidates),
        pass_at_k=by_k,
        rerankers=selections(run, graded, scores, costs=costs),
        **bounds(graded)._asdict(),
        seconds=seconds,
        tokens=sum(each.tokens_drawn for each in candidates),
        tokens_per_second=tokens_per_second,
        usage=Usage.total(usages) if (usages := [each.usage for each in candidates if each.usage]) else None,
        statuses=dict(Counter(str(each.status) for each in verdicts)),
        engine=engine_facts(run.manifest.sessions),
        isolation=weakest_isolation(run.manifest.sessions),
        notices=(*texts, *_left_out(problems, gathered), *unreached, *notices),
        run=run.path,
        integrity=_by_integrity(gathered),
        strict=any(pool.strict for pool in gathered),
        parts=parts,
        health=(health or RunHealth()).with_verdicts(verdicts),
        prompt=_prompt(run),
        rules=dict(Counter(filter(None, (each.rule for each in candidates))).most_common()),
        variance=variance_split(graded),
        hidden_only=hidden_only(graded, scores),
        shard=run.manifest.shard or "",
    )


def _counts(graded: Sequence[Pool]) -> dict[str, tuple[int, int]]:
    return {pool.problem.task_id: (len(pool.passed), sum(pool.passed)) for pool in graded}


def _graded(gathered: Sequence[Pool]) -> list[Pool]:
    """Return the pools with a graded candidate; raises ExecutionError where there is none."""
    if not (graded := [pool for pool in gathered if pool.graded]):
        raise ExecutionError(
            _nothing(gathered, _faults([each for pool in gathered for each in pool.verdicts]))
        )
    return graded


def _texts(
    run: RunFolder, candidates: Sequence[Candidate], verdicts: Sequence[Verdict], unread: Sequence[str]
) -> Sequence[str]:
    """Return what is to be said of what the model wrote, each once."""
    notice = parse_notice(
        zip(candidates, verdicts, strict=True),
        prompt=run.manifest.prompt,
        recorded=_is_recorded(run),
        unread=unread,
    )
    return unread if notice is None else (notice,)


def _prompt(run: RunFolder) -> dict[str, Any]:
    """Return the form of a run's prompts; of recorded texts that were taken as they are, none is known."""
    prompt = dict(run.manifest.prompt)
    return {} if _is_recorded(run) and prompt.get("style") != "chat" else prompt


def _is_recorded(run: RunFolder) -> bool:
    return engine_facts(run.manifest.sessions).recorded


def compared(report: Report, run: RunFolder, gathered: Sequence[Pool]) -> Report:
    """Return a report that also says how far our verdicts agree with those that recorded samples had."""
    theirs = agreement(run, [each for pool in gathered for each in pool.verdicts], report.pass_at_k)
    if theirs is None:
        return report
    return replace(report, theirs=theirs, notices=(*report.notices, *theirs.notices()))


def _faults(verdicts: Sequence[Verdict]) -> list[Verdict]:
    return [verdict for verdict in verdicts if verdict.status is _UNJUDGED]


def _nothing(gathered: Sequence[Pool], faults: Sequence[Verdict]) -> str:
    """Say why there is nothing to report on."""
    weak = sum(verdict.passed for pool in gathered for verdict in pool.verdicts)
    unproven = [f"{weak} passes are weak, which counts for nothing with --integrity strict"] if weak else []
    return "; ".join(["no candidate could be judged", *map(_why, faults[:1]), *unproven])


def _by_integrity(gathered: Sequence[Pool]) -> dict[str, Counted]:
    grades = [each for pool in gathered for each in pool.verdicts if is_graded(each, strict=False)]
    every = Counter(each.integrity for each in grades)
    passed = Counter(each.integrity for each in grades if each.passed)
    return {name: Counted(count, passed[name]) for name, count in sorted(every.items())}


def _left_out(problems: int, gathered: Sequence[Pool]) -> list[str]:
    said = []
    if problems > len(gathered):
        said.append(
            f"{problems - len(gathered)} of {problems} problems have no samples and count in no figure"
        )
    if lost := sum(not pool.graded for pool in gathered):
        said.append(f"{counted(lost, 'problem', 'have')} no candidate that could be judged")
    faults = _faults([verdict for pool in gathered for verdict in pool.verdicts])
    return said + [_why(fault) for fault in faults[:1]]


def _pass_at_k(
    counts: Mapping[str, tuple[int, int]], k: Sequence[int]
) -> tuple[dict[int, Estimate], list[str]]:
    """Return pass@k by k, and why others are left out."""
    by_k: dict[int, Estimate] = {}
    left_out = []
    for each in k:
        try:
            values = list(pass_at_k_by_problem(counts, each).values())
            (by_k[each],) = Draws(len(values)).shares([values])
        except MetricError as error:
            left_out.append(f"pass@{each} is left out: {error}")
    return by_k, left_out


def _figures(
    graded: Sequence[Pool], counts: Mapping[str, tuple[int, int]], k: Sequence[int]
) -> tuple[dict[int, Estimate], dict[str, Mapping[int, Estimate]], list[str]]:
    """Return pass@k of the whole tests and of their parts, and why others are left out."""
    by_k, unreached = _pass_at_k(counts, k)
    parts, unknown = _parts(graded, by_k)
    return by_k, parts, unreached + unknown


def _parts(
    graded: Sequence[Pool], whole: Mapping[int, Estimate]
) -> tuple[dict[str, Mapping[int, Estimate]], list[str]]:
    """Return pass@k by part of the tests and by k, and why parts are left out."""
    counts, said = counts_by_part(graded)
    if not counts:
        return {}, said
    parts: dict[str, Mapping[int, Estimate]] = {}
    for name, of_problems in counts.items():
        parts[name], unreached = _pass_at_k(of_problems, list(whole))
        said += [f"on {name}, {each}" for each in unreached]
    last = {pool.problem.tests.parts[-1][0] for pool in graded}
    name = last.pop() if len(last) == 1 else _WHOLE
    return {**parts, name: whole}, said


def _why(fault: Verdict) -> str:
    why = fault.detail or "no reason known"
    return (
        f"the harness failed on {fault.task_id}, candidate {fault.index}: {why} "
        "(whether its tests are at fault, `codesample tasks verify` tells)"
    )
