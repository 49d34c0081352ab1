"""What choosing by a reranker gives, as a report has it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from codesample.evaluation.intervals import Estimate
from codesample.evaluation.paired import Paired
from codesample.records.short import one_line
from codesample.records.validation import validated
from codesample.rerankers.made_once import Cost

__all__ = ["Greedy", "Selection", "VarianceSplit", "estimates_by_size", "with_text_keys"]

_POINTS = 100


@validated
@dataclass(frozen=True, slots=True)
class Selection:
    """What choosing one candidate per problem by a reranker gives.

    Attributes:
        best_of_n: Share of problems whose chosen candidate passed, ties averaged over.
        gap_closed: Share of the way from `Report.random` to `Report.oracle`; None where there is no way.
        over_random: By how much it is above a random choice on the same problems; None in results that were
            written without. Where it prefers none to any other on every problem, both are 0 without doubt.
        abstained: Share of problems on which it gave no candidate a score, and chose at random.
        undecided: Share of problems with several candidates on which it preferred none to any other; those
            on which it abstained included.
        below_random: Why it is below random by more than the interval, with a p of at most 0.05, as far as
            that can be told; "" else.
        curve: Best-of-n by n, for 1, 2, 4, ... and the whole pool; a problem with fewer candidates counts
            with all it has.
        curve_note: Why sizes are missing from `curve`, or how they were made; "" where all are exact.
        parts: Best-of-n by part of the tests, as `Report.parts`.
        cost: What its scores took, over all problems, as if nothing had been there before; None where that
            is not known.
    """

    best_of_n: Estimate
    gap_closed: Estimate | None
    over_random: Paired | None = None
    abstained: float = 0.0
    undecided: float = 0.0
    below_random: str = ""
    curve: Mapping[int, Estimate] = field(default_factory=dict)
    curve_note: str = ""
    parts: Mapping[str, Estimate] = field(default_factory=dict)
    # seconds are never twice the same
    cost: Cost | None = field(default=None, compare=False)

    __repr__ = one_line

    @property
    def cost_per_point(self) -> Mapping[str, float] | None:
        """What each point (a hundredth) above random took: the fields of `Cost`.

        None where the cost is not known or nothing was gained.
        """
        if self.cost is None or self.over_random is None or self.over_random.difference.value <= 0:
            return None
        points = self.over_random.difference.value * _POINTS
        return {name: value / points for name, value in asdict(self.cost).items()}

    def doubts(self, name: str, problems: int) -> dict[str, str]:
        """Say what its figure alone does not tell, by kind: abstained, undecided, below.

        Args:
            name: Of the reranker.
            problems: How many the figures are of.
        """
        said = {}
        if self.abstained:
            count = round(self.abstained * problems)
            which = "every problem" if count == problems else f"{count} of {problems} problems"
            said["abstained"] = f"{name} gave no scores on {which}, and chooses at random there"
        elif self.undecided == 1:
            said["undecided"] = f"{name} preferred no candidate of any problem: it chooses at random"
        if self.below_random:
            said["below"] = f"{name} is below random: {self.below_random}"
        return said

    def as_json(self) -> dict[str, Any]:
        """Return plain JSON data."""
        content = asdict(self)
        content["curve"] = with_text_keys(content["curve"])
        return content

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Selection:
        """Rebuild one from `as_json`.

        Raises:
            AttributeError, KeyError, TypeError, ValueError: a field is missing or malformed.
        """
        known = dict(content)
        known["best_of_n"] = Estimate(**known["best_of_n"])
        if known["gap_closed"] is not None:
            known["gap_closed"] = Estimate(**known["gap_closed"])
        if known.get("over_random") is not None:
            known["over_random"] = Paired.from_json(known["over_random"])
        known["curve"] = estimates_by_size(known.get("curve", {}))
        known["parts"] = {name: Estimate(**each) for name, each in known.get("parts", {}).items()}
        if known.get("cost") is not None:
            known["cost"] = Cost(**known["cost"])
        return cls(**known)


@validated
@dataclass(frozen=True, slots=True)
class Greedy:
    """What a run of temperature 0 gives on the same problems: the other way of taking one candidate.

    Attributes:
        pass_at_1: Of that run, over these problems.
        run: Its folder, as it was named.
        over_random: By how much it is above a random choice from this run.
    """

    pass_at_1: Estimate
    run: str
    over_random: Paired

    __repr__ = one_line

    @classmethod
    def from_json(cls, content: Mapping[str, Any] | None) -> Greedy | None:
        """Rebuild one from its fields; None stays None. Raises as `Selection.from_json`."""
        if content is None:
            return None
        over = Paired.from_json(content["over_random"])
        return cls(Estimate(**content["pass_at_1"]), content["run"], over)


@validated
@dataclass(frozen=True, slots=True)
class VarianceSplit:
    """Where the uncertainty of pass@1 comes from, as standard errors: their squares add up to that of both.

    Attributes:
        sampling: Other candidates of the same problems would move it so far; more candidates lower it.
        problems: Other problems would; only more problems lower it.
    """

    sampling: float
    problems: float

    __repr__ = one_line


def with_text_keys(by_size: Mapping[int, Any]) -> dict[str, Any]:
    """Return a mapping whose keys are numbers as JSON has it."""
    return {str(size): value for size, value in by_size.items()}


def estimates_by_size(content: Mapping[str, Any]) -> dict[int, Estimate]:
    """Rebuild what `with_text_keys` made of estimates; raises as `Selection.from_json`."""
    return {int(size): Estimate(**value) for size, value in content.items()}
