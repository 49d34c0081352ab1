"""How a measurement stands to the bars that are for it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from codesample.bench.gpu_bars import BARS, Bar
from codesample.bench.measurements import Measurement

__all__ = ["Standing", "standings"]


class Standing(NamedTuple):
    """One measurement beside one bar: in milliseconds, or as a ratio."""

    bar: Bar
    wanted: float
    got: float

    @property
    def met(self) -> bool:
        """Whether the bar is reached."""
        return self.got <= self.wanted if self.bar.most is not None else self.got >= self.wanted


def standings(m: Measurement) -> Iterator[Standing]:
    """Yield how a measurement stands to each bar that is for it and whose figure it has."""
    for bar in BARS:
        if bar.fits(m) and (got := _figure(m, bar.figure)) is not None:
            yield Standing(bar, bar.scaled(m["copy_bytes_per_second"]), got)


def _figure(m: Measurement, name: str) -> float | None:
    try:
        match name:
            case "of copy":
                found = m["bytes_per_second"] / m["copy_bytes_per_second"]
            case "step ms":
                found = m["seconds"] * 1000 if m["kind"] == "step" else m["ms"]["codesample"]
            case "over best single sequence":
                found = m["faster_than"][m["best_single"]]
            case _:
                found = m["faster_than"][name.removeprefix("over ")]
    except KeyError:
        return None
    return float(found)
