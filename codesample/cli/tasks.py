"""`codesample tasks`: what can be done with a task besides evaluating on it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from codesample.cli import options
from codesample.cli.completions import model_words, task_words
from codesample.cli.errors import Commands
from codesample.cli.looking import opened_outline, stream_encoding
from codesample.cli.output import emit_json, say, show_plain
from codesample.cli.records import Part, takes_records
from codesample.engines.model_options import ModelOptions
from codesample.errors import ModelError
from codesample.evaluation.options import PromptOptions, RunOptions
from codesample.records import SamplingParams

if TYPE_CHECKING:
    from codesample.evaluation.references import References

__all__ = ["app"]

FAILED = 1
"""Exit code where verdicts would be wrong, such as by a reference solution that does not pass."""

_NAMED = 8
"""How many problems a line names; --json names all."""

app = typer.Typer(cls=Commands, help="Look at a task, or check it.")


@app.callback()
def _group() -> None:
    """Look at a task, or check it."""


@app.command()
@takes_records(
    problems=options.ProblemOptions, sandbox=Part(RunOptions, ("workers", "allow_weak_isolation", "imports"))
)
def verify(
    *,
    task: options.TaskName = None,
    problems: options.ProblemOptions,
    sandbox: RunOptions,
    json: options.Json = False,
) -> None:
    """Run every reference solution of a task against its hidden tests, and say what is odd about its items.

    Exits with 1 where a reference fails, or tests are no Python or test nothing. Says also in which form the
    problems are judged, and which names their tests take from the program.
    """
    from codesample.evaluation.references import verify_references

    outcome = verify_references(
        problems.task(task),
        data=problems.data,
        limit=problems.limit,
        ids=problems.ids or None,
        run=sandbox,
    )
    for verdict in outcome.failed:
        say(f"{verdict.task_id}: {verdict.status}: {verdict.detail}".rstrip(": "))
    total = outcome.passed + len(outcome.failed)
    if json:
        emit_json(outcome.as_json())
    else:
        show_plain("".join(f"{line}\n" for line in _lines(outcome, total)))
    if not outcome.sound:
        raise typer.Exit(FAILED)


def _lines(outcome: References, total: int) -> Iterator[str]:
    if total:
        yield f"{outcome.task}: {outcome.passed} of {total} reference solutions pass"
    else:
        yield f"{outcome.task}: there are no reference solutions"
    if outcome.lacking:
        from codesample.evaluation.lacking_packages import notice_of_lacking

        yield notice_of_lacking(outcome.lacking, len(outcome.facts))
    yield "judged: " + ", ".join(f"{count} {form}" for form, count in outcome.forms.items())
    for task_id, reason in outcome.weak.items():
        yield f"  {task_id}: weak: {reason}"
    if outcome.names:
        many = len(outcome.names)
        yield f"tests of {many} problems take more from the program than the function asked for:"
    for task_id, names in outcome.names.items():
        yield f"  {task_id}: {', '.join(names)}"
    yield f"content: sha256 {outcome.content}"
    for each in outcome.findings:
        named, more = ", ".join(each.problems[:_NAMED]), len(each.problems) - _NAMED
        some = f"{named} and {more} more" if more > 0 else named
        yield f"{'FAULT' if each.fault else 'note'}: {each.kind}: {some}: {each.text}"


@app.command()
@takes_records(
    problems=Part(options.ProblemOptions, ("task_file", "data")),
    loading=Part(ModelOptions, ("revision", "adapter", "tokenizer")),
    prompts=PromptOptions,
    params=Part(SamplingParams, ("max_new_tokens", "stop")),
)
def show(
    *,
    task: Annotated[
        str | None,
        typer.Argument(
            metavar="TASK[/ID]",
            help="A task, or a problem of one, such as humaneval/3.",
            autocompletion=task_words,
        ),
    ] = None,
    item: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="Id, number or position; default: the first.")
    ] = None,
    problems: options.ProblemOptions,
    model: Annotated[
        str | None,
        typer.Option(
            help="Also show its tokens and its template; its weights are not loaded.",
            autocompletion=model_words,
        ),
    ] = None,
    loading: ModelOptions,
    prompts: PromptOptions,
    params: SamplingParams,
    json: options.Json = False,
) -> None:
    """Show one problem as a model is given it, how its answer is read, and known traps. Runs nothing."""
    from codesample.evaluation.named_models import expect_model
    from codesample.evaluation.preview import find_problem, look_at
    from codesample.evaluation.problem_set import read_problems
    from codesample.reports.prompt_page import prompt_page

    if problems.task_file is not None:
        # with a file of problems, the only word is the problem
        task, item = None, task if item is None else f"{task}/{item}"
    elif task is not None and item is None:
        task, item = split_spec(task)
    chosen = read_problems(problems.task(task), data=problems.data)
    problem = find_problem(chosen.task, item)
    if model is not None:
        # before anything imports the hub's library, which would try for long without a network
        expect_model(model)
    outline = None if model is None else opened_outline(replace(loading, model=model))
    if model is not None and outline is None:
        raise ModelError(
            f"model {model!r}: its engine shows no tokenizer before it is opened; name the model alone to "
            f"see its tokens: --model {model.partition(':')[2]}"
        )
    preview = look_at(chosen, problem, outline=outline, prompts=prompts, params=params)
    if json:
        emit_json(preview.as_json())
    else:
        show_plain(prompt_page(preview, encoding=stream_encoding()))


def split_spec(spec: str) -> tuple[str, str | None]:
    """Take `humaneval/3` apart, and `dir/tasks.py:mine/HumanEval/3`; ids may hold slashes, as may paths.

    Names of tasks count in any case.

    Returns:
        The task, and the problem of it; None where the whole names a task.
    """
    from codesample.tasks.registry import task_names

    known = {name.casefold(): name for name in task_names()}
    cuts = [at for at, char in enumerate(spec) if char == "/"]
    for at in cuts:
        where, colon, name = spec[:at].rpartition(":")
        if colon and where and name.isidentifier():
            return spec[:at], spec[at + 1 :] or None
        # ids of data sets are often spelt like the task, but for capital letters: HumanEval/3
        if (task := known.get(spec[:at].casefold())) is not None:
            return task, spec[at + 1 :] or None
    if ":" in spec or not cuts:
        return spec, None
    # no such task: said of the word before the first slash
    return spec[: cuts[0]], spec[cuts[0] + 1 :] or None
