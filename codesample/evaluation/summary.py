"""From verdicts and scores to a report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from codesample.errors import ExecutionError, MetricError
from codesample.evaluation.agreement import agreement
from codesample.evaluation.environment import engine_facts, weakest_isolation
from codesample.evaluation.intervals import Estimate, bootstrap
from codesample.evaluation.metrics import best_of_n, gap_closed, pass_at_k, pass_at_k_by_problem
from codesample.evaluation.observer import is_graded
from codesample.evaluation.report import Counted, Report, Seconds, Selection
from codesample.evaluation.scoring import Pool, Scores
from codesample.records import Status, Verdict
from codesample.runs import RunFolder

__all__ = ["compared", "summarise"]

_UNJUDGED = Status.HARNESS_ERROR


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
) -> Report:
    """Turn a run's verdicts and scores into figures with intervals.

    Candidates without a grade are left out, and so are problems without any graded one. All figures are
    over the same problems: a k that one of them does not reach is left out, with a notice.

    Args:
        run: Says which task, model and engine, and how its programs were isolated.
        gathered, scores: From `codesample.evaluation.scoring`.
        problems: How many the task has, as far as it was asked for; those without samples are missed aloud.
        notices: What else the report is to say.
        n, seconds, tokens_per_second: See `Report`.
        k: The k of pass@k, ascending.

    Raises:
        ExecutionError: the harness failed on every candidate; says why for the first.
    """
    graded = [pool for pool in gathered if pool.graded]
    faults = [verdict for pool in gathered for verdict in pool.verdicts if verdict.status is _UNJUDGED]
    if not graded:
        raise ExecutionError(_nothing(gathered, faults))
    counts = {pool.problem.task_id: (len(pool.passed), sum(pool.passed)) for pool in graded}
    random = bootstrap([pass_at_k(size, correct, 1) for size, correct in counts.values()])
    oracle = bootstrap([pass_at_k(size, correct, size) for size, correct in counts.values()])
    said = [*_left_out(problems, len(gathered), len(graded)), *map(_why, faults[:1])]
    by_k, unreached = _pass_at_k(counts, k)
    candidates = [candidate for pool in gathered for candidate in pool.candidates]
    return Report(
        task=run.manifest.task,
        model=run.manifest.model,
        problems=len(graded),
        n=n,
        n_max=max(len(pool.candidates) for pool in graded),
        samples=len(candidates),
        pass_at_k=by_k,
        rerankers=_selections(graded, scores, random=random.value, oracle=oracle.value),
        random=random,
        oracle=oracle,
        seconds=seconds,
        tokens=sum(len(candidate.token_ids or ()) for candidate in candidates),
        tokens_per_second=tokens_per_second,
        statuses=dict(Counter(str(each.status) for pool in gathered for each in pool.verdicts)),
        engine=engine_facts(run.manifest.sessions),
        isolation=weakest_isolation(run.manifest.sessions),
        notices=(*said, *unreached, *notices),
        run=run.path,
        integrity=_by_integrity(gathered),
        strict=any(pool.strict for pool in gathered),
    )


def compared(report: Report, run: RunFolder, gathered: Sequence[Pool]) -> Report:
    """Return a report that also says how far our verdicts agree with those that recorded samples had."""
    theirs = agreement(run, [each for pool in gathered for each in pool.verdicts], report.pass_at_k)
    if theirs is None:
        return report
    return replace(report, theirs=theirs, notices=(*report.notices, *theirs.notices()))


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


def _selections(
    graded: Sequence[Pool], scores: Mapping[str, Scores], *, random: float, oracle: float
) -> dict[str, Selection]:
    found = {}
    for name, column in scores.items():
        best = bootstrap([_best_of(pool, column[pool.problem.task_id]) for pool in graded])
        found[name] = Selection(best, gap_closed(best.value, random, oracle))
    return found


def _left_out(problems: int, sampled: int, graded: int) -> list[str]:
    said = []
    if problems > sampled:
        said.append(f"{problems - sampled} of {problems} problems have no samples and count in no figure")
    if sampled > graded:
        said.append(f"{sampled - graded} problems have no candidate that could be judged")
    return said


def _pass_at_k(
    counts: Mapping[str, tuple[int, int]], k: Sequence[int]
) -> tuple[dict[int, Estimate], list[str]]:
    """Return pass@k by k, and why others are left out."""
    by_k: dict[int, Estimate] = {}
    left_out = []
    for each in k:
        try:
            by_k[each] = bootstrap(list(pass_at_k_by_problem(counts, each).values()))
        except MetricError as error:
            left_out.append(f"pass@{each} is left out: {error}")
    return by_k, left_out


def _why(fault: Verdict) -> str:
    why = fault.detail or "no reason known"
    return (
        f"the harness failed on {fault.task_id}, candidate {fault.index}: {why} "
        "(whether its tests are at fault, `codesample tasks verify` tells)"
    )


def _best_of(pool: Pool, scores: Sequence[float | None]) -> float:
    return best_of_n([scores[at] for at in pool.graded], pool.passed)
