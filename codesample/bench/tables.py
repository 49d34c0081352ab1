"""Results as Markdown tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from codesample.bench.measurements import Measurement

__all__ = ["not_shown", "table", "table_lines", "table_of"]


def table_lines(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    """Yield the lines of a table as its rows come; a value is written as `str` does."""
    yield _line(columns)
    yield "|---" * len(columns) + "|"
    for row in rows:
        yield _line(row)


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a whole table, which ends with a newline."""
    return "".join(line + "\n" for line in table_lines(columns, rows))


def table_of(measurements: Iterable[Measurement], columns: Sequence[str]) -> str:
    """Return some figures of measurements as a table; one that a measurement lacks stays empty."""
    return table(columns, ([each.get(name, "") for name in columns] for each in measurements))


def not_shown(reason: str, cells: int) -> list[str]:
    """Return the last `cells` cells of a row that has a reason in place of figures."""
    return [f"not shown: {reason}", *[""] * (cells - 1)]


def _line(cells: Iterable[object]) -> str:
    return "|" + "|".join(f" {cell} ".replace("  ", " ") for cell in cells) + "|"
