"""Rows to files: JSON lines, a Markdown table and a plot."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from codesample.bench.decode_cells import Row
from codesample.errors import ParameterError

__all__ = ["markdown", "plot", "save_rows"]


def save_rows(rows: Iterable[Row], path: Path) -> None:
    """Append rows to a file of JSON lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)


def markdown(rows: Iterable[Row]) -> str:
    """Return the rows as Markdown tables, one of whole jobs and one of single steps."""
    kept = list(rows)
    lines = [
        "| shape | workload | n | method | tokens/s | first token, s | extra MiB | codesample is faster by |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for r in (r for r in kept if r["kind"] == "job"):
        head = f"| {r['shape']} | {r['workload']} | {r['n']} | {r['method']} | "
        if "refused" in r:
            lines.append(head + f"not shown: {r['refused']} | | | |")
        else:
            figures = (r["tokens_per_second"], r["first_token_seconds"], r["peak_extra_mib"])
            lines.append(head + " | ".join(map(str, figures)) + f" | {r['codesample_is_faster_by']}x |")
    steps = [r for r in kept if r["kind"] == "step"]
    if steps:
        methods = list(dict.fromkeys(m for r in steps for m in [*r.get("ms", ()), *r.get("left_out", ())]))
        lines += [
            "",
            "| shape | context | n | " + "".join(f"{m}, ms | " for m in methods) + "attention, ms |",
        ]
        lines.append("|---" * (len(methods) + 4) + "|")
        for r in steps:
            cells = (
                [f"not shown: {r['refused']}"] + [""] * len(methods)
                if "refused" in r
                else [*(_step_cell(r, m) for m in methods), str(r["attention_ms"])]
            )
            lines.append(f"| {r['shape']} | {r['context']} | {r['n']} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _step_cell(row: Row, method: str) -> str:
    if method in row["ms"]:
        low, ratio, high = (row[name][method] for name in ("ratio_low", "ratio", "ratio_high"))
        return f"{row['ms'][method]} ({ratio}x, {low} to {high})"
    return f"not shown: {row['left_out'][method]}" if method in row["left_out"] else ""


def plot(rows: Iterable[Row], path: Path) -> None:
    """Draw milliseconds per step over n at the commonest context, one line per method.

    Raises:
        ParameterError: no rows of steps, or matplotlib is not installed.
    """
    try:
        import matplotlib

        matplotlib.use("Agg")
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ParameterError("a plot needs matplotlib: pip install 'codesample[plots]'") from error
    steps = [r for r in rows if r["kind"] == "step" and "ms" in r]
    cells = [(r["shape"], r["context"]) for r in steps]
    if not cells:
        raise ParameterError("no rows of single steps to plot; run without --no-steps")
    shape, context = max(set(cells), key=cells.count)
    chosen = sorted(
        (r for r in steps if (r["shape"], r["context"]) == (shape, context)), key=lambda r: r["n"]
    )
    figure, axes = plt.subplots(figsize=(7, 4.5))
    for method in dict.fromkeys(m for r in chosen for m in r["ms"]):
        had = [r for r in chosen if method in r["ms"]]
        axes.plot([r["n"] for r in had], [r["ms"][method] for r in had], marker="o", label=method)
    axes.set(xscale="log", yscale="log", xlabel="candidates", ylabel="ms per decode step")
    axes.set_xscale("log", base=2)
    where = [chosen[0]["device"], *([f"{threads} threads"] if (threads := chosen[0]["threads"]) else [])]
    axes.set_title(", ".join([shape, f"{context} prompt tokens", *where]))
    axes.grid(visible=True, which="both", alpha=0.3)
    axes.legend()
    figure.tight_layout()
    figure.savefig(path, dpi=140)
    plt.close(figure)
