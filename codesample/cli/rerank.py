"""`codesample rerank`: score a saved run again."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from codesample.cli import options
from codesample.cli.output import results_alone, show_report
from codesample.cli.records import Part, takes_records
from codesample.engines.model_options import ModelOptions
from codesample.evaluation.options import RunOptions
from codesample.evaluation.test_options import TestOptions, said

if TYPE_CHECKING:
    from codesample.rerankers.contract import Reranker

__all__ = ["run"]

_NONE: list[str] = []


@takes_records(
    loading=Part(ModelOptions, options.LOADING),
    tests=TestOptions,
    sandbox=Part(RunOptions, ("workers", "allow_weak_isolation", "imports", "integrity")),
)
def run(
    run: options.RunFolderArgument,
    *,
    reranker: options.AgainRerankerSpecs = _NONE,
    k: options.AgainK = None,
    data: options.MovedData = None,
    tests: TestOptions,
    curves: Annotated[
        bool,
        typer.Option(
            "--curves", help="Score subsets too: best-of-n curves of rerankers that compare candidates."
        ),
    ] = False,
    compare: Annotated[
        tuple[str, str] | None,
        typer.Option(metavar="A B", help="Compare two rerankers, scored first where they are not yet."),
    ] = None,
    model: options.TextModel = None,
    loading: ModelOptions,
    sandbox: RunOptions,
    json: options.Json = False,
) -> None:
    """Score the candidates of a run by other rerankers, without sampling or judging again."""
    from codesample.evaluation.reranking import rerank_run
    from codesample.reports.progress import RunProgress

    shared: dict[str, Any] = {
        "k": options.numbers(k),
        "data": data,
        "model": options.text_model(model, loading),
        "run": replace(sandbox, tests=said(tests)),
    }
    with results_alone(as_json=json):
        if compare is not None:
            _score(run, compare, reranker, shared)
        else:
            report = rerank_run(
                run, rerankers=reranker or None, observer=RunProgress(), curves=curves, **shared
            )
    if compare is not None:
        _show(run, compare, data, json=json)
    else:
        show_report(report, as_json=json, judged=False)


def _score(run: Path, names: tuple[str, str], scored: Sequence[str], shared: dict[str, Any]) -> None:
    """Score by rerankers that were named by -r, or that are to be compared and have no scores yet."""
    from codesample.evaluation.comparison import BOUNDS
    from codesample.evaluation.reranking import rerank_run
    from codesample.evaluation.run_contents import read_run
    from codesample.reports.progress import RunProgress

    known = {*read_run(run, data=shared["data"]).scores, *BOUNDS}
    lacking = [each for each in _loaded(names, known).values() if each.name not in known]
    if scored or lacking:
        rerank_run(run, rerankers=[*scored, *lacking], observer=RunProgress(), **shared)


def _show(run: Path, names: tuple[str, str], data: Path | None, *, json: bool) -> None:
    """Show two rerankers side by side, both with scores."""
    from codesample.cli.compare import show_comparison
    from codesample.evaluation.comparison import BOUNDS, compare_rerankers
    from codesample.evaluation.run_contents import read_run

    contents = read_run(run, data=data)
    loaded = _loaded(names, {*contents.scores, *BOUNDS})
    first, second = (loaded[name].name if name in loaded else name for name in names)
    show_comparison(compare_rerankers(contents, first, second), as_json=json)


def _loaded(names: tuple[str, str], known: Collection[str]) -> dict[str, Reranker]:
    """Load those rerankers that no run has a name for as it was given."""
    from codesample.rerankers.registry import load_reranker

    return {name: load_reranker(name) for name in names if name not in known}
