"""From verdicts and scores to a report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from codesample.evaluation.metrics import best_of_n, gap_closed, pass_at_k
from codesample.evaluation.metrics_interval import bootstrap
from codesample.evaluation.report import Report, Seconds, Selection
from codesample.evaluation.scoring import Pool, Scores
from codesample.runs import RunFolder

__all__ = ["summarise"]


def summarise(
    run: RunFolder,
    gathered: Sequence[Pool],
    scores: Mapping[str, Scores],
    *,
    n: int,
    k: Sequence[int],
    seconds: Seconds,
    tokens_per_second: float | None,
    isolation: str,
) -> Report:
    """Turn a run's verdicts and scores into figures with intervals.

    Candidates without a grade are left out; pass@k is taken over the problems with at least k graded ones,
    and a k that no problem reaches is left out.

    Args:
        run: Says which task and model.
        gathered: From `codesample.evaluation.scoring.pools`.
        scores: By reranker.
        n, seconds, tokens_per_second, isolation: See `Report`.
        k: The k of pass@k, ascending.

    Raises:
        MetricError: no candidate at all was graded.
    """
    graded = [pool for pool in gathered if pool.graded]
    counts = [(len(pool.passed), sum(pool.passed)) for pool in graded]
    by_k = {each: [pass_at_k(size, correct, each) for size, correct in counts if size >= each] for each in k}
    random = bootstrap([pass_at_k(size, correct, 1) for size, correct in counts])
    oracle = bootstrap([pass_at_k(size, correct, size) for size, correct in counts])
    selections = {}
    for name, column in scores.items():
        chosen = bootstrap([_best_of(pool, column[pool.problem.task_id]) for pool in graded])
        selections[name] = Selection(chosen, gap_closed(chosen.value, random.value, oracle.value))
    candidates = [candidate for pool in gathered for candidate in pool.candidates]
    return Report(
        task=run.manifest.task,
        model=run.manifest.model,
        problems=len(graded),
        n=n,
        samples=len(candidates),
        pass_at_k={each: bootstrap(values) for each, values in by_k.items() if values},
        rerankers=selections,
        random=random,
        oracle=oracle,
        seconds=seconds,
        tokens=sum(len(candidate.token_ids or ()) for candidate in candidates),
        tokens_per_second=tokens_per_second,
        statuses=dict(Counter(str(verdict.status) for pool in gathered for verdict in pool.verdicts)),
        isolation=isolation,
        run=run.path,
    )


def _best_of(pool: Pool, scores: Sequence[float | None]) -> float:
    return best_of_n([scores[at] for at in pool.graded], pool.passed)
