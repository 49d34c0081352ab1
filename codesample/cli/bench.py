"""`codesample bench`: measure speed, side by side with what people use otherwise."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from codesample.cli import options
from codesample.cli.errors import Commands
from codesample.cli.output import say, show_columns, show_plain

__all__ = ["app"]

app = typer.Typer(cls=Commands, help="Measure speed; no figure is shown over a failed equality check.")
_ALL: list[str] = []
_STEP_MODELS = ["7b-mha", "mistral-7b"]


@app.callback()
def _group() -> None:
    """Measure speed; no figure is shown over a failed equality check."""


@app.command()
def decode(
    shape: Annotated[list[str], typer.Option(help="Shape of the random checkpoint; repeatable.")] = _ALL,
    workload: Annotated[list[str], typer.Option(help="Prompts, n and length; repeatable.")] = _ALL,
    method: Annotated[list[str], typer.Option(help="Way of sampling; repeatable.")] = _ALL,
    repeats: Annotated[int, typer.Option(min=1, help="Timed runs of each; the median is kept.")] = 1,
    jobs: Annotated[bool, typer.Option(help="Measure whole jobs.")] = True,
    steps: Annotated[bool, typer.Option(help="Measure single decode steps.")] = True,
    device: options.Device = "auto",
    dtype: options.Dtype = "float32",
    threads: Annotated[int | None, typer.Option(min=1, help="Threads of torch; default: its own.")] = None,
    out: Annotated[Path | None, typer.Option(help="Append the rows to this file of JSON lines.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw milliseconds per step over n.")] = None,
) -> None:
    """Time sampling with a shared prompt beside `generate`, a repeated cache and continuous batching."""
    from codesample.bench.decode import measure
    from codesample.bench.tables import markdown, save_rows
    from codesample.bench.tables import plot as draw

    rows = []
    for row in measure(
        shapes=shape,
        workloads=workload,
        methods=method,
        repeats=repeats,
        jobs=jobs,
        steps=steps,
        device=device,
        dtype=dtype,
        threads=threads,
    ):
        rows.append(row)
        say(f"measured {row['kind']} {row['shape']} {row['n']}")
        if out is not None:
            save_rows([row], out)
    show_plain(markdown(rows))
    if plot is not None:
        draw(rows, plot)


@app.command()
def attention(
    model: Annotated[list[str], typer.Option(help="Heads and widths of a known model; repeatable.")] = _ALL,
    n: Annotated[str | None, typer.Option("--n", metavar="1,32,...", help="Candidates per prompt.")] = None,
    context: Annotated[str | None, typer.Option(metavar="512,...", help="Tokens of the prompt.")] = None,
    own: Annotated[str | None, typer.Option(metavar="16,...", help="Tokens of each candidate.")] = None,
    prompts: Annotated[str | None, typer.Option(metavar="1,8", help="Prompts decoded together.")] = None,
    impl: Annotated[str, typer.Option(help="auto, torch, triton or reference.")] = "auto",
    repeats: Annotated[int, typer.Option(min=1, help="Timed rounds; the median is kept.")] = 20,
    device: options.Device = "auto",
    dtype: Annotated[str | None, typer.Option(help="Default: bfloat16 on CUDA, float32 on a CPU.")] = None,
    out: Annotated[Path | None, typer.Option(help="Append the rows to this file of JSON lines.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw microseconds over n.")] = None,
) -> None:
    """Time decode attention of one layer beside what else computes it."""
    from codesample.bench.attention import ON_CPU, ON_GPU, cells, measure_attention
    from codesample.bench.attention_tables import markdown
    from codesample.bench.attention_tables import plot as draw
    from codesample.bench.tables import save_rows
    from codesample.sampling.checkpoint import device_of, dtype_of

    where = device_of(device)
    usual = ON_GPU if where.type == "cuda" else ON_CPU
    grid = usual._replace(
        models=model or usual.models,
        rows=options.numbers(n, "--n") or usual.rows,
        contexts=options.numbers(context, "--context") or usual.contexts,
        own=options.numbers(own, "--own") or usual.own,
        prompts=options.numbers(prompts, "--prompts") or usual.prompts,
    )
    kind = None if dtype is None else dtype_of(dtype)
    rows = []
    for row in measure_attention(cells(grid), device=where, dtype=kind, repeats=repeats, impl=impl):
        rows.append(row)
        say(f"measured {row['model']}, n {row['rows']}, context {row['context']}")
        if out is not None:
            save_rows([row], out)
    show_plain(markdown(rows))
    if plot is not None:
        draw(rows, plot)


@app.command()
def loop(
    task: Annotated[str, typer.Option(help="Whose prompts are sampled.")] = "mini",
    data: options.DataFile = None,
    model: options.Model = "tiny",
    n: options.N = 32,
    limit: options.Limit = 20,
    repeats: Annotated[int, typer.Option(min=1, help="Timed runs; the median is kept.")] = 5,
    device: options.Device = "auto",
    dtype: options.Dtype = "auto",
    out: Annotated[Path | None, typer.Option(help="Append the row to this file of JSON lines.")] = None,
    profile: Annotated[Path | None, typer.Option(help="Write where the time goes, by function.")] = None,
) -> None:
    """Measure how much of a sampling step is not the model's: token choice, text, bookkeeping."""
    from codesample.bench.decode_cells import machine
    from codesample.bench.loop_overhead import loop_overhead, loop_profile
    from codesample.bench.tables import save_rows
    from codesample.evaluation.problem_set import read_problems
    from codesample.records import Request, SamplingParams
    from codesample.sampling import Sampler

    chosen = read_problems(task, data=data, limit=limit)
    sampler = Sampler(model, device=device, dtype=dtype, max_rows=n, prefix_cache=0)
    requests = [Request(problem.task_id, problem.prompt, tuple(range(n))) for problem in chosen.problems]
    params = SamplingParams(stop=chosen.task.stop, max_new_tokens=chosen.task.max_new_tokens)
    row = {"kind": "loop", "model": model, "task": task, "problems": len(requests), "n": n}
    row |= loop_overhead(sampler, requests, params, repeats=repeats)
    row |= machine(sampler.checkpoint.model.device)
    if out is not None:
        save_rows([row], out)
    show_columns([row], ["model", "task", "problems", "n", "tokens", "steps", "step_ms", "overhead"])
    if profile is not None:
        profile.write_text(loop_profile(sampler, requests, params))


@app.command()
def execution(
    task: options.TaskOption = None,
    task_file: options.TaskFile = None,
    data: options.DataFile = None,
    count: Annotated[int, typer.Option(min=1, help="How many tiny programs, where no task is given.")] = 200,
    rounds: Annotated[int, typer.Option(min=1, help="Timed rounds; the median is kept.")] = 5,
    workers: options.Workers = None,
    out: Annotated[Path | None, typer.Option(help="Append the rows to this file of JSON lines.")] = None,
) -> None:
    """Time the sandbox beside simpler ways to run programs: tiny ones, or a task's reference solutions."""
    from codesample.bench.execution import compare_throughput, tiny_programs
    from codesample.bench.tables import save_rows
    from codesample.evaluation.problem_set import read_problems
    from codesample.evaluation.references import reference_programs

    if task is None and task_file is None:
        name, programs = "tiny", tiny_programs(count)
    else:
        chosen = read_problems(options.task_of(task, task_file), data=data).task
        name, programs = chosen.name, reference_programs(chosen)
    rows = compare_throughput(programs, name=name, workers=workers, rounds=rounds)
    if out is not None:
        save_rows(rows, out)
    show_columns(rows, ["programs", "way", "count", "workers", "per_second", "executor_times_faster", "load"])


@app.command()
def step(
    model: Annotated[list[str], typer.Option(help="Sizes of a known model; repeatable.")] = _STEP_MODELS,
    n: Annotated[str, typer.Option("--n", metavar="32,...", help="Candidates of the one prompt.")] = "32",
    context: Annotated[str, typer.Option(metavar="8192,...", help="Tokens of the prompt.")] = "8192",
    own: Annotated[int, typer.Option(min=1, help="Tokens that each candidate has decoded.")] = 64,
    impl: Annotated[str, typer.Option(help="auto, torch, triton or reference.")] = "auto",
    repeats: Annotated[int, typer.Option(min=1, help="Timed replays; the median is kept.")] = 20,
    device: options.Device = "auto",
    dtype: options.Dtype = "bfloat16",
    out: Annotated[Path | None, typer.Option(help="Append the rows to this file of JSON lines.")] = None,
) -> None:
    """Time a whole decode step of a model with random weights, in one CUDA graph where there is CUDA."""
    from codesample.bench.model_step import measure_step
    from codesample.bench.tables import save_rows
    from codesample.sampling.checkpoint import device_of, dtype_of

    measured = measure_step(
        model,
        rows=options.numbers(n, "--n") or (),
        contexts=options.numbers(context, "--context") or (),
        device=device_of(device),
        dtype=dtype_of(dtype),
        own=own,
        repeats=repeats,
        impl=impl,
    )
    rows = []
    for row in measured:
        rows.append(row)
        say(f"measured {row['model']}, n {row['rows']}, context {row['context']}")
        if out is not None:
            save_rows([row], out)
    show_columns(rows, ["model", "rows", "context", "seconds", "bytes_per_second", "refused"])
