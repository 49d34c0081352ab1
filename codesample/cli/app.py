"""Puts the commands together. Importing this loads no library that a help page does not need."""

from __future__ import annotations

import logging
import os
import shutil
import sys
import textwrap
from typing import Annotated

import typer

from codesample import __version__
from codesample.cli import (
    bench,
    compare,
    doctor,
    evaluate,
    execute,
    export,
    listing,
    merge,
    report,
    rerank,
    rerankers,
    sample,
    show,
    tasks,
)
from codesample.cli.errors import Commands
from codesample.cli.output import say
from codesample.sampling.sharded.rank_environment import launched

__all__ = ["app", "run"]

# columns of a terminal
_ROOMY, _LEAST = 100, 20

app = typer.Typer(
    cls=Commands,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Sample many programs per prompt, choose among them, and prove the choice by running tests.",
)
app.command("eval")(evaluate.run)
app.command("merge")(merge.run)
app.command("sample")(sample.run)
app.command("execute")(execute.run)
app.command("export")(export.run)
app.command("rerank")(rerank.run)
app.command("report")(report.run)
app.command("compare")(compare.run)
app.command("show")(show.run)
app.command("list")(listing.run)
app.command("doctor")(doctor.run)
app.add_typer(tasks.app, name="tasks")
app.add_typer(rerankers.app, name="rerankers")
app.add_typer(bench.app, name="bench")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"codesample {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _options(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version.")
    ] = False,
) -> None:
    """Options of the program itself."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


class _Said(logging.Handler):
    """Shows what the library logs as lines among the command's own."""

    def emit(self, record: logging.LogRecord) -> None:
        text = self.format(record)
        if sys.stderr.isatty():
            text = textwrap.fill(
                text,
                max(_LEAST, shutil.get_terminal_size().columns),
                subsequent_indent="  ",
                break_long_words=False,
                break_on_hyphens=False,
            )
        say(text)


def _fit_pages() -> None:
    """Print help without boxes where they would cut what they hold."""
    if shutil.get_terminal_size().columns < _ROOMY:
        for each in (app, tasks.app, rerankers.app, bench.app):
            each.rich_markup_mode = None


def run() -> None:
    """Run the command that the words of this process name."""
    if launched():
        from codesample.sampling.sharded.led_sampler import tensor_parallel

        with tensor_parallel() as first:
            if first:
                _run()
    else:
        _run()


def _run() -> None:
    _fit_pages()
    log = logging.getLogger("codesample")
    log.setLevel(logging.INFO)
    log.addHandler(_Said())
    log.propagate = False
    # one line of our own says what is wrong; the hub's library would add a dozen about its retries
    os.environ.setdefault("HF_HUB_VERBOSITY", "error")
    if not sys.stderr.isatty():
        os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    app()
