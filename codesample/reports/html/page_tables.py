"""Tables of a page beside that of the figures: comparisons, costs, parts of the tests, what prompts show."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from codesample.evaluation.choice import Selection
from codesample.evaluation.intervals import Estimate
from codesample.evaluation.leaks import HiddenOnly, hidden_only
from codesample.evaluation.paired import Paired
from codesample.evaluation.report import Report
from codesample.evaluation.run_contents import RunContents
from codesample.records.counted import counted

__all__ = ["PageTable", "cost_table", "page_tables"]


class PageTable(NamedTuple):
    """A table of texts; each row begins with what it is about. `remarks` are on rows, and stand below."""

    title: str
    heads: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    note: str = ""
    remarks: Sequence[tuple[str, str]] = ()


def page_tables(contents: RunContents) -> Iterator[PageTable]:
    """Yield the tables for which a run has figures."""
    report = contents.report
    if report is not None:
        yield from _beside_random(report)
        yield from cost_table(report.rerankers)
        yield from _by_part(report)
    if (hidden := hidden_only(contents.pools, contents.scores)) is not None:
        yield _hidden(hidden)


def cost_table(rerankers: Mapping[str, Selection]) -> Iterator[PageTable]:
    """Yield the table of what scores took, where that is known of any."""
    rows, remarks = [], []
    for name, each in rerankers.items():
        if each.cost is None:
            remarks.append((name, "what its scores took is not known"))
            continue
        point = each.cost_per_point
        rows.append(
            (
                name,
                f"{each.cost.tokens_drawn:,}",
                f"{each.cost.tokens_read:,}",
                f"{each.cost.executions:,}",
                f"{each.cost.seconds:,.1f}",
                "no gain"
                if point is None
                else f"{point['seconds']:,.1f} s, {point['executions']:,.0f} executions",
            )
        )
    if rows:
        yield PageTable(
            "Cost",
            ("reranker", "tokens drawn", "tokens read", "executions", "seconds", "per point above random"),
            rows,
            "What the scores took, as if nothing had been there before; what several rerankers share counts "
            "for each. A point is a hundredth of the problems.",
            _gathered(remarks),
        )


def _beside_random(report: Report) -> Iterator[PageTable]:
    rows, remarks = [], []
    for name, each in report.rerankers.items():
        if (over := each.over_random) is None:
            continue
        rows.append((name, *_compared(over)))
        notes = [each.below_random, each.curve_note]
        notes += [f"gave no scores on {100 * each.abstained:.0f} % of problems"] if each.abstained else []
        notes += (
            [f"preferred none on {100 * each.undecided:.0f} % of problems"]
            if each.undecided > each.abstained
            else []
        )
        remarks += [(name, text) for text in notes if text]
    if report.greedy is not None:
        rows.append(("greedy", *_compared(report.greedy.over_random)))
        remarks.append(("greedy", f"the run {report.greedy.run}, pass@1 {report.greedy.pass_at_1.value:.3f}"))
    if rows:
        yield PageTable(
            "Compared with a random choice",
            ("reranker", "difference", "95 % interval", "p", "better / worse / equal"),
            rows,
            "Paired by problem; p by flipped signs.",
            _gathered(remarks),
        )


def _gathered(remarks: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Say of several rerankers at once what is said of each."""
    names: dict[str, list[str]] = {}
    for name, text in remarks:
        names.setdefault(text, []).append(name)
    return [("; ".join(those), text) for text, those in names.items()]


def _compared(over: Paired) -> tuple[str, str, str, str]:
    return (
        f"{over.difference.value:+.3f}".replace("-", "−"),
        _interval(over.difference),
        f"{over.p:.3f}" if over.p >= 0.001 else "under 0.001",
        f"{over.won} / {over.lost} / {over.tied}",
    )


def _by_part(report: Report) -> Iterator[PageTable]:
    names = [name for name in report.parts if any(name in each.parts for each in report.rerankers.values())]
    if names:
        rows = [
            (reranker, *(f"{each.parts[name].value:.3f}" if name in each.parts else "" for name in names))
            for reranker, each in report.rerankers.items()
        ]
        yield PageTable("Best-of-n by part of the tests", ("reranker", *names), rows)


def _hidden(found: HiddenOnly) -> PageTable:
    rows = [("at random", *_cells(found.random), "0 %")]
    for name, estimate in found.rerankers.items():
        gap = found.gap_closed(name)
        rows.append(
            (name, *_cells(estimate), "no gap" if gap is None else f"{100 * gap:.0f} %".replace("-", "−"))
        )
    rows.append(("oracle", *_cells(found.oracle), "100 %"))
    left_out = _left_out(found.left_out, "prompt shows all checks")
    unclear = _left_out(found.unclear, "verdicts do not tell checks apart")
    return PageTable(
        "By the checks that no prompt shows",
        ("figure", "value", "95 % interval", "gap closed"),
        rows,
        f"Prompts show some hidden checks; without these, over {found.problems} problems.{left_out}{unclear}",
    )


def _left_out(count: int, why: str) -> str:
    return f" Left out: {counted(count, 'problem')} whose {why}." if count else ""


def _cells(estimate: Estimate | None) -> tuple[str, str]:
    return ("", "") if estimate is None else (f"{estimate.value:.3f}", _interval(estimate))


def _interval(estimate: Estimate) -> str:
    return f"{estimate.low:.3f} – {estimate.high:.3f}".replace("-", "−")
