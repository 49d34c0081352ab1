"""`codesample sample`: candidates as JSON lines, no tests."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from codesample.cli import options
from codesample.cli.output import lines_to, say
from codesample.cli.records import takes_records
from codesample.engines.model_options import ModelOptions
from codesample.evaluation.options import DEFAULT_N, PromptOptions
from codesample.records import SamplingParams
from codesample.records.counted import counted

__all__ = ["run"]


@takes_records(
    problems=options.ProblemOptions, model=ModelOptions, prompts=PromptOptions, params=SamplingParams
)
def run(
    context: typer.Context,
    *,
    prompt: Annotated[str | None, typer.Argument(help="Text to continue.")] = None,
    prompt_file: Annotated[Path | None, typer.Option(help="Text to continue, from a file.")] = None,
    task: options.TaskOption = None,
    problems: options.ProblemOptions,
    n: options.N = DEFAULT_N,
    greedy: options.Greedy = False,
    out: Annotated[Path | None, typer.Option(help="New file for the samples; default: stdout.")] = None,
    model: ModelOptions,
    prompts: PromptOptions,
    params: SamplingParams,
) -> None:
    """Sample candidates for a prompt, a file with a prompt, or a task, as JSON lines."""
    from codesample.evaluation.sample_candidates import sample_candidates
    from codesample.runs.formats import candidate_line

    if greedy:
        n, (params,) = options.greedily(context, n, [params])
    source = options.source_of(prompt, prompt_file, task, problems)
    candidates = sample_candidates(source, model=model, n=n, params=params, prompts=prompts)
    count = tokens = 0
    try:
        with lines_to(out) as write:
            for candidate in candidates:
                write(candidate_line(candidate, with_program=False))
                count, tokens = count + 1, tokens + candidate.tokens_drawn
    finally:
        # where it ends early, this much is there
        if out is not None and count:
            say(f"{out}: {counted(count, 'candidate')}, {counted(tokens, 'token')}")
