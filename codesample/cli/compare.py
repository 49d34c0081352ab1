"""`codesample compare`: runs of the same problems, or two rerankers of one run, paired by problem."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from codesample.cli import options
from codesample.cli.completions import scored_words
from codesample.cli.output import emit_json, show
from codesample.errors import ParameterError

if TYPE_CHECKING:
    from codesample.evaluation.comparison import Comparison
    from codesample.evaluation.run_contents import RunContents

__all__ = ["run", "show_comparison"]

_NAMED = 5

Named = Annotated[
    int, typer.Option("--show", min=0, help="How many won and lost problems to name; 0 names all.")
]


def run(
    first: Annotated[Path, typer.Argument(metavar="RUN_A", help="A run folder.")],
    others: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[RUN_B...]", help="Other runs of the same problems, each set beside RUN_A."),
    ] = None,
    *,
    rerankers: Annotated[
        tuple[str, str] | None,
        typer.Option(
            metavar="A B",
            autocompletion=scored_words,
            help="Compare two rerankers of one run; random and oracle are names too.",
        ),
    ] = None,
    k: options.AgainK = None,
    show: Named = _NAMED,
    data: options.MovedData = None,
    json: options.Json = False,
) -> None:
    """Compare runs, or two rerankers of one run, problem by problem.

    Differences are the second's less the first's, with 95 % intervals over problems, by the bootstrap; p is
    the chance of one as large if neither were better, by flipped signs. Where few problems differ the two may
    disagree; p is the test. Won and lost are problems on which the second is above and below. More than two
    runs are set beside the first, with what each took and, of policies, read and missed.
    """
    from codesample.evaluation.comparison import compare_contents, compare_rerankers
    from codesample.evaluation.run_contents import read_run

    if bool(others) == (rerankers is not None):
        raise ParameterError(
            "expected RUN_A and RUN_B, or one run and --rerankers A B"
            + ("; of two runs every reranker that both have is compared" if others else "")
        )
    runs = [read_run(each, data=data) for each in (first, *(others or []))]
    if len(runs) > 2:
        _line_up(runs, k=options.numbers(k), as_json=json)
        return
    if rerankers is None:
        compared = compare_contents(*runs, k=options.numbers(k))
    elif k is not None:
        raise ParameterError(f"--k {k}: of two rerankers only best-of-n is compared; drop it")
    else:
        compared = compare_rerankers(runs[0], *rerankers)
    show_comparison(compared, named=show, as_json=json)
    if rerankers is None and not json:
        _show_policies(runs)


def _show_policies(runs: Sequence[RunContents]) -> None:
    """Where a run left keys of its prompts out, say what both read and took."""
    from codesample.evaluation.lineup import cost_of
    from codesample.reports.lineup_table import cost_table

    costs = [cost_of(each) for each in runs]
    if any(each.policy for each in costs):
        show(cost_table(costs))


def _line_up(runs: Sequence[RunContents], *, k: Sequence[int] | None, as_json: bool) -> None:
    from codesample.evaluation.lineup import line_up
    from codesample.reports.lineup_table import LineupPage

    lineup = line_up(runs, k=k)
    if as_json:
        emit_json(lineup.as_json())
    else:
        show(LineupPage(lineup))


def show_comparison(compared: Comparison, *, named: int = _NAMED, as_json: bool) -> None:
    """Write a comparison to stdout.

    Args:
        named: How many problems to name for each figure; 0 names all.
    """
    if as_json:
        emit_json(compared.as_json())
        return
    from codesample.reports.comparison_table import ComparisonPage

    show(ComparisonPage(compared, show=named))
