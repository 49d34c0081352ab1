"""`codesample eval`: a task from prompts to figures."""

from __future__ import annotations

import typer

from codesample.cli import options
from codesample.cli.errors import UNJUDGED, resumable
from codesample.cli.output import emit_json, show
from codesample.evaluation.options import DEFAULT_N, DEFAULT_RERANKERS, ModelOptions
from codesample.records import SamplingParams

__all__ = ["run"]

_LOADING = ModelOptions()
_DRAWS = SamplingParams()
_RERANKERS = list(DEFAULT_RERANKERS)


def run(
    context: typer.Context,
    task: options.TaskName = None,
    task_file: options.TaskFile = None,
    data: options.DataFile = None,
    limit: options.Limit = None,
    model: options.Model = _LOADING.model,
    n: options.N = DEFAULT_N,
    k: options.K = None,
    reranker: options.RerankerSpecs = _RERANKERS,
    out: options.RunOut = None,
    resume: options.Resume = False,
    temperature: options.Temperature = _DRAWS.temperature,
    top_p: options.TopP = _DRAWS.top_p,
    top_k: options.TopK = _DRAWS.top_k,
    min_p: options.MinP = _DRAWS.min_p,
    typical_p: options.TypicalP = _DRAWS.typical_p,
    repetition_penalty: options.RepetitionPenalty = _DRAWS.repetition_penalty,
    frequency_penalty: options.FrequencyPenalty = _DRAWS.frequency_penalty,
    max_new_tokens: options.MaxNewTokens = None,
    seed: options.Seed = _DRAWS.seed,
    revision: options.Revision = _LOADING.revision,
    device: options.Device = _LOADING.device,
    dtype: options.Dtype = _LOADING.dtype,
    max_rows: options.MaxRows = _LOADING.max_rows,
    memory_fraction: options.MemoryFraction = _LOADING.memory_fraction,
    compile: options.Compile = _LOADING.compile,
    workers: options.Workers = None,
    allow_weak_isolation: options.AllowWeakIsolation = None,
    json: options.Json = False,
) -> None:
    """Sample candidates for every problem of a task, run them, rerank them, and report."""
    from codesample.evaluation.evaluate import evaluate
    from codesample.reports.progress import RunProgress
    from codesample.reports.terminal import render

    progress = RunProgress()
    with resumable(context.obj, progress):
        outcome = evaluate(
            options.task_of(task, task_file),
            model=ModelOptions(
                model=model,
                revision=revision,
                device=device,
                dtype=dtype,
                max_rows=max_rows,
                memory_fraction=memory_fraction,
                compile=compile,
            ),
            n=n,
            k=options.numbers(k),
            rerankers=reranker,
            data=data,
            limit=limit,
            out=out,
            resume=resume,
            temperature=temperature,
            top_p=top_p,
            top_k=top_k,
            min_p=min_p,
            typical_p=typical_p,
            repetition_penalty=repetition_penalty,
            frequency_penalty=frequency_penalty,
            max_new_tokens=max_new_tokens,
            seed=seed,
            workers=workers,
            allow_weak_isolation=allow_weak_isolation,
            observer=progress,
        )
    if json:
        emit_json(outcome.as_json())
    else:
        show(render(outcome))
    if outcome.harness_errors:
        raise typer.Exit(UNJUDGED)
