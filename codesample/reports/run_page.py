"""A run problem by problem, a line for each: what came of its candidates, and what each reranker chose."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from codesample.evaluation.picks import Pick
from codesample.evaluation.run_contents import RunContents
from codesample.evaluation.run_lines import ProblemLine
from codesample.records import Status
from codesample.reports.page_lines import Surface, labelled
from codesample.reports.status_marks import STYLES, legend, mark, status_bar

__all__ = ["run_page"]

# in columns
_LEAST_BAR, _MOST_BAR, _NARROW_NAME, _WIDE_NAME, _ROOMY = 8, 40, 16, 32, 100

_GAP = "  "


def run_page(
    contents: RunContents,
    every: Sequence[ProblemLine],
    chosen: Sequence[ProblemLine],
    surface: Surface,
    *,
    filters: str = "",
    first: int = 1,
    last: int = 40,
) -> Iterator[Text]:
    """Yield the page line by line.

    Args:
        every: Lines of all problems of the run.
        chosen: Those that are meant, in their order.
        filters: What these have in common, in words.
        first, last: Which of them the page shows, by their places from 1.
    """
    manifest, shown = contents.manifest, chosen[first - 1 : last]
    title = f"{manifest.task}, {manifest.model}: {len(every)} problems"
    if filters:
        title += f", {len(chosen)} of them {filters}"
    yield Text(surface.line(title), style="bold")
    table = _Table(list(contents.scores), shown, surface)
    if shown:
        yield from table.lines()
    if len(shown) < len(chosen):
        places = f"{first} to {first + len(shown) - 1}" if shown else "none"
        others = f"others by --limit, such as {_next(first, last, chosen)}"
        yield Text(f"{places} of {len(chosen)} are shown; {others}")
    yield Text("")
    yield from _below(contents, every, shown, surface)


def _next(first: int, last: int, chosen: Sequence[ProblemLine]) -> str:
    end = min(last, len(chosen))
    return f"{end + 1}-{min(len(chosen), end + last - first + 1)}" if end < len(chosen) else f"{len(chosen)}"


def _below(
    contents: RunContents, every: Sequence[ProblemLine], shown: Sequence[ProblemLine], surface: Surface
) -> Iterator[Text]:
    seen = {status for line in shown for status in line.statuses}
    if seen:
        yield from labelled("marks", legend(seen, plain=surface.plain).replace("  ", ", "), surface)
    picks = [pick for line in shown for pick in line.picks.values() if pick]
    ties = []
    if any(len(pick.indices) > 1 for pick in picks):
        ties.append("'0 +4' is candidate 0 and four more that share the first place")
    if any(0 < pick.passed < len(pick.indices) for pick in picks):
        ties.append("'~ 2/5' are five, of which two pass")
    if ties:
        yield from labelled("ties", "; ".join(ties), surface)
    solvable = sum(line.passed > 0 for line in every)
    for number, name in enumerate(contents.scores, 1):
        lost = sum(line.lost(name) for line in every)
        said = f"{name}, which loses {_count(lost)} of the {solvable} problems that some program passes"
        yield from labelled(f"by {number}", said, surface)
    if not contents.scores:
        yield from labelled("rerankers", f"none yet; codesample rerank {contents.path} -r NAME", surface)
    waiting = len(contents.chosen.problems) - len(contents.pools)
    if contents.unjudged or waiting:
        said = f"{waiting} problems and {contents.unjudged} candidates of others have no verdict yet"
        yield from labelled("unfinished", said, surface)
    yield from labelled("closer", f"codesample show {contents.path} PROBLEM [INDEX]", surface)


@dataclass(frozen=True, slots=True)
class _Table:
    rerankers: list[str]
    rows: Sequence[ProblemLine]
    surface: Surface

    def lines(self) -> Iterator[Text]:
        width = self.surface.width
        most = _WIDE_NAME if width >= _ROOMY else _NARROW_NAME
        name = max(len("problem"), min(most, max(cell_len(self._name(line)) for line in self.rows)))
        passed = max(len("passed"), *(len(_passed(line)) for line in self.rows))
        picks = self._picks(width - name - passed - 2 * len(_GAP) - _LEAST_BAR)
        right = sum(len(_GAP) + size for _, size, _ in picks)
        room = width - name - passed - right - 2 * len(_GAP)
        bar = max(_LEAST_BAR, min(_MOST_BAR, room, max(line.candidates for line in self.rows)))
        head = [f"{'problem':<{name}}", f"{'passed':>{passed}}", f"{'verdicts':<{bar}}"[:bar]]
        yield Text(_GAP.join([*head, *(title for title, _, _ in picks)]).rstrip(), style="dim")
        for at, line in enumerate(self.rows):
            shown = status_bar(line.statuses, width=bar, plain=self.surface.plain)
            shown.pad_right(bar - len(shown))
            row = Text(_GAP).join(
                [
                    Text(set_cell_size(self._name(line), name)),
                    Text(f"{_passed(line):>{passed}}"),
                    shown,
                    *(cells[at] for _, _, cells in picks),
                ]
            )
            row.rstrip()
            yield row

    def _name(self, line: ProblemLine) -> str:
        return self.surface.line(line.task_id)

    def _picks(self, room: int) -> list[tuple[str, int, list[Text]]]:
        """Return columns that fit: by names, else by numbers, else all rerankers' marks in one."""
        cells = {name: [self._cell(line.picks[name]) for line in self.rows] for name in self.rerankers}
        numbers = [f"by {number}" for number, _ in enumerate(self.rerankers, 1)]
        named = [f"{number} {name}" for number, name in zip(numbers, self.rerankers, strict=True)]
        for titles in (named, numbers):
            columns = []
            for title, column in zip(titles, cells.values(), strict=True):
                size = max(len(title), *(len(cell) for cell in column))
                columns.append((f"{title:<{size}}", size, [_padded(cell, size) for cell in column]))
            if sum(len(_GAP) + size for _, size, _ in columns) <= room:
                return columns
        title = f"by 1-{len(self.rerankers)}"
        size = max(len(self.rerankers), len(title))
        marks = [
            Text.assemble(*(column[at][:1] for column in cells.values())) for at, _ in enumerate(self.rows)
        ]
        return [(f"{title:<{size}}", size, [_padded(each, size) for each in marks])]

    def _cell(self, pick: Pick | None) -> Text:
        """Say which candidate is first and what came of it."""
        if pick is None:
            return Text("-", style="dim")
        tied = len(pick.indices)
        if 0 < pick.passed < tied:
            return Text(f"~ {pick.passed}/{tied}", style="yellow")
        status = Status.PASSED if pick.passed else Status.WRONG
        more = f" +{tied - 1}" if tied > 1 else ""
        text = f"{mark(status, plain=self.surface.plain)} {pick.indices[0]}{more}"
        return Text(text, style=STYLES[status])


def _count(lost: float) -> str:
    """Write an expected number of problems; ties make fractions of it."""
    return f"{lost:.0f}" if abs(lost - round(lost)) < 0.005 else f"{lost:.1f}"


def _passed(line: ProblemLine) -> str:
    return f"{line.passed}/{line.graded}"


def _padded(cell: Text, size: int) -> Text:
    padded = cell.copy()
    padded.pad_right(size - len(cell))
    return padded
