"""`codesample eval`: a task from prompts to figures."""

from __future__ import annotations

import typer

from codesample.cli import options
from codesample.cli.errors import resumable
from codesample.cli.looking import show_dry_runs
from codesample.cli.output import show_report
from codesample.cli.records import takes_records
from codesample.engines.model_options import ModelOptions
from codesample.evaluation.options import DEFAULT_N, DEFAULT_RERANKERS, PromptOptions, RunOptions
from codesample.records import SamplingParams

__all__ = ["run"]

_RERANKERS = list(DEFAULT_RERANKERS)


@takes_records(
    problems=options.ProblemOptions,
    model=ModelOptions,
    prompts=PromptOptions,
    params=SamplingParams,
    run=RunOptions,
)
def run(
    context: typer.Context,
    *,
    task: options.TaskName = None,
    problems: options.ProblemOptions,
    n: options.N = DEFAULT_N,
    k: options.K = None,
    reranker: options.RerankerSpecs = _RERANKERS,
    model: ModelOptions,
    prompts: PromptOptions,
    params: SamplingParams,
    run: RunOptions,
    dry_run: options.DryRun = False,
    json: options.Json = False,
) -> None:
    """Sample candidates for every problem of a task, run them, rerank them, and report."""
    from codesample.evaluation.evaluate import evaluate
    from codesample.evaluation.problem_set import read_problems
    from codesample.reports.progress import RunProgress

    if dry_run:
        chosen = read_problems(problems.task(task), data=problems.data, limit=problems.limit)
        show_dry_runs(
            [chosen],
            [model],
            [params],
            n=n,
            k=options.numbers(k),
            rerankers=reranker,
            prompts=prompts,
            run=run,
            as_json=json,
        )
        return
    progress = RunProgress()
    with resumable(context.obj, progress):
        report = evaluate(
            problems.task(task),
            model=model,
            n=n,
            params=params,
            rerankers=reranker,
            k=options.numbers(k),
            data=problems.data,
            limit=problems.limit,
            prompts=prompts,
            run=run,
            observer=progress,
        )
    show_report(report, as_json=json)
