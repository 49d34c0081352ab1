"""Several ways of doing the same, timed in turn, because the speed of a shared machine drifts."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median

__all__ = ["Rounds"]


@dataclass(frozen=True)
class Rounds:
    """What ways took that each had its turn in every round.

    Attributes:
        seconds: By way, one number for each round.
        left_out: Why a way has no times.
    """

    seconds: dict[str, list[float]] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)

    def add(self, way: str, seconds: float) -> None:
        """Keep what a way took in one more round."""
        self.seconds.setdefault(way, []).append(seconds)

    def leave_out(self, way: str, reason: str) -> None:
        """Drop a way and the times it has."""
        self.left_out[way] = reason
        self.seconds.pop(way, None)

    def medians(self) -> dict[str, float]:
        """Return the median of the rounds in seconds, by way."""
        return {way: median(took) for way, took in self.seconds.items()}

    def ratios(self, to: str) -> dict[str, list[float]]:
        """Return how often longer than `to` each way took, rising, one number for each round."""
        return {
            way: sorted(mine / other for mine, other in zip(took, self.seconds[to], strict=True))
            for way, took in self.seconds.items()
        }
