"""How a decode step's attention is divided among what computes it, as a policy chooses it; both are exact."""

from __future__ import annotations

from dataclasses import dataclass

from codesample.kernels.bifurcated_decode import FixedSplits, StreamK
from codesample.policies.parametrised import Parametrised
from codesample.records.fields import check_settings, setting

__all__ = ["FixedSchedule", "StreamKSchedule"]

_MOST_WORKERS = 4096


@dataclass(frozen=True)
class StreamKSchedule(Parametrised):
    """Prompts and candidates' own tokens in one line of key tiles, an equal stretch for every worker.

    Attributes:
        workers: How many share a step; 0 for as many as fill the device.

    Raises:
        ParameterError: `workers` is below 0, or more than any device has.
    Source: arXiv:2405.10480.
    """

    name, exact = "stream-k", True

    workers: int = setting(
        0,
        "How many share a step.",
        expected=f"from 1 to {_MOST_WORKERS}, or 0 for as many as fill the device",
        holds=lambda value: 0 <= value <= _MOST_WORKERS,
    )

    def __post_init__(self) -> None:
        check_settings(self)

    @property
    def division(self) -> StreamK:
        """What the kernels are told."""
        return StreamK(self.workers or None)


@dataclass(frozen=True)
class FixedSchedule(Parametrised):
    """Keys cut at fixed positions: a candidate's attention is bitwise the same whoever it is drawn beside.

    Attributes:
        keys: Positions that are read together, a multiple of 64.

    Raises:
        ParameterError: `keys` is none.
    """

    name, exact = "fixed", True

    keys: int = setting(
        1024,
        "Positions that are read together.",
        expected="a multiple of 64",
        holds=lambda value: value >= 64 and value % 64 == 0,
    )

    def __post_init__(self) -> None:
        check_settings(self)

    @property
    def division(self) -> FixedSplits:
        """What the kernels are told."""
        return FixedSplits(self.keys)
