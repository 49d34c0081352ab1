"""`codesample tasks`: what can be done with a task besides evaluating on it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import typer

from codesample.cli import options
from codesample.cli.errors import Commands
from codesample.cli.output import emit_json, say, show_plain
from codesample.cli.records import Part, takes_records
from codesample.evaluation.options import RunOptions

if TYPE_CHECKING:
    from codesample.evaluation.references import References

__all__ = ["app"]

FAILED = 1
"""Exit code where a reference solution does not pass."""

app = typer.Typer(cls=Commands, help="Check a task.")


@app.callback()
def _group() -> None:
    """Check a task."""


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
    """Run every reference solution of a task against its hidden tests; all of them should pass.

    Says also in which form the problems are judged, and which names their tests take from the program.
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
    for task_id in outcome.missing:
        say(f"{task_id}: has no reference solution")
    total = outcome.passed + len(outcome.failed)
    if json:
        emit_json(outcome.as_json())
    else:
        show_plain("".join(f"{line}\n" for line in _lines(outcome, total)))
    if outcome.failed or not total:
        raise typer.Exit(FAILED)


def _lines(outcome: References, total: int) -> Iterator[str]:
    yield f"{outcome.task}: {outcome.passed} of {total} reference solutions pass"
    yield "judged: " + ", ".join(f"{count} {form}" for form, count in outcome.forms.items())
    for task_id, reason in outcome.weak.items():
        yield f"  {task_id}: weak: {reason}"
    if outcome.names:
        many = len(outcome.names)
        yield f"tests of {many} problems take more from the program than the function asked for:"
    for task_id, names in outcome.names.items():
        yield f"  {task_id}: {', '.join(names)}"
