"""Measurements of policies as a table, with a line on what each is worth."""

from __future__ import annotations

from collections.abc import Iterable

from codesample.bench.measurements import Measurement
from codesample.bench.tables import not_shown, table

__all__ = ["policy_tables"]

_COLUMNS = {
    "context": "tokens",
    "n": "n",
    "policy": "policy",
    "exact_ms": "exact step, ms",
    "step_ms": "step, ms",
    "refresh_ms": "choice, ms",
    "prepare_seconds": "prepare, s",
    "bytes": "bytes",
    "missed": "missed",
    "missed_worst": "worst head",
    "total_variation": "TV",
    "break_even": "break-even",
}


def policy_tables(measurements: Iterable[Measurement]) -> str:
    """Return a Markdown table, and below it what is slower than exact steps."""
    kept = list(measurements)
    shown = table(list(_COLUMNS.values()), map(_row, kept))
    slower = [
        f"- {m['policy']} at {m['context']} tokens: nothing is gained; a step takes, choosing included, "
        f"{m['mean_ms'] / m['exact_mean_ms']:.2f} times as long as an exact one.\n"
        for m in kept
        if m.get("break_even", 0) is None
    ]
    return shown + ("\n" + "".join(slower) if slower else "")


def _row(m: Measurement) -> list[object]:
    cells: list[object] = [m["context"], m["n"], m["policy"]]
    if "refused" in m:
        return [*cells, *not_shown(m["refused"], len(_COLUMNS) - len(cells))]
    for name in list(_COLUMNS)[len(cells) :]:
        value = m[name]
        if name in ("bytes", "missed", "missed_worst", "total_variation"):
            cells.append(f"{value:.1%}")
        elif name == "break_even":
            cells.append("never" if value is None else f"{value} steps")
        else:
            cells.append(value)
    return cells
