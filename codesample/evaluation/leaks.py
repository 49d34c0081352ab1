"""Figures by the hidden checks that no prompt shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from codesample.evaluation.intervals import Draws, Estimate
from codesample.evaluation.metrics import best_of_n, gap_closed, pass_at_k
from codesample.evaluation.observer import WEAK
from codesample.evaluation.public_checks import PublicChecks, public_checks
from codesample.evaluation.scoring import Pool, Scores
from codesample.records import Verdict
from codesample.records.short import one_line
from codesample.records.validation import validated

__all__ = ["HiddenOnly", "hidden_only"]


@validated
@dataclass(frozen=True, slots=True)
class HiddenOnly:
    """Figures by the checks that no prompt shows: a program is right where it holds these.

    Attributes:
        problems: How many count: those with a check that is not shown.
        left_out: How many have none, so that nothing of them is hidden.
        unclear: How many verdicts do not say which checks held, so that the problem is left out too.
        random: What choosing at random gives on the problems that count; None where none does.
        oracle: What choosing with these checks would give.
        rerankers: By name, best-of-n.
    """

    problems: int
    left_out: int
    unclear: int = 0
    random: Estimate | None = None
    oracle: Estimate | None = None
    rerankers: Mapping[str, Estimate] = field(default_factory=dict)

    __repr__ = one_line

    def gap_closed(self, name: str) -> float | None:
        """Return which share of the way from random to oracle a reranker goes; None where there is none."""
        if self.random is None or self.oracle is None:
            return None
        return gap_closed(self.rerankers[name].value, self.random.value, self.oracle.value)

    def as_json(self) -> dict[str, Any]:
        """Return plain JSON data."""
        return asdict(self)

    @classmethod
    def from_json(cls, content: Mapping[str, Any] | None) -> HiddenOnly | None:
        """Rebuild one from `as_json`; None stays None.

        Raises:
            TypeError, KeyError, AttributeError: a field is missing or malformed.
        """
        if content is None:
            return None
        known = dict(content)
        for name in ("random", "oracle"):
            known[name] = None if known[name] is None else Estimate(**known[name])
        known["rerankers"] = {name: Estimate(**each) for name, each in known["rerankers"].items()}
        return cls(**known)


@dataclass(frozen=True, slots=True)
class _Kept:
    """Of one problem, the candidates that have a grade by hidden checks alone, and whether they hold them."""

    task_id: str
    at: tuple[int, ...]
    held: tuple[bool, ...]


def hidden_only(gathered: Sequence[Pool], scores: Mapping[str, Scores]) -> HiddenOnly | None:
    """Count anew, from the verdicts' checks, without those that the prompts show.

    Checks that a program did not reach count as failed, those behind one that ended it too. Where tests are
    one piece, the verdict is all there is, and it counts as it is.

    Args:
        gathered: The run's problems.
        scores: By reranker, of these candidates.

    Returns: None where no problem has a check that its prompt shows and a verdict tells apart: the figures
    would be those of the whole tests.
    """
    judged = [(pool, public_checks(pool.problem)) for pool in gathered if pool.graded]
    if not any(each.any and not each.in_one_piece for _, each in judged):
        return None
    hidden = [(pool, each) for pool, each in judged if not each.every]
    found = [(pool, _kept(pool, each)) for pool, each in hidden]
    counted = [(pool, kept) for pool, kept in found if kept is not None and kept.at]
    left_out, unclear = len(judged) - len(hidden), len(hidden) - len(counted)
    if not counted:
        return HiddenOnly(0, left_out, unclear)
    sizes = [(len(kept.held), sum(kept.held)) for _, kept in counted]
    columns = [
        [pass_at_k(size, right, 1) for size, right in sizes],
        [pass_at_k(size, right, size) for size, right in sizes],
        *([_best(kept, column[kept.task_id]) for _, kept in counted] for column in scores.values()),
    ]
    random, oracle, *best = Draws(len(counted)).shares(columns)
    return HiddenOnly(
        problems=len(counted),
        left_out=left_out,
        unclear=unclear,
        random=random,
        oracle=oracle,
        rerankers=dict(zip(scores, best, strict=True)),
    )


def _kept(pool: Pool, public: PublicChecks) -> _Kept | None:
    """Return which graded candidates hold the hidden checks; None where a verdict does not say."""
    at, held = [], []
    for position in pool.graded:
        verdict = pool.verdicts[position]
        right = _holds(verdict, public)
        if right is None:
            return None
        # as for whole verdicts: what holds could have been faked, what fails could not
        if right and pool.strict and verdict.integrity == WEAK:
            continue
        at.append(position)
        held.append(right)
    return _Kept(pool.problem.task_id, tuple(at), tuple(held))


def _holds(verdict: Verdict, public: PublicChecks) -> bool | None:
    """Tell whether a program holds the checks that are not public."""
    if verdict.passed or not any(public.checks):
        return verdict.passed
    if len(verdict.checks) != len(public.checks):
        return None
    hidden = [held for held, shown in zip(verdict.checks, public.checks, strict=True) if not shown]
    # where all checks are shown, the text before them hides some: it held where any check was reached
    return all(hidden) if hidden else any(verdict.checks)


def _best(kept: _Kept, column: Sequence[float | None]) -> float:
    return best_of_n([column[position] for position in kept.at], kept.held)
