"""`codesample tasks`: what can be done with a task besides evaluating on it."""

from __future__ import annotations

import typer

from codesample.cli import options
from codesample.cli.errors import Commands
from codesample.cli.output import say, show
from codesample.cli.records import Part, takes_records
from codesample.evaluation.options import RunOptions

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
) -> None:
    """Run every reference solution of a task against its hidden tests; all of them should pass."""
    from codesample.evaluation.references import verify_references

    outcome = verify_references(
        problems.task(task),
        data=problems.data,
        limit=problems.limit,
        run=sandbox,
    )
    for verdict in outcome.failed:
        say(f"{verdict.task_id}: {verdict.status}: {verdict.detail}".rstrip(": "))
    for task_id in outcome.missing:
        say(f"{task_id}: has no reference solution")
    total = outcome.passed + len(outcome.failed)
    show(f"{outcome.task}: {outcome.passed} of {total} reference solutions pass")
    if outcome.failed or not total:
        raise typer.Exit(FAILED)
