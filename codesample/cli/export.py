"""`codesample export`: samples in another tool's form."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from codesample.cli import options
from codesample.cli.output import say
from codesample.cli.records import Part, takes_records
from codesample.records.counted import counted

__all__ = ["run"]


@takes_records(problems=Part(options.ProblemOptions, ("task_file", "data")))
def run(
    source: Annotated[
        Path,
        typer.Argument(metavar="RUN", help="A run folder, or samples as `codesample execute` takes them."),
    ],
    out: Annotated[
        Path,
        typer.Argument(
            metavar="OUT",
            help="The new file, or - for stdout; evalplus: without an ending a folder; inspect: also .eval.",
        ),
    ],
    *,
    form: Annotated[
        str,
        typer.Option(
            "--as",
            metavar="FORM",
            help="humaneval, evalplus, bigcode, lm-eval, inspect or livecodebench.",
        ),
    ],
    task: options.TaskOption = None,
    problems: options.ProblemOptions,
    extract: Annotated[
        bool,
        typer.Option("--extract", help="The texts are a chat model's answers: read programs out of them."),
    ] = False,
) -> None:
    """Write samples so that another tool's own scorer reads them."""
    from codesample.evaluation.export_samples import export_samples

    count = export_samples(
        source,
        form,
        out,
        task=problems.task(task) if task or problems.task_file else None,
        data=problems.data,
        extract=extract,
    )
    say(f"{counted(count, 'sample')} written to {'standard output' if out == Path('-') else out}")
