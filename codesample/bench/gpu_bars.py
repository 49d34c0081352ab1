"""What a card should reach: the bars of the GPU benchmark, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from codesample.bench.attention_rivals import EXPANDED, TORCH_CASCADE
from codesample.bench.measurements import Measurement

__all__ = ["BARS", "REFERENCE_COPY", "Bar"]

REFERENCE_COPY = 4.3e12
"""Bytes per second, read plus written, of a large copy on the H200 that the bars in milliseconds are for."""


@dataclass(frozen=True)
class Bar:
    """What the measurements of one sort should reach.

    Attributes:
        figure: Name of the figure, see `_FIGURES`.
        least, most: The bar: at least, or at most, this much.
        where: Facts of the measurements it is for; a tuple names several values, "least context" and
            "most rows" bound them.
        meaning: What reaching it says.
    """

    figure: str
    meaning: str
    least: float | None = None
    most: float | None = None
    where: Mapping[str, Any] = field(default_factory=dict)

    def fits(self, m: Measurement) -> bool:
        """Whether it is for this measurement."""
        return all(_agrees(m, name, wanted) for name, wanted in self.where.items())

    def scaled(self, copy: float) -> float:
        """Return the bar on a card that copies `copy` bytes a second; only times depend on that."""
        if self.most is None:
            assert self.least is not None, "a bar has one side"
            return self.least
        return self.most * REFERENCE_COPY / copy


def _step(model: str, context: int, rows: int, most: float, meaning: str) -> Bar:
    kinds = ("step", "sampler step")
    return Bar(
        "step ms",
        meaning,
        most=most,
        where={"kind": kinds, "model": model, "context": context, "rows": rows},
    )


_AIM = "80 % of what bytes and operations allow"
_PUBLISHED = "the published bifurcated attention, its H100 figure scaled by bandwidth"

BARS = (
    Bar(
        "of copy",
        "the context is read at nearly the rate of a copy",
        least=0.85,
        where={"kind": "attention", "least context": 8192, "most rows": 64},
    ),
    Bar(
        f"over {EXPANDED}",
        "sharing pays what it should",
        least=15.0,
        where={"kind": "attention", "model": "7b-mha", "context": 8192, "rows": 32},
    ),
    Bar(
        "over best single sequence",
        "never slower than attention without sharing",
        least=0.97,
        where={"kind": "attention"},
    ),
    Bar(
        f"over {TORCH_CASCADE}",
        "faster than a cascade of what torch has",
        least=1.0,
        where={"kind": "attention"},
    ),
    _step("7b-mha", 8192, 32, 5.4, _AIM),
    _step("7b-mha", 32768, 32, 9.1, _AIM),
    _step("mistral-7b", 8192, 32, 4.5, _AIM),
    _step("mistral-7b", 32768, 32, 5.5, _AIM),
    _step("7b-mha", 8192, 256, 9.6, _AIM),
    _step("7b-mha", 8192, 32, 9.4, _PUBLISHED),
    _step("7b-mha", 32768, 32, 22.4, _PUBLISHED),
    _step("7b-mha", 8192, 256, 18.9, _PUBLISHED),
    _step("mistral-7b", 8192, 32, 8.7, _PUBLISHED),
    _step("mistral-7b", 32768, 32, 18.8, _PUBLISHED),
)
"""Times are those of an H200 in bf16, with 64 own tokens per row."""


def _agrees(m: Measurement, name: str, wanted: Any) -> bool:
    if name == "least context":
        return bool(m.get("context", 0) >= wanted)
    if name == "most rows":
        return bool(m.get("rows", wanted + 1) <= wanted)
    return m.get(name) in wanted if isinstance(wanted, tuple) else m.get(name) == wanted
