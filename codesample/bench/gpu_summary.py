"""What the rows of one card say: each beside its bar, and what is missing, as data."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from codesample.bench.gpu_page import gpu_page
from codesample.bench.gpu_rows import IDENTITY
from codesample.bench.gpu_standings import standings
from codesample.bench.measurements import Measurement

__all__ = ["summary_files"]


def summary_files(rows: Sequence[Measurement]) -> list[tuple[str, str]]:
    """Return names and texts of the summary of some rows, which may be those of an unfinished call."""
    latest = _latest(rows)
    found = _summary(latest)
    return [
        ("summary.json", json.dumps(found, indent=2) + "\n"),
        ("summary.md", gpu_page(found, latest)),
    ]


def _latest(rows: Sequence[Measurement]) -> list[Measurement]:
    """Return of every cell and check what the latest call that had time for it says."""
    tried = {_key(row) for row in rows if "no_time" not in row}
    return list(
        {
            (*_key(row), row.get("method")): row
            for row in rows
            if "no_time" not in row or _key(row) not in tried
        }.values()
    )


def _key(row: Measurement) -> tuple[object, ...]:
    return tuple(row.get(name) for name in (*IDENTITY, "what"))


def _summary(rows: Sequence[Measurement]) -> Measurement:
    environment = next((row for row in rows if row["kind"] == "environment"), {})
    rehearsal = any(row.get("rehearsal") for row in rows)
    checks = [row for row in rows if row["kind"] == "check"]
    beside = [] if rehearsal else [each for row in rows for each in _beside(row)]
    return {
        "rehearsal": rehearsal,
        "environment": environment,
        "checks": {
            "passed": sum(row["passed"] is True for row in checks),
            "failed": [row for row in checks if row["passed"] is False],
            "without_time": sum(row["passed"] is None for row in checks),
        },
        "measured": sum(
            row["kind"] not in ("environment", "check", "end") and "refused" not in row for row in rows
        ),
        "bars": beside,
        "bars_met": sum(each["met"] for each in beside),
        "left_out": [
            {name: row[name] for name in (*IDENTITY, "method", "refused") if name in row}
            for row in rows
            if "refused" in row and row["kind"] != "check"
        ],
    }


def _beside(row: Measurement) -> Iterator[Measurement]:
    for each in standings(row):
        yield {
            **{name: row[name] for name in IDENTITY},
            "figure": each.bar.figure,
            "got": round(each.got, 3),
            "bar": round(each.wanted, 3),
            "side": "at least" if each.bar.most is None else "at most",
            "met": each.met,
            "meaning": each.bar.meaning,
        }
