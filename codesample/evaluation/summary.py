"""From verdicts and scores to a report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from codesample.errors import MetricError
from codesample.evaluation.metrics import best_of_n, gap_closed, pass_at_k, pass_at_k_by_problem
from codesample.evaluation.metrics_interval import Estimate, bootstrap
from codesample.evaluation.report import Report, Seconds, Selection
from codesample.evaluation.scoring import Pool, Scores
from codesample.evaluation.session import weakest_isolation
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
) -> Report:
    """Turn a run's verdicts and scores into figures with intervals.

    Candidates without a grade are left out, and so are problems without any graded one. All figures are
    over the same problems: a k that one of them does not reach is left out, with a notice.

    Args:
        run: Says which task and model, and how its programs were isolated.
        gathered: From `codesample.evaluation.scoring.pools`.
        scores: By reranker.
        n, seconds, tokens_per_second: See `Report`.
        k: The k of pass@k, ascending.

    Raises:
        MetricError: no candidate at all was graded.
    """
    graded = [pool for pool in gathered if pool.graded]
    counts = {pool.problem.task_id: (len(pool.passed), sum(pool.passed)) for pool in graded}
    random = bootstrap([pass_at_k(size, correct, 1) for size, correct in counts.values()])
    oracle = bootstrap([pass_at_k(size, correct, size) for size, correct in counts.values()])
    by_k: dict[int, Estimate] = {}
    notices = []
    for each in k:
        try:
            by_k[each] = bootstrap(list(pass_at_k_by_problem(counts, each).values()))
        except MetricError as error:
            notices.append(str(error))
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
        pass_at_k=by_k,
        rerankers=selections,
        random=random,
        oracle=oracle,
        seconds=seconds,
        tokens=sum(len(candidate.token_ids or ()) for candidate in candidates),
        tokens_per_second=tokens_per_second,
        statuses=dict(Counter(str(verdict.status) for pool in gathered for verdict in pool.verdicts)),
        isolation=weakest_isolation(run.manifest.sessions),
        notices=tuple(notices),
        run=run.path,
    )


def _best_of(pool: Pool, scores: Sequence[float | None]) -> float:
    return best_of_n([scores[at] for at in pool.graded], pool.passed)
