"""A fit of the cost model as tables, and as the line that would replace the shipped rates."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from codesample.bench.cost_fit import CostFit, FittedCall, Rate
from codesample.bench.tables import table

__all__ = ["cost_fit_tables"]

_UNITS = {
    "memory": (1e-12, "memory, TB/s"),
    "cache": (1e-12, "L2 cache, TB/s"),
    "launch": (1e6, "a launch, µs"),
}
_CALL = ("model", "rows", "context", "launches")
_FIGURES = ("measured µs", "fitted µs", "off by", "shipped µs", "off by")


def cost_fit_tables(fit: CostFit) -> str:
    """Return rates, how far off the model is with the fitted and with the shipped ones, and every call."""
    m = fit.machine
    told = f"Machine(memory={m.memory:.3g}, cache={m.cache:.3g}, cache_bytes={m.cache_bytes}, "
    told += f"program={m.program:.3g}, launch={m.launch:.3g})"
    unfit = "".join(f"Left out: {count} calls, where {why}.\n" for why, count in fit.unfit.items())
    parts = [
        table(("rate", "shipped", "fitted", "standard error", "why not"), map(_rate, fit.rates)),
        table(("with rates", "typically off by", "at most"), _errors(fit.calls)),
        table((*_CALL, *_FIGURES), map(_call, fit.calls)),
        f"{unfit}Fitted to {len(fit.calls)} calls: `{told}`\n",
    ]
    return "\n".join(parts)


def _rate(rate: Rate) -> list[object]:
    factor, name = _UNITS[rate.name]
    if rate.fitted is None or rate.error is None:
        return [name, f"{rate.shipped * factor:.3g}", "-", "-", rate.why]
    figures = (rate.shipped, rate.fitted, rate.error)
    return [name, *(f"{figure * factor:.3g}" for figure in figures), ""]


def _errors(calls: Sequence[FittedCall]) -> list[list[object]]:
    lines: list[list[object]] = []
    for name, off in (
        ("fitted", [abs(_off(each.fitted, each)) for each in calls]),
        ("shipped", [abs(_off(each.shipped, each)) for each in calls]),
    ):
        lines.append([name, f"{median(off):.1%}", f"{max(off):.1%}"])
    return lines


def _call(each: FittedCall) -> list[object]:
    call = each.call
    return [
        call.model,
        call.batch.rows,
        max(call.batch.own_starts),
        1 + call.shared,
        f"{call.seconds * 1e6:.1f}",
        f"{each.fitted * 1e6:.1f}",
        f"{_off(each.fitted, each):+.1%}",
        f"{each.shipped * 1e6:.1f}",
        f"{_off(each.shipped, each):+.1%}",
    ]


def _off(expected: float, each: FittedCall) -> float:
    return expected / each.call.seconds - 1
