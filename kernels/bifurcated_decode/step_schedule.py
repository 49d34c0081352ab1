"""How the attention of a step may be divided, where that is not left to its implementation."""

from __future__ import annotations

from dataclasses import dataclass

from codesample.errors import ParameterError

__all__ = ["FixedSplits", "StepSchedule", "StreamK"]


@dataclass(frozen=True)
class StreamK:
    """Key tiles of shared segments and of rows' own tokens in one line, an equal stretch for every worker.

    Exact; see `stream_k`. With one number of workers a repeated call is bitwise equal; another number changes
    rounding alone. The torch form takes from it where keys are cut, and computes one stretch after the other.

    Args:
        workers: How many share a call's work. Default: in Triton what fills the GPU; in PyTorch its threads.

    Raises:
        ParameterError: `workers` is below 1.
    Source: arXiv:2405.10480.
    """

    workers: int | None = None

    def __post_init__(self) -> None:
        if self.workers is not None and self.workers < 1:
            raise ParameterError(f"workers = {self.workers}: expected at least 1")


@dataclass(frozen=True)
class FixedSplits:
    """Keys cut at fixed positions and rows computed in tiles of one size, whatever the batch.

    A row's result is then bitwise the same alone and beside any other rows, provided that its segments
    begin at multiples of `keys`; elsewhere it is the same but for rounding. Short prompts are divided among
    fewer programs than could work on them: that is the price.

    Args:
        keys: Positions that are read together, shared or own.

    Raises:
        ParameterError: `keys` is no multiple of 64, or below that.
    """

    keys: int = 1024

    def __post_init__(self) -> None:
        if self.keys < 64 or self.keys % 64:
            raise ParameterError(f"keys = {self.keys}: expected a multiple of 64")


StepSchedule = StreamK | FixedSplits
"""What `prepare_batch` takes besides None, which leaves it to the implementation."""
