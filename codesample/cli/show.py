"""`codesample show`: a run problem by problem, one problem's candidates, or one candidate with everything."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from codesample.cli import options
from codesample.cli.completions import scored_words
from codesample.cli.output import emit_json, show_page, surface
from codesample.errors import ParameterError
from codesample.evaluation.run_order import Only, Order
from codesample.records import Status

if TYPE_CHECKING:
    from codesample.evaluation.run_contents import RunContents

__all__ = ["run"]

_FIRST = 40
"""How many problems, or programs, a page shows where nothing else is asked for."""

_NONE: list[str] = []
_NO_STATUS: list[Status] = []


_Problem = Annotated[
    str | None,
    typer.Argument(metavar="[PROBLEM]", help="An id, the number it ends in, or a part that no other has."),
]
_Index = Annotated[int | None, typer.Argument(metavar="[INDEX]", min=0, help="A candidate of it.")]
_Sort = Annotated[Order, typer.Option(help="Order of the problems.")]
_Which = Annotated[Only | None, typer.Option(help="Only problems of which so many programs pass.")]
_LostBy = Annotated[
    list[str],
    typer.Option(
        metavar="NAME",
        autocompletion=scored_words,
        help="Only problems that this reranker loses; repeatable.",
    ),
]
_Statuses = Annotated[
    list[Status], typer.Option(help="Only problems, or programs of one, with such a verdict; repeatable.")
]
_Lines = Annotated[
    str | None,
    typer.Option(
        metavar="N|N-M", help=f"So many lines, or those from one place to another; default {_FIRST}."
    ),
]
_Tokens = Annotated[
    bool, typer.Option("--tokens", help="A candidate's tokens, coloured by their log-probabilities.")
]
_Tests = Annotated[
    bool, typer.Option("--tests/--no-tests", help="Whether hidden tests and references are shown.")
]


def run(
    run: options.RunFolderArgument,
    problem: _Problem = None,
    index: _Index = None,
    *,
    sort: _Sort = Order.TASK,
    only: _Which = None,
    lost_by: _LostBy = _NONE,
    status: _Statuses = _NO_STATUS,
    limit: _Lines = None,
    tokens: _Tokens = False,
    tests: _Tests = True,
    data: options.MovedData = None,
    json: options.Json = False,
) -> None:
    """Show what a run holds: its problems, a problem's programs, or a candidate with verdict and scores.

    Runs that are not finished are shown as far as they are judged.
    """
    from codesample.evaluation.run_contents import read_run
    from codesample.evaluation.run_lookup import find_candidate, find_pool, find_reranker

    if problem is not None:
        _expect_none(
            "beside PROBLEM", {"--only": only, "--lost-by": lost_by, "--sort": sort is not Order.TASK}
        )
    if index is None:
        _expect_none("without INDEX", {"--tokens": tokens})
    else:
        _expect_none("beside INDEX", {"--status": status, "--limit": limit})
    contents = read_run(run, data=data, report=False)
    if problem is None:
        names = list(dict.fromkeys(find_reranker(contents, name) for name in lost_by))
        _show_run(contents, sort=sort, only=only, lost_by=names, statuses=status, limit=limit, json=json)
        return
    pool = find_pool(contents, problem)
    from codesample.evaluation.closer_look import candidate_facts, problem_facts

    if index is None:
        from codesample.reports.problem_page import problem_page

        if json:
            emit_json(problem_facts(contents, pool, tests=tests))
            return
        first, last = _places(limit)
        show_page(
            problem_page(contents, pool, surface(), statuses=status, first=first, last=last, tests=tests)
        )
        return
    from codesample.reports.candidate_page import candidate_page

    at = find_candidate(pool, index)
    if json:
        emit_json(candidate_facts(contents, pool, at, tests=tests))
        return
    show_page(candidate_page(contents, pool, at, surface(), tokens=tokens, tests=tests))


def _show_run(
    contents: RunContents,
    *,
    sort: Order,
    only: Only | None,
    lost_by: Sequence[str],
    statuses: Sequence[Status],
    limit: str | None,
    json: bool,
) -> None:
    from codesample.evaluation.run_lines import choose_lines, problem_lines
    from codesample.reports.run_page import run_page

    every = problem_lines(contents)
    chosen = choose_lines(every, order=sort, only=only, lost_by=lost_by, statuses=statuses)
    first, last = _places(limit)
    if json:
        kept = chosen if limit is None else chosen[first - 1 : last]
        emit_json(
            {
                "run": str(contents.path),
                "task": contents.manifest.task,
                "model": contents.manifest.model,
                "rerankers": list(contents.scores),
                "unjudged": contents.unjudged,
                "problems": [line.as_json() for line in kept],
            }
        )
        return
    words = [str(each) for each in (only, *statuses) if each] + [f"lost by {name}" for name in lost_by]
    filters = ", ".join(words)
    show_page(
        run_page(contents, every, chosen, surface(), filters=filters, focus=lost_by, first=first, last=last)
    )


def _places(limit: str | None) -> tuple[int, int]:
    """Return the first place that is shown, from 1, and the last."""
    from codesample.evaluation.problem_choice import parse_limit

    first, last = parse_limit(limit if limit is not None else _FIRST)
    assert last is not None
    return first, last


def _expect_none(with_what: str, given: dict[str, Any]) -> None:
    """Refuse options that mean nothing for the page that is asked for."""
    for option, value in given.items():
        if value:
            raise ParameterError(f"{option}: says nothing {with_what}; leave it out")
