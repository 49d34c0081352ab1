"""The summary of one card as a page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from codesample.bench.attention_results import attention_table
from codesample.bench.gpu_bars import REFERENCE_COPY
from codesample.bench.gpu_rows import IDENTITY
from codesample.bench.measurements import Measurement
from codesample.bench.tables import table

__all__ = ["gpu_page"]

_REHEARSED = (
    "**A rehearsal on a CPU. No figure below is of a GPU, and none stands beside a bar.** It shows that the "
    "command runs from end to end."
)


def gpu_page(found: Measurement, rows: Sequence[Measurement]) -> str:
    """Return the summary of some rows as Markdown; `found` is the same as data."""
    return "\n".join(part for part in _parts(found, rows) if part)


def _parts(found: Measurement, rows: Sequence[Measurement]) -> Iterator[str]:
    machine = found["environment"]
    yield f"# {'Rehearsal' if found['rehearsal'] else 'One card'}: {machine.get('device')}\n"
    if found["rehearsal"]:
        yield _REHEARSED + "\n"
    told = ("driver", "cuda", "torch", "triton", "transformers", "commit", "date")
    yield ", ".join(f"{name} {machine.get(name)}" for name in told) + "."
    if copy := machine.get("copy_bytes_per_second"):
        yield f"A large copy moves {copy / 1e12:.3g} TB/s, read plus written.\n"
    checks = found["checks"]
    total = checks["passed"] + len(checks["failed"]) + checks["without_time"]
    late = f", {checks['without_time']} had no time" if checks["without_time"] else ""
    yield f"## Correctness\n\n{checks['passed']} of {total} checks passed{late}.\n"
    for row in checks["failed"]:
        yield f"- FAILED: {row['what']}: {row['reason']}"
    if found["bars"]:
        yield _bars(found, copy)
    attention = [row for row in rows if row["kind"] == "attention" and "no_time" not in row]
    if attention:
        yield "\n## Attention of one layer\n\n" + attention_table(attention)
    yield _schedules(rows)
    yield _steps(rows)
    if jobs := [row for row in rows if row["kind"] == "job" and "seconds" in row]:
        columns = (
            "model",
            "rows",
            "context",
            "method",
            "seconds",
            "tokens_per_second",
            "first_token_seconds",
        )
        yield "## Whole jobs\n\n" + table(columns, [[row[name] for name in columns] for row in jobs])
    for row in (row for row in rows if row["kind"] == "profile" and "kernels" in row):
        kernels = [[k["name"], k["us_per_step"], k["calls_per_step"]] for k in row["kernels"]]
        yield f"## Kernels of a step: {row['model']}, n {row['rows']}, context {row['context']}\n"
        yield table(("kernel", "µs per step", "calls per step"), kernels)
    if found["left_out"]:
        shown = [
            [row.get(name, "") for name in (*IDENTITY, "method", "refused")] for row in found["left_out"]
        ]
        yield "## Left out\n\n" + table((*IDENTITY, "method", "why"), shown)


def _bars(found: Measurement, copy: float) -> str:
    columns = (*IDENTITY, "figure", "got", "side", "bar", "met", "meaning")
    lines = [
        ["yes" if row[c] is True else "NO" if row[c] is False else row[c] for c in columns]
        for row in found["bars"]
    ]
    return (
        f"## Beside the bars\n\n{found['bars_met']} of {len(lines)} are met. Bars in ms are those of "
        f"an H200 that copies {REFERENCE_COPY / 1e12} TB/s, times {REFERENCE_COPY / copy:.3g} here.\n\n"
        + table(columns, lines)
    )


def _schedules(rows: Sequence[Measurement]) -> str:
    lines = [
        [
            *(row[name] for name in ("model", "kv_heads", "rows", "context", "method")),
            f"{row['seconds'] * 1e6:.1f}",
        ]
        for row in rows
        if row["kind"] == "schedule" and "seconds" in row
    ]
    if not lines:
        return ""
    columns = ("model", "KV heads", "rows", "context", "schedule", "µs")
    return "## Attention of one layer, by schedule\n\n" + table(columns, lines)


def _steps(rows: Sequence[Measurement]) -> str:
    lines: list[list[object]] = []
    for row in rows:
        if row["kind"] == "step" and "seconds" in row:
            part = f"{row['bytes_per_second'] / row['copy_bytes_per_second']:.0%}"
            lines.append(
                [
                    row["model"],
                    row["rows"],
                    row["context"],
                    "private decoder",
                    f"{row['seconds'] * 1e3:.2f}",
                    part,
                ]
            )
        rivals = row.get("rival_seconds", {}) if row["kind"] == "step" else {}
        for way, seconds in rivals.items():
            ms = f"{seconds * 1e3:.2f}"
            lines.append([row["model"], row["rows"], row["context"], f"private decoder: {way}", ms, ""])
        for way, ms in row["ms"].items() if row["kind"] == "sampler step" and "ms" in row else ():
            lines.append(
                [row["model"], row["rows"], row["context"], f"Sampler's model: {way}", f"{ms:.2f}", ""]
            )
    if not lines:
        return ""
    return "## Whole steps\n\n" + table(("model", "rows", "context", "way", "ms", "of copy"), lines)
