"""`codesample bench`: measure speed, side by side with what people use otherwise."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from codesample.bench.settings import AttentionOptions, DecodeOptions, PolicyOptions, RivalOptions, dtype_on
from codesample.cli import options
from codesample.cli.errors import Commands
from codesample.cli.output import UNJUDGED, say, show_plain
from codesample.cli.records import takes_records
from codesample.errors import ParameterError

if TYPE_CHECKING:
    from codesample.bench.measurements import Measurement

__all__ = ["app"]

app = typer.Typer(cls=Commands, help="Measure speed; no figure is shown over a failed equality check.")
_ALL: list[str] = []
_STEP_MODELS = ["7b-mha", "mistral-7b"]
_LOOP = ("model", "task", "problems", "n", "tokens", "steps", "step_ms", "overhead")
_EXECUTION = ("programs", "way", "count", "workers", "per_second", "executor_times_faster", "load")
_Out = Annotated[Path | None, typer.Option(help="Append the rows to this file of JSON lines.")]


@app.callback()
def _group() -> None:
    """Measure speed; no figure is shown over a failed equality check."""


@app.command()
@takes_records(wanted=DecodeOptions, beside=RivalOptions)
def decode(
    wanted: DecodeOptions,
    *,
    beside: RivalOptions,
    out: _Out = None,
    plot: Annotated[Path | None, typer.Option(help="Draw milliseconds per step over n.")] = None,
) -> None:
    """Time sampling with a shared prompt beside `generate`, a repeated cache and continuous batching.

    With --rival, beside engines that run in processes of their own instead.
    """
    from codesample.bench.decode_benchmark import measure_decode
    from codesample.bench.decode_results import decode_plot, decode_tables
    from codesample.bench.plots import draw, expect_drawable

    if beside.rivals:
        from codesample.bench.rivals.rival_cells import measure_rivals, rival_table

        if plot is not None:
            raise ParameterError("--plot: draws steps over n; leave it out beside --rival")
        rows = measure_rivals(beside, repeats=wanted.repeats, threads=wanted.threads)
        _shown(rows, rival_table, out, "{rival} {precision}")
        return
    if beside.rival_model or beside.precisions:
        raise ParameterError("--rival-model and --precision are of rivals; name one: --rival NAME")
    if plot is not None:
        expect_drawable(plot)
        if not wanted.steps:
            raise ParameterError("--plot: draws single steps; leave --no-steps out")
    found = _shown(measure_decode(wanted), decode_tables, out, "{kind} {shape} {n}")
    if plot is not None:
        draw(decode_plot(found), plot)


@app.command()
@takes_records(how=AttentionOptions)
def attention(
    *,
    model: Annotated[list[str], typer.Option(help="Heads and widths of a known model; repeatable.")] = _ALL,
    n: Annotated[str | None, typer.Option("--n", metavar="1,32,...", help="Candidates per prompt.")] = None,
    context: Annotated[str | None, typer.Option(metavar="512,...", help="Tokens of the prompt.")] = None,
    own: Annotated[str | None, typer.Option(metavar="16,...", help="Tokens of each candidate.")] = None,
    prompts: Annotated[str | None, typer.Option(metavar="1,8", help="Prompts decoded together.")] = None,
    how: AttentionOptions,
    out: _Out = None,
    plot: Annotated[Path | None, typer.Option(help="Draw microseconds over n.")] = None,
) -> None:
    """Time decode attention of one layer beside what else computes it."""
    from codesample.bench.attention_grid import Grid
    from codesample.bench.attention_results import attention_plot, attention_table
    from codesample.bench.attention_speed import measure_attention
    from codesample.bench.plots import draw, expect_drawable

    if plot is not None:
        expect_drawable(plot)
    grid = Grid(
        models=model,
        rows=_counts(n, "--n"),
        contexts=_counts(context, "--context"),
        own=_counts(own, "--own", least=0),
        prompts=_counts(prompts, "--prompts"),
    )
    measured = measure_attention(grid, how)
    found = _shown(measured, attention_table, out, "{model}, n {rows}, context {context}")
    if plot is not None:
        draw(attention_plot(found), plot)


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
    from codesample.evaluation.named_models import expect_model

    # before anything imports the hub's library, which would try for minutes without a network
    expect_model(model)
    from codesample.bench.loop_overhead import loop_profile, measure_loop
    from codesample.bench.measurements import expect_writable
    from codesample.evaluation.problem_set import read_problems
    from codesample.records import Request, SamplingParams
    from codesample.sampling.sampler import Sampler

    if profile is not None:
        expect_writable(profile)
    chosen = read_problems(task, data=data, limit=limit)
    sampler = Sampler(model, device=device, dtype=dtype, max_rows=n, prefix_cache=0)
    requests = [Request(problem.task_id, problem.prompt, tuple(range(n))) for problem in chosen.problems]
    params = SamplingParams(stop=chosen.task.stop, max_new_tokens=chosen.task.max_new_tokens)
    measured = (measure_loop(sampler, requests, params, task=task, repeats=repeats) for _ in range(1))
    _shown(measured, _columns(*_LOOP), out)
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
    out: _Out = None,
) -> None:
    """Time the sandbox beside simpler ways to run programs: tiny ones, or a task's reference solutions."""
    from codesample.bench.execution_speed import measure_execution, tiny_programs

    if task is None and task_file is None:
        name, programs = "tiny", tiny_programs(count)
    else:
        from codesample.evaluation.problem_set import read_problems
        from codesample.evaluation.references import reference_programs

        chosen = read_problems(options.task_of(task, task_file), data=data).task
        name, programs = chosen.name, reference_programs(chosen)
    measured = measure_execution(programs, name=name, workers=workers, rounds=rounds)
    _shown(measured, _columns(*_EXECUTION), out)


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
    out: _Out = None,
) -> None:
    """Time a whole decode step of a model with random weights, in one CUDA graph where there is CUDA.

    Beside it stands the same step with attention that shares the prompt by what torch has.
    """
    from codesample.bench.model_step import measure_step
    from codesample.bench.step_results import rivals_left_out, step_table
    from codesample.sampling.devices import device_of

    here = device_of(device)
    measured = measure_step(
        model,
        rows=_counts(n, "--n"),
        contexts=_counts(context, "--context"),
        device=here,
        dtype=dtype_on(here, dtype),
        own=own,
        repeats=repeats,
        impl=impl,
    )
    found = _shown(measured, step_table, out, "{model}, n {rows}, context {context}")
    for reason in rivals_left_out(found):
        say(f"no time of {reason}")


@app.command()
def fit(
    rows: Annotated[
        list[Path],
        typer.Argument(help="Folders of `codesample bench gpu`, or files of `codesample bench attention`."),
    ],
) -> None:
    """Fit the rates of the kernels' cost model to launches that were timed on one GPU.

    They stand beside the shipped rates, with how far off the model is with either.
    """
    from codesample.bench.cost_fit import fit_costs
    from codesample.bench.cost_fit_results import cost_fit_tables
    from codesample.bench.launch_rows import timed_calls
    from codesample.data_files import read_entries

    files = (each / "rows.jsonl" if each.is_dir() else each for each in rows)
    found = [entry.record for file in files for entry in read_entries(file, dict)]
    show_plain(cost_fit_tables(fit_costs(timed_calls(found))))


@app.command()
@takes_records(wanted=PolicyOptions)
def policies(
    wanted: PolicyOptions,
    *,
    task: Annotated[str, typer.Option(help="Whose first problem ends the prompt.")] = "mini",
    data: options.DataFile = None,
    out: _Out = None,
) -> None:
    """Measure what policies read, cost and miss behind long prompts: library code before a problem."""
    from codesample.evaluation.named_models import expect_model

    expect_model(wanted.model)
    from codesample.bench.policy_benchmark import measure_policies
    from codesample.bench.policy_results import policy_tables
    from codesample.evaluation.problem_set import read_problems

    (problem,) = read_problems(task, data=data, limit=1).problems
    _shown(measure_policies(str(problem.prompt), wanted), policy_tables, out, "{policy}, {context} tokens")


@app.command()
def gpu(
    out: Annotated[Path, typer.Option(help="Folder for rows and summary; one that holds rows goes on.")],
    minutes: Annotated[float, typer.Option(help="End in this time.")] = 12.0,
    rehearse: Annotated[
        bool, typer.Option("--rehearse", help="Go through all of it in small on the CPU; no figure counts.")
    ] = False,
    device: Annotated[str, typer.Option(help="cuda, cuda:1, ...")] = "cuda",
) -> None:
    """Check and measure one GPU: correctness first, then what is worth most, until the time is up."""
    begun = time.monotonic()
    if not minutes > 0:
        raise ParameterError(f"--minutes {minutes}: expected more than 0")
    from codesample.bench.gpu_bench import measure_gpu, plan_for
    from codesample.bench.gpu_clock import Clock
    from codesample.bench.gpu_rows import RowFolder
    from codesample.bench.gpu_summary import summary_files

    plan, folder = plan_for(device, rehearse=rehearse), RowFolder(out)
    sound = True
    for row in measure_gpu(plan, folder, Clock(60 * minutes, begun=begun)):
        say(_told(row))
        # a check without time is none that passed, and nothing was timed then
        sound = sound and row.get("passed", True) is True
    show_plain(dict(summary_files(folder.rows))["summary.md"])
    if not sound:
        raise typer.Exit(UNJUDGED)


def _told(row: Measurement) -> str:
    words = [str(row[name]) for name in ("what", "model", "method") if row.get(name)]
    words += [f"{name} {row[key]}" for name, key in (("n", "rows"), ("context", "context")) if key in row]
    said = [f"{row['kind']}: {', '.join(words) or row.get('device', '')}"]
    if row.get("passed") is not None:
        said.append("passed" if row["passed"] else "FAILED")
    return ": ".join([*said, *(row[name] for name in ("reason", "refused") if name in row)])


def _counts(text: str | None, option: str, *, least: int = 1) -> tuple[int, ...]:
    found = options.numbers(text, option) or ()
    if any(each < least for each in found):
        raise ParameterError(f"{option} {text}: expected whole numbers of at least {least}")
    return found


def _columns(*names: str) -> Callable[[Sequence[Measurement]], str]:
    from codesample.bench.tables import table_of

    return lambda found: table_of(found, names)


def _shown(
    measured: Iterable[Measurement],
    table: Callable[[Sequence[Measurement]], str],
    out: Path | None,
    said: str = "",
) -> list[Measurement]:
    """Collect measurements as they come, and write a table of them to stdout: of all, or of those there are.

    Each is named on stderr as `said` words it, and appended to `out` at once.
    """
    from codesample.bench.measurements import append_measurements, expect_writable

    if out is not None:
        expect_writable(out)
    found: list[Measurement] = []
    try:
        for each in measured:
            found.append(each)
            if said:
                say(f"measured {said.format(**each)}")
            if out is not None:
                append_measurements([each], out)
    finally:
        if found:
            show_plain(table(found))
    return found
