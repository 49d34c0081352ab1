"""`codesample compare`: two runs of the same problems, or two rerankers of one run, paired by problem."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from codesample.cli import options
from codesample.cli.completions import scored_words
from codesample.cli.output import emit_json, show
from codesample.errors import ParameterError

if TYPE_CHECKING:
    from codesample.evaluation.comparison import Comparison

__all__ = ["run", "show_comparison"]

_NAMED = 5

Named = Annotated[
    int, typer.Option("--show", min=0, help="How many won and lost problems to name; 0 names all.")
]


def run(
    first: Annotated[Path, typer.Argument(metavar="RUN_A", help="A run folder.")],
    second: Annotated[
        Path | None, typer.Argument(metavar="[RUN_B]", help="Another run of the same problems.")
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
    """Compare two runs, or two rerankers of one run, problem by problem.

    Differences are the second's less the first's, with 95 % intervals over problems; p is the chance of one
    as large if neither were better. Won and lost are problems on which the second is above and below.
    """
    from codesample.evaluation.comparison import compare_rerankers, compare_runs
    from codesample.evaluation.run_contents import read_run

    if (second is None) == (rerankers is None):
        raise ParameterError(
            "expected RUN_A and RUN_B, or one run and --rerankers A B"
            + ("" if second is None else "; of two runs every reranker that both have is compared")
        )
    if rerankers is None:
        assert second is not None
        compared = compare_runs(first, second, k=options.numbers(k), data=data)
    elif k is not None:
        raise ParameterError(f"--k {k}: of two rerankers only best-of-n is compared; drop it")
    else:
        compared = compare_rerankers(read_run(first, data=data), *rerankers)
    show_comparison(compared, named=show, as_json=json)


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
