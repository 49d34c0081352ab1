"""`codesample rerankers`: try a reranker, learn one, and list those that there are."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from codesample.cli import options
from codesample.cli.apart import go_on_apart
from codesample.cli.completions import reranker_words, run_words
from codesample.cli.errors import Commands
from codesample.cli.output import emit_json, results_alone, show_names, show_plain
from codesample.cli.records import Part, takes_records
from codesample.errors import ParameterError
from codesample.evaluation.options import RunOptions
from codesample.records.counted import counted

if TYPE_CHECKING:
    from codesample.evaluation.fitting import Fit
    from codesample.evaluation.tried_problems import TriedWith
    from codesample.rerankers.contract import Reranker
    from codesample.testing.reranker_cases import Case
    from codesample.testing.rerankers import Conformance

__all__ = ["app"]

_NONE: list[str] = []
_MOST_ALIKE = 4

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
        typer.Argument(
            metavar="NAME...",
            help="Names, FILE.py:NAME, or several in order, as for -r.",
            autocompletion=reranker_words,
        ),
    ],
    *,
    run: Annotated[
        Path | None,
        typer.Option(
            help="Try them on problems of this run. Default: on made pools of built-in problems.",
            autocompletion=run_words,
        ),
    ] = None,
    problems: Annotated[int, typer.Option(min=1, help="How many problems of --run.")] = 8,
    model: Annotated[
        str | None,
        typer.Option(
            help="A model that writes and reads text for those that ask for one, such as tiny. Default: a "
            "stand-in, whose text is made up and the same each time."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of what rerankers draw, and of which problems.")] = 0,
    data: options.MovedData = None,
    sandbox: RunOptions,
    json: options.Json = False,
) -> None:
    """Try whether rerankers keep what they owe: blind to hidden tests, free of order, repeatable and so on.

    Hidden tests are replaced by garbage, candidates permuted, doubled, emptied and made hostile; scores are
    compared with those of another process that knows no hidden test. Exits with 1 where one is broken.
    Programs run in the sandbox.
    """
    from codesample.evaluation.named_models import expect_model, expect_named_models
    from codesample.rerankers.registry import load_reranker

    fallen = go_on_apart()
    loaded = {name: load_reranker(name) for name in names}
    if model is not None:
        expect_model(model)
    expect_named_models(loaded.values())
    given = (
        _built_in()
        if run is None
        else _of_run(run, list(loaded.values()), problems=problems, seed=seed, data=data)
    )
    with results_alone():
        found = _checked(loaded, given, fallen, model=model, seed=seed, sandbox=sandbox)
    if json:
        emit_json([each.as_json() for each in found])
    else:
        where = f"{counted(len(given), 'problem')} of {run or 'codesample'}"
        show_plain("\n".join(line for each in found for line in _lines(each, where)) + "\n")
    if not all(each.conforms for each in found):
        raise typer.Exit(FAILED)


@app.command()
def fit(
    runs: Annotated[
        list[Path],
        typer.Argument(metavar="RUN...", help="Run folders, scored by rerankers.", autocompletion=run_words),
    ],
    *,
    out: Annotated[Path, typer.Option(metavar="FILE.json", help="The file that -r takes; replaced.")],
    features: Annotated[
        list[str],
        typer.Option(
            "--features",
            "-f",
            metavar="A,B",
            help="Rerankers to take scores of; repeatable. Default: all that scored every run.",
            autocompletion=reranker_words,
        ),
    ] = _NONE,
    forms: Annotated[
        str, typer.Option(metavar="raw,rank,z,abstained", help="What is made of the scores.")
    ] = "raw,rank,z,abstained",
    learner: Annotated[str, typer.Option(metavar="logistic|stumps", help="What is fitted.")] = "logistic",
    folds: Annotated[int, typer.Option(min=2, help="Into how many parts problems are cut.")] = 5,
    seed: Annotated[int, typer.Option(help="Of the folds and of the fitting.")] = 0,
    data: options.MovedData = None,
    json: options.Json = False,
) -> None:
    """Learn a reranker from the scores of others, and say what it gives on problems that were held out.

    Needs scikit-learn (pip install 'codesample[learn]'); what it writes does not.
    """
    from codesample.evaluation.cross_fitting import FitOptions
    from codesample.evaluation.fitting import fit_reranker
    from codesample.evaluation.run_contents import read_run

    if out.suffix != ".json":
        raise ParameterError(f"--out {out}: expected a file called .json, by which -r knows it")
    methods = tuple(spec for word in features for spec in split_specs(word))
    if features and not methods:
        raise ParameterError("--features names no reranker; name some, or leave it out to take all")
    chosen = FitOptions(
        methods=methods,
        forms=tuple(forms.split(",")),
        model=learner,  # type: ignore[arg-type]
        folds=folds,
        seed=seed,
    )
    found = fit_reranker([read_run(each, data=data) for each in runs], chosen)
    found.write(out)
    if json:
        emit_json(found.as_json() | {"file": str(out)})
    else:
        show_plain("".join(f"{line}\n" for line in _told(found, out)))


def _checked(
    loaded: Mapping[str, Reranker],
    given: Sequence[Case],
    fallen: Mapping[str, str],
    *,
    model: str | None,
    seed: int,
    sandbox: RunOptions,
) -> list[Conformance]:
    """Try each reranker, by what was typed for it, but those that ended an earlier process."""
    from codesample.evaluation.sandbox import open_judge
    from codesample.evaluation.tried_problems import (
        BEHAVES,
        RUNS_PROGRAMS,
        TriedWith,
        opened_models,
        stores_in_memory,
    )
    from codesample.testing.rerankers import Conformance, check_reranker
    from codesample.testing.stand_in_model import StandInModel

    needs = frozenset().union(*(each.needs for each in loaded.values()))
    stores = stores_in_memory()
    with ExitStack() as opened:
        judge = opened.enter_context(open_judge(sandbox)) if needs & RUNS_PROGRAMS else None
        models = None if model is None else opened.enter_context(opened_models(model, stores))
        writer = (models.own if models else StandInModel()) if needs & BEHAVES else None
        supplied = TriedWith(judge, models or StandInModel, writer, stores)
        cases = [_supply(case, supplied) for case in given]
        return [
            Conformance.ended(each.name, fallen[each.name])
            if each.name in fallen
            else check_reranker(name, cases, seed=seed)
            for name, each in loaded.items()
        ]


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
    reasons: dict[str, list[str]] = {}
    for each in found.tried:
        if each.left_out:
            reasons.setdefault(each.left_out, []).append(each.name)
    # what is left out of many promises for one reason is said once
    alike = {why: names for why, names in reasons.items() if len(names) > _MOST_ALIKE}
    yield f"{found.reranker}: {'conforms' if found.conforms else 'BREAKS what it owes'}"
    for each in found.tried:
        if each.left_out in alike:
            continue
        mark = "FAIL" if each.broken else "-" if each.left_out else "pass"
        more = f": {each.broken}" if each.broken else f"; not tried: {each.left_out}" if each.left_out else ""
        yield f"  {mark:<4}  {each.name:<11}  {each.text}{more}"
    for why, names in alike.items():
        yield f"  -     not tried, because {why}: {', '.join(names)}"
    yield f"  {1000 * found.seconds:.1f} ms per problem, with what it asked for the first time; {where}"


def split_specs(words: str) -> list[str]:
    """Split at commas that stand in no bracket."""
    found, depth = [""], 0
    for char in words:
        depth += (char == "(") - (char == ")")
        if char == "," and not depth:
            found.append("")
        else:
            found[-1] += char
    return [each.strip() for each in found if each.strip()]


def _told(found: Fit, out: Path) -> Iterator[str]:
    yield (
        f"fitted on {found.fitted_on} problems that have right and wrong candidates, figures over all "
        f"{found.problems}, each held out once"
    )
    rows = {
        "at random": found.random,
        **found.methods,
        "best of these, held out": found.best_held_out,
        "learnt, held out": found.learnt,
        "by an oracle": found.oracle,
    }
    width = max(map(len, rows))
    for name, each in rows.items():
        yield f"  {name:<{width}}  {each.value:.3f}  ({each.low:.3f} - {each.high:.3f})"
    over = found.over_best
    interval = f"({over.low:+.3f} - {over.high:+.3f})"
    yield f"learnt less {found.best}: {over.value:+.3f} {interval}, paired by problem"
    if found.is_worse:
        # by its name alone only what is installed is found
        spec = found.content.methods[found.best]
        yield f"worse than {found.best} alone; choose by that: -r {shlex.quote(spec)}"
    for name, why in found.left_out.items():
        yield f"not taken: {name}: {why}"
    yield f"written: {out}; choose by it on other problems: -r {out}"
