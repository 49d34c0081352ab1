"""Tables of what choosing gives: each reranker between a random choice and an oracle, and what it costs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from rich import box
from rich.console import Console, ConsoleOptions, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from codesample.evaluation.choice import Selection
from codesample.evaluation.intervals import Estimate
from codesample.evaluation.paired import Paired
from codesample.evaluation.report import Report
from codesample.records.counted import counted
from codesample.reports.page_lines import LabelledLine

__all__ = [
    "ChoiceTable",
    "cells_width",
    "choice_lines",
    "cost_table",
    "fitted",
    "no_room_for",
    "widest_piece",
]

# columns of a terminal on which differences to random and intervals of gaps have room
_ROOMY = 76
_LEAST = 56
# columns that names have beside costs
_COSTS_NAME = 28
# between two columns, and at the table's edges
_APART, _EDGES = 2, 3
_SEAMS, _QUOTES = ",>+|", "\"'"
_HEADINGS = ("value", "95 % interval", "gap closed", "over random, p")
_BY = re.compile(r"^(\s*)by ")
_Cells = tuple[str, str, str, str]
_Sections = list[list[tuple[str, Sequence[str]]]]


class ChoiceTable:
    """The table that a report begins with; a narrow terminal is shown fewer columns of it."""

    def __init__(self, report: Report) -> None:
        self._report = report
        # samples of other origin may be unequally many
        self._each = str(report.n) if report.n >= report.n_max else f"{report.n} to {report.n_max}"

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        report = self._report
        title = f"{report.task}, {report.model}: {report.size}, {counted(report.samples, 'sample')}"
        table = _table(title, options.max_width)
        sections, kept, width = self._fitting(options.max_width)
        for heading in _HEADINGS[:kept]:
            table.add_column(heading, justify="right", no_wrap=True)
        for number, section in enumerate(sections):
            if number:
                table.add_section()
            for label, cells in section:
                table.add_row(escape(fitted(label, width)), *cells)
        yield table
        if kept < len(_HEADINGS):
            yield no_room_for(_HEADINGS[kept:])

    def _fitting(self, columns: int) -> tuple[_Sections, int, int]:
        """Return as many figures as leave every name whole, how many these are, and the width of names."""
        for kept, roomy in ((4, True), (3, False), (2, False), (1, False)):
            sections: _Sections = [
                [(label, cells[:kept]) for label, cells in section] for section in self._sections(roomy)
            ]
            rows = [_HEADINGS[:kept], *(cells for section in sections for _, cells in section)]
            width = columns - cells_width(rows) - _EDGES
            named = (label for section in sections for label, _ in section)
            if (kept < 4 or columns >= _ROOMY) and max(map(widest_piece, named)) <= width:
                break
        return sections, kept, width

    def _sections(self, roomy: bool) -> Iterator[list[tuple[str, _Cells]]]:
        report = self._report
        if passes := [(label, _cells(figure)) for label, figure in _passes(report)]:
            yield passes
        yield list(self._choices(roomy))
        if (hidden := report.hidden_only) and hidden.random and hidden.oracle:
            yield [
                ("hidden checks, at random", _cells(hidden.random, "0 %")),
                *(
                    (f"  by {name}", _cells(figure, _share(hidden.gap_closed(name))))
                    for name, figure in hidden.rerankers.items()
                ),
                ("  by an oracle", _cells(hidden.oracle, "100 %")),
            ]

    def _choices(self, roomy: bool) -> Iterator[tuple[str, _Cells]]:
        report = self._report
        yield f"best of {self._each}, at random", _cells(report.random, "0 %")
        if report.greedy:
            yield "  greedy", _cells(report.greedy.pass_at_1, over=_over(report.greedy.over_random))
        for name, each in report.rerankers.items():
            yield f"  by {name}", _cells(each.best_of_n, _gap(each, roomy), _over(each.over_random))
            for part, figure in each.parts.items():
                yield f"    on {part}", _cells(figure)
        yield "  by an oracle", _cells(report.oracle, "100 %")


def no_room_for(headings: Sequence[str]) -> LabelledLine:
    """Say which columns a terminal is too narrow for."""
    return LabelledLine(f"no room     for {', '.join(headings)}; a wider terminal has it, and --json")


def choice_lines(report: Report) -> Iterator[str]:
    """Say what the table alone would not tell of its rows: abstentions, and why one is below random."""
    for name, each in report.rerankers.items():
        for kind, doubt in each.doubts(name, report.problems).items():
            line = f"{kind:<11} {escape(doubt)}"
            yield f"[red]{line}[/red]" if kind == "below" else line
    if (hidden := report.hidden_only) and hidden.random:
        where = f", on {hidden.problems} of {report.problems} problems" * (hidden.problems < report.problems)
        yield f"hidden      the last section counts the checks that no prompt shows{where}"
    elif hidden and hidden.left_out:
        yield (
            f"hidden      nothing of {hidden.left_out} of {report.problems} problems: their prompts show "
            "every check, and what runs the prompts' examples chooses by the tests that grade"
        )
    if report.variance:
        split = report.variance
        yield (
            f"uncertainty standard error of pass@1: {split.problems:.3f} from the choice of problems, "
            f"{split.sampling:.3f} from that of candidates"
        )
    if report.greedy:
        yield f"greedy      from {escape(report.greedy.run)}"


def cost_table(report: Report) -> RenderableType:
    """Return what each reranker's scores took, and what each point above random took."""
    table = _table("cost of scores, all problems")
    names = {name: escape(folded(name, _COSTS_NAME)) for name in report.rerankers}
    for heading in ("tokens drawn", "read", "programs run", "seconds"):
        table.add_column(heading, justify="right")
    for name, each in report.rerankers.items():
        cost, point = each.cost, each.cost_per_point
        if cost is None:
            table.add_row(names[name], "not known", "", "", "")
            continue
        spent = (cost.tokens_drawn, cost.tokens_read, cost.executions)
        table.add_row(names[name], *(f"{value:,}" for value in spent), f"{cost.seconds:,.1f}")
        if point is None:
            table.add_row("  a point over random", "none gained", "", "", "")
        else:
            named = ("tokens_drawn", "tokens_read", "executions")
            per = (f"{point[name]:,.0f}" for name in named)
            table.add_row("  a point over random", *per, f"{point['seconds']:,.1f}")
    return table


def folded(label: str, width: int) -> str:
    """Break a label that is too wide behind the signs of a composition, with what follows set in.

    Behind , > + and |, that is, where they stand in no bracket and no quotes; never within a name.

    Args:
        width: Columns of a line, which a part without a seam may exceed.
    """
    lines = [""]
    for piece in _pieces(label):
        if lines[-1].strip() and len((lines[-1] + piece).rstrip()) > width:
            lines.append(_indent(label))
        lines[-1] += piece
    return "\n".join(line.rstrip() for line in lines)


def widest_piece(label: str) -> int:
    """Return how many columns a label needs, broken as `fitted` does."""
    first, *others = (piece.rstrip() for piece in _pieces(_bare(label)))
    return max([len(first), *(len(_indent(label)) + len(each) for each in others)])


def cells_width(rows: Sequence[Sequence[str]]) -> int:
    """Return how many columns of the terminal the cells of some rows take, with what parts them."""
    widest = (max(Text.from_markup(cell).cell_len for cell in column) for column in zip(*rows, strict=True))
    return sum(each + _APART for each in widest)


def _indent(label: str) -> str:
    return " " * (len(label) - len(label.lstrip()) + 2)


def _pieces(label: str) -> list[str]:
    found, depth, quote, ended = [""], 0, "", False
    for char in label:
        if ended and not char.isspace():
            found.append("")
            ended = False
        found[-1] += char
        if quote:
            quote = "" if char == quote else quote
        elif char in _QUOTES:
            quote = char
        else:
            depth += (char == "(") - (char == ")")
            ended = ended or (depth == 0 and char in _SEAMS)
    return found


def fitted(label: str, width: int) -> str:
    """Break a label at its seams; a name that is too wide in one piece goes without its "by"."""
    lines = folded(label, width)
    return folded(_bare(label), width) if max(map(len, lines.split("\n"))) > width else lines


def _bare(label: str) -> str:
    return _BY.sub(r"\1", label)


def _table(title: str, columns: int = _LEAST) -> Table:
    table = Table(
        title=escape(title),
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        min_width=min(_LEAST, columns),
    )
    table.add_column("", overflow="fold")
    return table


def _passes(report: Report) -> Iterator[tuple[str, Estimate]]:
    """Yield pass@k with what it is called: of all tests, and of the parts that come before the last."""
    names = list(report.parts)
    for k, estimate in report.pass_at_k.items():
        for number, name in enumerate(names[:-1], start=1):
            if k in report.parts[name]:
                yield f"pass@{k} on {' + '.join(names[:number])}", report.parts[name][k]
        yield f"pass@{k} on {' + '.join(names)}" if names else f"pass@{k}", estimate


def _cells(estimate: Estimate, gap: str = "", over: str = "") -> _Cells:
    return f"{estimate.value:.3f}", f"[dim]{estimate.low:.3f} - {estimate.high:.3f}[/dim]", gap, over


def _gap(selection: Selection, roomy: bool) -> str:
    gap = selection.gap_closed
    if gap is None:
        return "no gap"
    doubted = roomy and gap.low < gap.high
    ends = f" [dim]({_whole(gap.low)}..{_whole(gap.high)})[/dim]" if doubted else ""
    return _share(gap.value) + ends


def _share(gap: float | None) -> str:
    return "no gap" if gap is None else f"{_whole(gap)} %"


def _whole(share: float) -> str:
    # zero has no sign
    return f"{round(100 * share) + 0:d}"


def _over(paired: Paired | None) -> str:
    if paired is None:
        return ""
    p = "<.001" if paired.p < 0.001 else f"{paired.p:.3f}".removeprefix("0")
    return f"{paired.difference.value:+.3f} [dim]({p})[/dim]"
