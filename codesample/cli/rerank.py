"""`codesample rerank`: score a saved run again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from codesample.cli import options
from codesample.cli.output import show_report
from codesample.cli.records import Part, takes_records
from codesample.evaluation.options import RunOptions

__all__ = ["run"]

_NONE: list[str] = []


@takes_records(sandbox=Part(RunOptions, ("workers", "allow_weak_isolation", "imports", "integrity")))
def run(
    run: options.RunFolderArgument,
    *,
    reranker: options.AgainRerankerSpecs = _NONE,
    k: options.AgainK = None,
    data: options.MovedData = None,
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
    sandbox: RunOptions,
    json: options.Json = False,
) -> None:
    """Score the candidates of a run by other rerankers, without sampling or judging again."""
    if compare is not None:
        _compare(run, compare, scored=reranker, k=k, data=data, sandbox=sandbox, json=json)
        return
    from codesample.evaluation.reranking import rerank_run
    from codesample.reports.progress import RunProgress

    report = rerank_run(
        run,
        rerankers=reranker or None,
        k=options.numbers(k),
        data=data,
        run=sandbox,
        observer=RunProgress(),
        curves=curves,
    )
    show_report(report, as_json=json, judged=False)


def _compare(
    run: Path,
    names: tuple[str, str],
    *,
    scored: Sequence[str],
    k: str | None,
    data: Path | None,
    sandbox: RunOptions,
    json: bool,
) -> None:
    """Score by rerankers that were named by -r or have no scores yet, then show the two side by side."""
    from codesample.cli.compare import show_comparison
    from codesample.evaluation.comparison import BOUNDS, compare_rerankers
    from codesample.evaluation.reranking import rerank_run
    from codesample.evaluation.run_contents import read_run
    from codesample.reports.progress import RunProgress
    from codesample.rerankers.registry import load_reranker

    known = {*read_run(run, data=data).scores, *BOUNDS}
    loaded = {name: load_reranker(name) for name in names if name not in known}
    lacking = [each for each in loaded.values() if each.name not in known]
    if scored or lacking:
        rerank_run(
            run,
            rerankers=[*scored, *lacking],
            k=options.numbers(k),
            data=data,
            run=sandbox,
            observer=RunProgress(),
        )
    first, second = (loaded[name].name if name in loaded else name for name in names)
    show_comparison(compare_rerankers(read_run(run, data=data), first, second), as_json=json)
