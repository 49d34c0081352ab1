"""Why a reranker chooses worse than at random: what its choices have more or less of than their pools."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean

from codesample.evaluation.metrics import Score, auc
from codesample.evaluation.scoring import Pool, Scores
from codesample.records import Candidate, FinishReason, Status, Verdict

__all__ = ["why_below_random"]

# a difference between choices and pools that is worth a word, in standard errors over problems
_TELLING = 2.0
_MOST_NAMED = 3


@dataclass(frozen=True, slots=True)
class _Trait:
    """Something that choices can have more or less of: how it is said, and how it is read."""

    more: str
    less: str
    of: Callable[[Candidate, Verdict], float]
    counted: bool = False


def _length(candidate: Candidate, _: Verdict) -> float:
    return float(len(candidate.completion if candidate.program is None else candidate.program))


_TRAITS = (
    _Trait("longer", "shorter", _length),
    _Trait(
        "more often answers that reached the token limit",
        "less often answers that reached the token limit",
        lambda candidate, _: float(candidate.finish_reason is FinishReason.LENGTH),
        counted=True,
    ),
    _Trait(
        "more often programs that raise",
        "less often programs that raise",
        lambda _, verdict: float(verdict.status is Status.ERROR),
        counted=True,
    ),
    _Trait(
        "more often programs that run out of time",
        "less often programs that run out of time",
        lambda _, verdict: float(verdict.status in (Status.CPU_TIMEOUT, Status.WALL_TIMEOUT)),
        counted=True,
    ),
)


def why_below_random(graded: Sequence[Pool], column: Scores) -> str:
    """Say what the choices of a reranker have more or less of than the candidates that they are chosen from.

    Args:
        graded: Pools with a graded candidate, on which it chooses worse than at random.
        column: Its scores.

    Returns: a part of a sentence with figures, the most telling trait first; with the problems on which it
    loses most.
    """
    found = []
    for trait in _TRAITS:
        pairs = [_means(pool, column, trait) for pool in graded]
        apart = [chosen - every for chosen, every in pairs]
        spread = (fmean(each * each for each in apart) / len(apart)) ** 0.5
        if spread and abs(fmean(apart)) / spread >= _TELLING:
            chosen, every = fmean(pair[0] for pair in pairs), fmean(pair[1] for pair in pairs)
            word = trait.more if chosen > every else trait.less
            figures = (
                f"{100 * chosen:.0f} % of {100 * every:.0f} %"
                if trait.counted
                else f"{chosen:.0f} of {every:.0f}"
            )
            unit = "" if trait.counted else " characters"
            found.append(
                (abs(fmean(apart)) / spread, f"{word} ({figures.replace(' of ', ' against ')}{unit})")
            )
    lost = sorted(graded, key=lambda pool: _lift(pool, column))[:_MOST_NAMED]
    names = ", ".join(pool.problem.task_id for pool in lost if _lift(pool, column) < 0)
    traits = " and ".join(text for _, text in sorted(found, reverse=True)[:2])
    what = f"its choices are {traits}" if traits else _against(graded, column)
    return f"{what}; it loses most on {names}" if names else what


def _against(graded: Sequence[Pool], column: Scores) -> str:
    """Say how far scores go against the tests, where nothing else is seen."""
    known = [area for pool in graded if (area := _area(pool, column)) is not None]
    share = 100 * (1 - fmean(known)) if known else 0.0
    count = sum(_lift(pool, column) < 0 for pool in graded)
    return (
        f"a wrong candidate outranks a right one in {share:.0f} % of a problem's pairs, and its choice is "
        f"worse than chance on {count} of {len(graded)} problems"
    )


def _area(pool: Pool, column: Scores) -> float | None:
    return auc([column[pool.problem.task_id][at] for at in pool.graded], pool.passed)


def _top(pool: Pool, column: Scores) -> list[int]:
    """Return the graded positions that tie for the first place."""
    scores: list[Score] = [column[pool.problem.task_id][at] for at in pool.graded]
    told = [score for score in scores if score is not None]
    best = max(told) if told else None
    return [at for at, score in zip(pool.graded, scores, strict=True) if score == best]


def _means(pool: Pool, column: Scores, trait: _Trait) -> tuple[float, float]:
    """Return a trait's mean over the choices that tie, and over the pool."""

    def mean(positions: Sequence[int]) -> float:
        return fmean(trait.of(pool.candidates[at], pool.verdicts[at]) for at in positions)

    return mean(_top(pool, column)), mean(pool.graded)


def _lift(pool: Pool, column: Scores) -> float:
    top = _top(pool, column)
    return fmean(pool.verdicts[at].passed for at in top) - fmean(pool.passed)
