"""`codesample rerankers`: try a reranker, learn one, and list those that there are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from codesample.cli import options
from codesample.cli.errors import Commands
from codesample.cli.output import emit_json, show_names, show_plain
from codesample.cli.records import Part, takes_records
from codesample.evaluation.options import RunOptions

if TYPE_CHECKING:
    from codesample.evaluation.tried_problems import TriedWith
    from codesample.rerankers.contract import Reranker
    from codesample.testing.reranker_cases import Case
    from codesample.testing.rerankers import Conformance

__all__ = ["app"]

FAILED = 1
"""Exit code where a reranker breaks what it owes."""

app = typer.Typer(cls=Commands, help="Try rerankers, or learn one from runs.")


@app.callback()
def _group() -> None:
    """Try rerankers, or learn one from runs."""


@app.command("list")
def list_(json: options.Json = False) -> None:
    """List the rerankers that can be named, as `codesample list rerankers`."""
    from codesample.reports import inventory

    show_names(inventory.rerankers(), as_json=json)


@app.command()
@takes_records(sandbox=Part(RunOptions, ("workers", "allow_weak_isolation", "imports")))
def check(
    names: Annotated[
        list[str],
        typer.Argument(metavar="NAME...", help="Names, FILE.py:NAME, or several in order, as for -r."),
    ],
    *,
    run: Annotated[
        Path | None,
        typer.Option(help="Try them on problems of this run. Default: on made pools of built-in problems."),
    ] = None,
    problems: Annotated[int, typer.Option(min=1, help="How many problems of --run.")] = 8,
    seed: Annotated[int, typer.Option(help="Of what rerankers draw, and of which problems.")] = 0,
    data: options.MovedData = None,
    sandbox: RunOptions,
    json: options.Json = False,
) -> None:
    """Try whether rerankers keep what they owe: blind to hidden tests, free of order, repeatable and so on.

    Hidden tests are replaced by garbage, candidates permuted, doubled, emptied and made hostile; scores are
    compared with those of another process that knows no hidden test. Exits with 1 where one is broken.
    Programs run in the sandbox. Models are stood in for: what they write is made up, and the same each time.
    """
    from codesample.evaluation.sandbox import open_judge
    from codesample.evaluation.tried_problems import RUNS_PROGRAMS, TriedWith
    from codesample.rerankers.registry import load_reranker
    from codesample.testing.rerankers import check_reranker
    from codesample.testing.stand_in_model import StandInModel

    loaded = [load_reranker(name) for name in names]
    given = _built_in() if run is None else _of_run(run, loaded, problems=problems, seed=seed, data=data)
    runs = any(each.needs & RUNS_PROGRAMS for each in loaded)
    with open_judge(sandbox) if runs else nullcontext() as judge:
        supplied = TriedWith(judge, StandInModel, StandInModel())
        cases = [_supply(case, supplied) for case in given]
        found = [check_reranker(name, cases, seed=seed) for name in names]
    if json:
        emit_json([each.as_json() for each in found])
    else:
        where = f"{len(cases)} problems of {run or 'codesample'}"
        show_plain("\n".join(line for each in found for line in _lines(each, where)) + "\n")
    if not all(each.conforms for each in found):
        raise typer.Exit(FAILED)


def _built_in() -> list[Case]:
    from codesample.testing.reranker_cases import built_in_cases

    return built_in_cases()


def _of_run(
    run: Path, loaded: Sequence[Reranker], *, problems: int, seed: int, data: Path | None
) -> list[Case]:
    from codesample.evaluation.run_contents import read_run
    from codesample.evaluation.tried_problems import expect_kept, sampled_pools
    from codesample.tasks.function_form import stub_of
    from codesample.testing.recorded_answers import Answers
    from codesample.testing.reranker_cases import Case

    contents = read_run(run, data=data)
    chosen = contents.chosen
    pools = sampled_pools(contents, problems=problems, seed=seed)
    expect_kept(loaded, [candidates for _, candidates in pools], where=str(run))
    return [
        Case(
            pool.problem,
            tuple(candidates),
            chosen.task.name,
            Answers(stub=stub_of(pool.problem), asked=chosen.prompt_form.ask(pool.problem)),
        )
        for pool, candidates in pools
    ]


def _supply(case: Case, supplied: TriedWith) -> Case:
    """Let a case's answers come from the sandbox, a model, and tests and outputs of the problem."""
    answers, runner = case.answers, supplied.runner(case.problem.task_id)
    answers.checks = answers.outputs_of = runner
    answers.model = supplied.model
    answers.behaviour = supplied.behaviour(case.view, runner=runner, asked=answers.asked, stub=answers.stub)
    return case


def _lines(found: Conformance, where: str) -> Iterator[str]:
    yield f"{found.reranker}: {'conforms' if found.conforms else 'BREAKS what it owes'}"
    for each in found.tried:
        mark = "FAIL" if each.broken else "-" if each.left_out else "pass"
        more = f": {each.broken}" if each.broken else f"; not tried: {each.left_out}" if each.left_out else ""
        yield f"  {mark:<4}  {each.name:<11}  {each.text}{more}"
    yield f"  {1000 * found.seconds:.1f} ms per problem, with what it asked for the first time; {where}"
