"""A run problem by problem, a line for each: what came of its candidates, and what each reranker chose."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from codesample.evaluation.headline import shard_text
from codesample.evaluation.picks import Pick
from codesample.evaluation.run_contents import RunContents
from codesample.evaluation.run_lines import ProblemLine
from codesample.records import Status
from codesample.records.counted import counted
from codesample.reports.choice_reason import is_lost, lost_reason
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
    focus: Sequence[str] = (),
    first: int = 1,
    last: int = 40,
) -> Iterator[Text]:
    """Yield the page line by line.

    Args:
        every: Lines of all problems of the run.
        chosen: Those that are meant, in their order.
        filters: What these have in common, in words.
        focus: Rerankers whose choices are shown whatever the width; without any, those of all.
        first, last: Which of them the page shows, by their places from 1.
    """
    manifest, shown = contents.manifest, chosen[first - 1 : last]
    title = f"{manifest.task}, {manifest.model}: {shard_text(manifest.shard)}{counted(len(every), 'problem')}"
    if filters:
        title += f", {len(chosen)} of them {filters}"
    yield Text(surface.line(title), style="bold")
    table = _Table(contents, shown, surface, focus)
    if shown:
        yield from table.lines()
    if len(shown) < len(chosen):
        places = f"{first} to {first + len(shown) - 1}" if shown else "none"
        others = f"others by --limit, such as {_next(first, last, chosen)}"
        said = f"{places} of {len(chosen)} are shown; {others}"
        yield from map(Text, textwrap.wrap(said, surface.width, break_on_hyphens=False))
    yield Text("")
    yield from table.legend()
    yield from _below(contents, every, surface, focus or list(contents.scores))


def _next(first: int, last: int, chosen: Sequence[ProblemLine]) -> str:
    end = min(last, len(chosen))
    return f"{end + 1}-{min(len(chosen), end + last - first + 1)}" if end < len(chosen) else f"{len(chosen)}"


def _below(
    contents: RunContents, every: Sequence[ProblemLine], surface: Surface, names: Sequence[str]
) -> Iterator[Text]:
    solvable = sum(line.passed > 0 for line in every)
    for number, name in enumerate(contents.scores, 1):
        if name not in names:
            continue
        lost = sum(line.lost(name) for line in every)
        solved = counted(solvable, "problem")
        said = f"{name}, which loses {_count(lost)} of the {solved} that some program passes"
        yield from labelled(f"by {number}", said, surface)
    if not contents.scores and not contents.unjudged:
        yield from labelled("rerankers", f"none yet; codesample rerank {contents.path} -r NAME", surface)
    if contents.unjudged:
        said = (
            f"{counted(contents.unjudged, 'candidate', 'have')} no verdict yet; finish it by the call that "
            f"came last, with --out {contents.path} --resume"
        )
        yield from labelled("unfinished", said, surface)
    yield from labelled("closer", f"codesample show {contents.path} PROBLEM [INDEX]", surface)


@dataclass(frozen=True, slots=True)
class _Table:
    contents: RunContents
    rows: Sequence[ProblemLine]
    surface: Surface
    focus: Sequence[str] = ()

    @property
    def rerankers(self) -> list[str]:
        return list(self.contents.scores)

    def lines(self) -> Iterator[Text]:
        width = self.surface.width
        name, passed = self._sizes()
        picks = self._fitting()
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
            yield from self._why_lost(line)

    def _why_lost(self, line: ProblemLine) -> Iterator[Text]:
        """Yield why each reranker in focus surely loses a problem."""
        pool = next((each for each in self.contents.pools if each.problem.task_id == line.task_id), None)
        for name in self.focus:
            pick = line.picks[name]
            if pool is None or pick is None or not is_lost(pick):
                continue
            which = f"by {self.rerankers.index(name) + 1}, " if len(self.focus) > 1 else ""
            said = f"{which}candidate {pick.indices[0]}: {lost_reason(self.contents, pool, name, pick)}"
            yield from labelled("", said, self.surface, "dim")

    def _name(self, line: ProblemLine) -> str:
        return self.surface.line(line.task_id)

    def legend(self) -> Iterator[Text]:
        """Yield what the marks mean that occur."""
        surface = self.surface
        seen = {status for line in self.rows for status in line.statuses}
        if seen:
            said = legend(seen, plain=surface.plain).replace("  ", ", ")
            yield from labelled("marks", f"{said}; sorted by outcome, not by candidate", surface)
        texts = [cell.plain for _, _, cells in self._fitting() for cell in cells]
        ties = []
        if (tied := next((text for text in texts if " +" in text), "").strip()) and self.rows:
            index, more = tied[2:].split(" +")
            others = f"{more} more that share" if more != "1" else "another one that shares"
            ties.append(f"'{index} +{more}' is candidate {index} and {others} the first place")
        if split := next((text for text in texts if text.startswith("~ ")), "").strip():
            passed, of = split[2:].split("/")
            ties.append(f"'{split}' are {of} that share it, of which {passed} pass{'es' * (passed == '1')}")
        elif any("~" in text for text in texts):
            ties.append("~ are several that share the first place, of which some pass")
        if ties:
            yield from labelled("ties", "; ".join(ties), surface)

    def _fitting(self) -> list[tuple[str, int, list[Text]]]:
        return self._picks(self._room_for_picks()) if self.rows else []

    def _room_for_picks(self) -> int:
        name, passed = self._sizes()
        return self.surface.width - name - passed - 2 * len(_GAP) - _LEAST_BAR

    def _sizes(self) -> tuple[int, int]:
        """Return the widths of the columns on the left: names, and how many passed."""
        most = _WIDE_NAME if self.surface.width >= _ROOMY else _NARROW_NAME
        name = max(len("problem"), min(most, max(cell_len(self._name(line)) for line in self.rows)))
        return name, max(len("passed"), *(len(_passed(line)) for line in self.rows))

    def _picks(self, room: int) -> list[tuple[str, int, list[Text]]]:
        """Return columns that fit: by names, else by numbers, else all rerankers' marks in one.

        Those in focus have columns of their own in any case, and the others are left out.
        """
        numbers = {name: f"by {number}" for number, name in enumerate(self.rerankers, 1)}
        meant = self.focus or self.rerankers
        cells = {name: [self._cell(line.picks[name]) for line in self.rows] for name in meant}
        for titles in ([f"{numbers[name]} {name}" for name in meant], [numbers[name] for name in meant]):
            columns = []
            for title, column in zip(titles, cells.values(), strict=True):
                size = max(len(title), *(len(cell) for cell in column))
                columns.append((f"{title:<{size}}", size, [_padded(cell, size) for cell in column]))
            if sum(len(_GAP) + size for _, size, _ in columns) <= room:
                return columns
        if self.focus:
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
