"""The only places where a command writes: results to stdout, everything else to stderr."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from codesample.cli.process import REFUSED
from codesample.errors import CodesampleError, OutputError, ParameterError

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

    from codesample.evaluation.report import Report
    from codesample.evaluation.run_table import RunTable
    from codesample.reports.page_lines import Surface
    from codesample.reports.progress import RunProgress

__all__ = [
    "UNJUDGED",
    "emit_json",
    "lines_to",
    "results_alone",
    "say",
    "show",
    "show_names",
    "show_page",
    "show_plain",
    "show_report",
    "show_table",
    "shown_all_the_same",
    "surface",
]

UNJUDGED = 1
"""Exit code of a run in which the harness, not a program, failed."""

# a narrower terminal breaks the lines itself; tables could not be drawn in a few columns
_LEAST_COLUMNS = 48


@contextmanager
def results_alone() -> Iterator[None]:
    """Keep stdout for results: what rerankers print in a block goes to stderr.

    Whatever way it is written: by `print`, into the descriptor, or by another process.
    """
    _flush_all()
    kept = os.dup(1)
    try:
        os.dup2(2, 1)
        with redirect_stdout(sys.stderr):
            yield
    finally:
        _flush_all()
        os.dup2(kept, 1)
        os.close(kept)


def _flush_all() -> None:
    """Let no text wait for a descriptor that is about to be another."""
    for stream in (sys.stdout, sys.__stdout__):
        with suppress(OSError, ValueError, AttributeError):
            stream.flush()  # type: ignore[union-attr]


@contextmanager
def shown_all_the_same(progress: RunProgress, *, as_json: bool) -> Iterator[None]:
    """Where a reranker fails in a block, show the results of the others before its error is told."""
    from codesample.evaluation.reranking import load_report

    try:
        yield
    except CodesampleError:
        if progress.short is not None:
            show_report(load_report(progress.short), as_json=as_json, judged=False)
        raise


def emit_json(value: Any) -> None:
    """Write `value` to stdout as indented JSON, and nothing else."""
    sys.stdout.write(json.dumps(value, indent=2) + "\n")


def show(*parts: RenderableType) -> None:
    """Write tables or lines to stdout, coloured where that is a terminal."""
    from rich.console import Console

    console = Console(soft_wrap=True, highlight=False)
    console.width = max(console.width, _LEAST_COLUMNS)
    for part in parts:
        console.print(part)


def surface() -> Surface:
    """Return what a page on stdout is shown on."""
    from rich.console import Console

    from codesample.reports.page_lines import Surface

    plain = "utf" not in (sys.stdout.encoding or "ascii").lower()
    console = Console()
    return Surface(
        width=max(console.width, _LEAST_COLUMNS),
        plain=plain,
        # underlines are there without colours too
        styled=console.is_terminal and not console.is_dumb_terminal,
    )


def show_page(lines: Iterable[Text]) -> None:
    """Write a page to stdout, coloured where that is a terminal; a reader may close the pipe when it likes.

    Raises:
        OutputError: it cannot be written for another reason.
    """
    from rich.console import Console

    console = Console(soft_wrap=True, highlight=False, markup=False, emoji=False)
    try:
        for line in lines:
            console.print(line)
        sys.stdout.flush()
    except OutputError as error:
        if not isinstance(error.__cause__, BrokenPipeError):
            raise


def show_report(report: Report, *, as_json: bool, judged: bool = True, costs: bool = False) -> None:
    """Write a report to stdout; where programs were `judged` and the harness failed on some, exit with 1.

    Args:
        costs: Whether to show what the scores of each reranker took.
    """
    if not report.problems:
        # a shard without a problem has no figures
        about = {"task": report.task, "model": report.model, "shard": report.shard, "problems": 0}
        if as_json:
            emit_json(about | {"run": str(report.run)})
        return
    try:
        if as_json:
            emit_json(report.as_json() | {"run": str(report.run)})
        else:
            from codesample.reports.terminal import render

            show(render(report, costs=costs))
        sys.stdout.flush()
    except OutputError as error:
        raise OutputError(f"{error}; the results are kept: codesample report {report.run}") from error
    if judged and report.harness_errors:
        raise typer.Exit(UNJUDGED)


def show_table(table: RunTable, *, as_json: bool, advice: str = "") -> None:
    """Write a table of runs to stdout, and what failed to stderr, with `advice` on how to go on.

    Exits with 2 where a run failed, with 1 where the harness failed on some programs.
    """
    try:
        if as_json:
            emit_json(table.as_json())
        else:
            from codesample.reports.side_by_side import render_table

            show(render_table(table))
        sys.stdout.flush()
    except OutputError as error:
        raise OutputError(f"{error}; the results are kept: codesample report {table.folder}") from error
    for row in table.failed:
        say(f"error: {row.title}: {row.error}")
    if table.failed and advice:
        say(f"go on with: {advice}")
    if table.failed or table.harness_errors:
        raise typer.Exit(REFUSED if table.failed else UNJUDGED)


def show_plain(text: str) -> None:
    """Write text to stdout as it is."""
    sys.stdout.write(text)


def show_names(rows: Sequence[tuple[str, str]], *, as_json: bool) -> None:
    """Write names and what they stand for to stdout: one name per line, or a JSON object."""
    if as_json:
        emit_json(dict(rows))
        return
    width = max((len(name) for name, _ in rows), default=0)
    for name, text in rows:
        sys.stdout.write(f"{name:<{width}}  {text}".rstrip() + "\n")


@contextmanager
def lines_to(path: Path | None) -> Iterator[Callable[[str], None]]:
    """Give a function that writes a line to stdout, or to a new file, at once.

    A file to which nothing was written is removed, so that the same call can be made again.

    Raises:
        ParameterError: the file exists or cannot be written.
    """
    if path is None:
        yield lambda line: print(line, flush=True)
        return
    try:
        file = path.open("x", encoding="utf-8")
    except FileExistsError:
        raise ParameterError(f"{path}: exists already; choose another file with --out") from None
    except OSError as error:
        raise ParameterError(f"{path}: cannot be written: {error.strerror}; choose another file") from error
    with file:
        try:
            yield lambda line: print(line, file=file, flush=True)
        finally:
            if not os.fstat(file.fileno()).st_size:
                path.unlink(missing_ok=True)


def say(text: str) -> None:
    """Write one line to stderr."""
    sys.stderr.write(text + "\n")
