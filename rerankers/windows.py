"""Means of what is known of each token: over all of a program, and over stretches of it."""

from __future__ import annotations

import math
from collections.abc import Sequence

__all__ = ["mean", "window_means"]


def mean(values: Sequence[float] | None) -> float | None:
    """Return the mean of the values; None where there are none."""
    return math.fsum(values) / len(values) if values else None


def window_means(values: Sequence[float], window: int) -> list[float]:
    """Return the mean of every `window` values in a row, in order; of fewer values, their one mean.

    Args:
        values: At least one.
        window: How many, at least 1.
    """
    if len(values) <= window:
        return [math.fsum(values) / len(values)]
    # each exact by itself, so that equal stretches have equal means wherever they stand
    return [math.fsum(values[at : at + window]) / window for at in range(len(values) - window + 1)]
