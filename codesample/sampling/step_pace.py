"""How far a decode loop lets the device run ahead of the host, and when it forms a new batch."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["CPU_PACE", "GPU_PACE", "Pace"]


class Pace(NamedTuple):
    """How far the host lets the device run ahead.

    Attributes:
        lag: Steps in flight while the host reads the tokens of an earlier one.
        patience: Share of a batch's rows that may have ended before the batch is formed anew. Until then
            they cost their part of a step, and a new batch costs a layout and, on CUDA, a capture.
    """

    lag: int
    patience: float


CPU_PACE, GPU_PACE = Pace(0, 0.0), Pace(1, 0.25)
