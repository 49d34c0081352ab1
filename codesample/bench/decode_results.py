"""Measurements of the decode benchmark as tables and a plot."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from codesample.bench.measurements import Measurement
from codesample.bench.plots import Plot
from codesample.bench.tables import not_shown, table
from codesample.errors import ParameterError

__all__ = ["decode_plot", "decode_tables"]

_JOB = ("shape", "workload", "n", "method")
_JOB_FIGURES = {
    "tokens_per_second": "tokens/s",
    "first_token_seconds": "first token, s",
    "peak_extra_mib": "extra MiB",
    "codesample_is_faster_by": "codesample is faster by",
}
_STEP = ("shape", "context", "n")


def decode_tables(measurements: Iterable[Measurement]) -> str:
    """Return Markdown tables, one of whole jobs and, where there are any, one of single steps."""
    kept = list(measurements)
    jobs = table((*_JOB, *_JOB_FIGURES.values()), (_job_row(m) for m in kept if m["kind"] == "job"))
    steps = [m for m in kept if m["kind"] == "step"]
    return f"{jobs}\n{_step_table(steps)}" if steps else jobs


def _job_row(m: Measurement) -> list[object]:
    if "refused" in m:
        figures = not_shown(m["refused"], len(_JOB_FIGURES))
    else:
        figures = [str(m[name]) for name in _JOB_FIGURES]
        figures[-1] = "-" if m["codesample_is_faster_by"] is None else f"{figures[-1]}x"
    return [m[name] for name in _JOB] + figures


def _step_table(steps: Sequence[Measurement]) -> str:
    methods = list(dict.fromkeys(way for m in steps for way in [*m.get("ms", ()), *m.get("left_out", ())]))
    columns = [*_STEP, *(f"{method}, ms" for method in methods), "attention, ms"]
    return table(columns, (_step_row(m, methods) for m in steps))


def _step_row(m: Measurement, methods: Sequence[str]) -> list[object]:
    if "refused" in m:
        figures = not_shown(m["refused"], len(methods) + 1)
    else:
        figures = [*(_step_figure(m, method) for method in methods), str(m["attention_ms"])]
    return [m[name] for name in _STEP] + figures


def _step_figure(m: Measurement, method: str) -> str:
    if method in m["ms"]:
        low, ratio, high = (m[name][method] for name in ("ratio_low", "ratio", "ratio_high"))
        return f"{m['ms'][method]} ({ratio}x, {low} to {high})"
    return f"not shown: {m['left_out'][method]}" if method in m["left_out"] else ""


def decode_plot(measurements: Iterable[Measurement]) -> Plot:
    """Return milliseconds per step over n at the commonest context, a line for each method.

    Raises:
        ParameterError: no single steps were measured.
    """
    steps = [m for m in measurements if m["kind"] == "step" and "ms" in m]
    cells = [(m["shape"], m["context"]) for m in steps]
    if not cells:
        raise ParameterError("no rows of single steps to plot; run without --no-steps")
    shape, context = max(set(cells), key=cells.count)
    chosen = [m for m in steps if (m["shape"], m["context"]) == (shape, context)]
    lines: dict[str, list[tuple[float, float]]] = {}
    for m in chosen:
        for method, took in m["ms"].items():
            lines.setdefault(method, []).append((m["n"], took))
    threads = chosen[0]["threads"]
    where = [chosen[0]["device"], *([f"{threads} threads"] if threads else [])]
    title = ", ".join([shape, f"{context} prompt tokens", *where])
    return Plot(title, "candidates", "ms per decode step", lines)
