"""`codesample eval`: tasks from prompts to figures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import typer

from codesample.cli import options
from codesample.cli.errors import resumable, resume_command
from codesample.cli.looking import show_dry_runs
from codesample.cli.output import show_report, show_table
from codesample.cli.records import Several, takes_records
from codesample.engines.model_options import ModelOptions
from codesample.evaluation.options import DEFAULT_N, DEFAULT_RERANKERS, PromptOptions, RunOptions
from codesample.records import SamplingParams

__all__ = ["run"]

_RERANKERS = list(DEFAULT_RERANKERS)


@takes_records(
    problems=options.TaskSetOptions,
    models=Several(ModelOptions, "model"),
    prompts=PromptOptions,
    params=Several(SamplingParams, "temperature"),
    run=RunOptions,
)
def run(
    context: typer.Context,
    *,
    task: options.TaskNames = None,
    problems: options.TaskSetOptions,
    n: options.N = DEFAULT_N,
    greedy: options.Greedy = False,
    k: options.K = None,
    reranker: options.RerankerSpecs = _RERANKERS,
    models: tuple[ModelOptions, ...],
    prompts: PromptOptions,
    params: tuple[SamplingParams, ...],
    run: RunOptions,
    dry_run: options.DryRun = False,
    json: options.Json = False,
) -> None:
    """Sample candidates for every problem of a task, run them, rerank them, and report.

    Several tasks, models or temperatures make a table of runs, one for each combination.
    """
    from codesample.evaluation.evaluate import evaluate
    from codesample.evaluation.run_table import evaluate_table, new_table_folder
    from codesample.reports.progress import RunProgress, TableProgress
    from codesample.runs.table import holds_table

    if greedy:
        n, params = options.greedily(context, n, params)
    ks = options.numbers(k)
    sets = problems.read(task or ())
    if dry_run:
        show_dry_runs(
            sets, models, params, n=n, k=ks, rerankers=reranker, prompts=prompts, run=run, as_json=json
        )
        return
    goes_on = run.resume and run.out is not None and holds_table(run.out)
    if len(sets) * len(models) * len(params) > 1 or goes_on:
        placed = replace(run, out=run.out or new_table_folder())
        watching = TableProgress(Path(str(placed.out)))
        with resumable(context.obj, watching):
            table = evaluate_table(
                sets,
                models,
                params,
                n=n,
                rerankers=reranker,
                k=ks,
                prompts=prompts,
                run=placed,
                observer=watching,
            )
        show_table(table, as_json=json, advice=resume_command(context.obj, table.folder))
        return
    progress = RunProgress()
    with resumable(context.obj, progress):
        report = evaluate(
            sets[0],
            model=models[0],
            n=n,
            params=params[0],
            rerankers=reranker,
            k=ks,
            prompts=prompts,
            run=run,
            observer=progress,
        )
    show_report(report, as_json=json)
