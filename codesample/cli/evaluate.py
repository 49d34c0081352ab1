"""`codesample eval`: tasks from prompts to figures."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import typer

from codesample.cli import options
from codesample.cli.errors import resumable, resume_command
from codesample.cli.looking import show_dry_runs
from codesample.cli.output import results_alone, show_report, show_table, shown_all_the_same
from codesample.cli.records import Several, takes_records
from codesample.engines.model_options import ModelOptions
from codesample.evaluation.options import DEFAULT_N, DEFAULT_RERANKERS, PromptOptions, RunOptions
from codesample.evaluation.test_options import TestOptions, said
from codesample.records import SamplingParams

__all__ = ["run"]

_RERANKERS = list(DEFAULT_RERANKERS)


@takes_records(
    problems=options.TaskSetOptions,
    counted=options.CountOptions,
    models=Several(ModelOptions, "model"),
    prompts=PromptOptions,
    params=Several(SamplingParams, "temperature"),
    run=RunOptions,
    tests=TestOptions,
    shown=options.ShownOptions,
)
def run(
    context: typer.Context,
    *,
    task: options.TaskNames = None,
    problems: options.TaskSetOptions,
    n: options.N = DEFAULT_N,
    counted: options.CountOptions,
    reranker: options.RerankerSpecs = _RERANKERS,
    models: tuple[ModelOptions, ...],
    prompts: PromptOptions,
    params: tuple[SamplingParams, ...],
    run: RunOptions,
    tests: TestOptions,
    shown: options.ShownOptions,
) -> None:
    """Sample candidates for every problem of a task, run them, rerank them, and report.

    Several tasks, models or temperatures make a table of runs, one for each combination.
    """
    from codesample.evaluation.evaluate import evaluate
    from codesample.evaluation.run_table import evaluate_table, new_table_folder
    from codesample.reports.progress import RunProgress, TableProgress
    from codesample.runs.table import holds_table

    run = replace(run, tests=said(tests))
    if counted.greedy:
        n, params = options.greedily(context, n, params)
    ks = options.numbers(counted.k)
    sets = problems.read(task or ())
    if shown.dry_run:
        show_dry_runs(
            sets, models, params, n=n, k=ks, rerankers=reranker, prompts=prompts, run=run, as_json=shown.json
        )
        return
    shared: dict[str, Any] = {"n": n, "rerankers": reranker, "k": ks, "prompts": prompts}
    goes_on = run.resume and run.out is not None and holds_table(run.out)
    if len(sets) * len(models) * len(params) > 1 or goes_on:
        folder = run.out or new_table_folder()
        watching = TableProgress(folder)
        with resumable(context.obj, watching), results_alone():
            placed = replace(run, out=folder)
            table = evaluate_table(sets, models, params, run=placed, observer=watching, **shared)
        show_table(table, as_json=shown.json, advice=resume_command(context.obj, folder))
        return
    progress = RunProgress()
    with (
        resumable(context.obj, progress),
        shown_all_the_same(progress, as_json=shown.json),
        results_alone(),
    ):
        report = evaluate(sets[0], model=models[0], params=params[0], run=run, observer=progress, **shared)
    show_report(report, as_json=shown.json)
