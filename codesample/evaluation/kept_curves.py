"""Best-of-n curves that scoring made, kept in the run folder beside the scores that they belong to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from time import monotonic
from typing import TYPE_CHECKING, Any

from codesample.errors import CodesampleError
from codesample.evaluation.metrics import Score, best_of_n_curve
from codesample.evaluation.subsets import best_of_subsets
from codesample.rerankers.contract import Reranker
from codesample.rerankers.registry import load_reranker
from codesample.runs import RunFolder
from codesample.runs.artefacts import artefact_key

if TYPE_CHECKING:
    # it calls `keep_curve`
    from codesample.evaluation.scoring import Pool, Scores

__all__ = ["Rescorer", "curve_columns", "curve_sizes", "keep_curve", "kept_curve", "put_curve"]

Rescorer = Callable[[int, Sequence[int]], Sequence[Score]]
"""Scores some candidates of the pool of a number, by their positions, as if there were no others."""

_KIND = "curves"
# seconds
_PATIENCE = 300.0
_DEAR = {
    "generate": "would ask a model again",
    "prompt_logprobs": "would ask a model again",
    "run": "would run programs again",
}
_UNSCORED = "scores depend on the other candidates, and subsets were not scored"
_HOW = "; codesample rerank RUN -r NAME --curves scores them"


@dataclass(frozen=True, slots=True)
class _Kept:
    """What is known of one reranker's curve.

    Attributes:
        independent: Whether scores do not depend on the other candidates.
        values: Else, by task id, best-of-n for each of `curve_sizes`.
        note: Why there are none, or how they were made.
    """

    independent: bool
    values: Mapping[str, Sequence[float]] = field(default_factory=dict)
    note: str = ""


def curve_sizes(graded: Sequence[Pool]) -> tuple[int, ...]:
    """Return 1, 2, 4, ... and the most graded candidates that a problem has."""
    most = max((len(pool.graded) for pool in graded), default=1)
    sizes = [1]
    while sizes[-1] * 2 < most:
        sizes.append(sizes[-1] * 2)
    return (*sizes, most) if most > 1 else tuple(sizes)


def keep_curve(
    run: RunFolder,
    reranker: Reranker,
    gathered: Sequence[Pool],
    column: Scores,
    rescore: Rescorer,
    *,
    seed: int,
    patience: float = _PATIENCE,
) -> str:
    """Score subsets of each pool where scores depend on the other candidates, and keep what came of it.

    Args:
        run: Open for writing.
        gathered, column: All pools and their scores by this reranker.
        rescore: Scores some candidates of a pool alone.
        seed: Of the subsets.
        patience: Seconds after which it is given up, and the curve has its two ends only.

    Returns: why nothing was kept, where scoring was slow or failed; "" else.
    """
    if reranker.independent:
        record = _Kept(True)
    elif why := next((why for need, why in _DEAR.items() if need in reranker.needs), ""):
        record = _Kept(False, note=f"scores depend on the other candidates; scoring subsets {why}")
    else:
        record, lacking = _scored(gathered, column, rescore, seed, patience)
        if lacking:
            return f"{reranker.name} has no curve over n: {lacking}"
    put_curve(run, reranker.name, gathered, column, asdict(record))
    return ""


def put_curve(run: RunFolder, name: str, gathered: Sequence[Pool], column: Scores, record: Any) -> None:
    """Keep what `kept_curve` is to give for these very scores and verdicts."""
    graded = [pool for pool in gathered if pool.graded]
    run.artefacts(_KIND).put(_key(name, graded, column), record)


def kept_curve(run: RunFolder, name: str, gathered: Sequence[Pool], column: Scores) -> Any:
    """Return what `keep_curve` kept for these very scores and verdicts, for `curve_columns`; or None."""
    graded = [pool for pool in gathered if pool.graded]
    kept = run.artefacts(_KIND)
    # all scores are read for a key, which nothing needs where nothing is kept
    return kept.get(_key(name, graded, column)) if len(kept) else None


def curve_columns(
    name: str, graded: Sequence[Pool], column: Scores, kept: Any = None
) -> tuple[dict[int, list[float]], str]:
    """Return best-of-n by n, each by problem, and why sizes are missing or how they were made.

    Exact where scores do not depend on the other candidates; what has fewer candidates than n counts with
    all it has. The size of the whole pool and size 1 are always there.

    Args:
        name: The reranker; where nothing was kept, an installed one of that name says whether it is
            independent.
        graded: Pools with a graded candidate.
        kept: From `kept_curve`.
    """
    record = _Kept(_is_independent(name), note=_UNSCORED + _HOW) if kept is None else _Kept(**kept)
    sizes = curve_sizes(graded)
    ids = [pool.problem.task_id for pool in graded]
    if not record.independent and all(len(record.values.get(each, ())) == len(sizes) for each in ids):
        rows = [record.values[each] for each in ids]
        return {size: [row[at] for row in rows] for at, size in enumerate(sizes)}, record.note
    wanted = sizes if record.independent else sorted({sizes[0], sizes[-1]})
    rows = [_closed_form(pool, column, wanted) for pool in graded]
    found = {size: [row[at] for row in rows] for at, size in enumerate(wanted)}
    return found, "" if record.independent or len(sizes) < 3 else record.note


def _scored(
    gathered: Sequence[Pool], column: Scores, rescore: Rescorer, seed: int, patience: float
) -> tuple[_Kept, str]:
    """Return the curve, and why there is none."""
    sizes = curve_sizes([pool for pool in gathered if pool.graded])
    until, values = monotonic() + patience, {}
    try:
        for number, pool in enumerate(gathered):
            if monotonic() > until:
                return _Kept(False), f"scoring subsets took more than {patience:g} seconds"
            if pool.graded:
                values[pool.problem.task_id] = _of_subsets(pool, number, column, sizes, rescore, seed)
    except CodesampleError as error:
        return _Kept(False), str(error)
    return _Kept(False, values, "points between the ends are over up to 16 subsets each, scored anew"), ""


def _of_subsets(
    pool: Pool, number: int, column: Scores, sizes: Sequence[int], rescore: Rescorer, seed: int
) -> list[float]:
    def score(at: Sequence[int]) -> Sequence[Score]:
        return rescore(number, [pool.graded[each] for each in at])

    inner = [size for size in sizes if size < len(pool.graded)]
    found = best_of_subsets(score, pool.passed, inner, seed=seed, key=pool.problem.task_id)
    # the whole pool has its scores, among candidates without a grade too
    return found + _closed_form(pool, column, sizes[len(inner) :])


def _closed_form(pool: Pool, column: Scores, sizes: Sequence[int]) -> list[float]:
    row = column[pool.problem.task_id]
    scores = [row[at] for at in pool.graded]
    curve = best_of_n_curve(scores, pool.passed, [min(size, len(scores)) for size in sizes])
    # a sum of shares may pass 1 by rounding
    return [min(1.0, value) for value in curve]


def _is_independent(name: str) -> bool:
    try:
        return load_reranker(name).independent
    except CodesampleError:
        return False


def _key(name: str, graded: Sequence[Pool], column: Scores) -> str:
    """Return a key that new scores, or other verdicts, do not have."""
    scores = {pool.problem.task_id: column[pool.problem.task_id] for pool in graded}
    return artefact_key(name, scores, {pool.problem.task_id: [pool.graded, pool.passed] for pool in graded})
