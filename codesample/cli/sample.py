"""`codesample sample`: candidates as JSON lines, no tests."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from codesample.cli import options
from codesample.cli.output import lines_to
from codesample.evaluation.options import DEFAULT_N, ModelOptions
from codesample.records import SamplingParams

__all__ = ["run"]

_LOADING = ModelOptions()
_DRAWS = SamplingParams()
_NO_STOPS: list[str] = []


def run(
    prompt: Annotated[str | None, typer.Argument(help="Text to continue.")] = None,
    prompt_file: Annotated[Path | None, typer.Option(help="Text to continue, from a file.")] = None,
    task: options.TaskOption = None,
    task_file: options.TaskFile = None,
    data: options.DataFile = None,
    limit: options.Limit = None,
    model: options.Model = _LOADING.model,
    n: options.N = DEFAULT_N,
    out: Annotated[Path | None, typer.Option(help="New file for the samples; default: stdout.")] = None,
    stop: Annotated[list[str], typer.Option(help="Ends a candidate; repeatable.")] = _NO_STOPS,
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
) -> None:
    """Sample candidates for a prompt, a file with a prompt, or a task, as JSON lines."""
    from codesample.evaluation.sample_candidates import draw
    from codesample.runs.formats import candidate_line

    candidates = draw(
        options.source_of(prompt, prompt_file, task, task_file, data=data, limit=limit),
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
        max_new_tokens=max_new_tokens,
        stop=stop,
        params=SamplingParams(
            temperature=temperature,
            top_p=top_p,
            top_k=top_k,
            min_p=min_p,
            typical_p=typical_p,
            repetition_penalty=repetition_penalty,
            frequency_penalty=frequency_penalty,
            seed=seed,
        ),
    )
    with lines_to(out) as write:
        for candidate in candidates:
            write(candidate_line(candidate, with_program=False))
