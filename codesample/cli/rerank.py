"""`codesample rerank`: score a saved run again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from codesample.cli import options
from codesample.cli.apart import go_on_apart, with_fallen
from codesample.cli.output import results_alone, show_report, shown_all_the_same
from codesample.cli.records import Part, takes_records
from codesample.cli.text_models import LOADING, TextModel, text_model
from codesample.engines.model_options import ModelOptions
from codesample.errors import ParameterError
from codesample.evaluation.options import RunOptions
from codesample.evaluation.test_options import TestOptions, said

__all__ = ["run"]

_NONE: list[str] = []


@takes_records(
    loading=Part(ModelOptions, LOADING),
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
    model: TextModel = None,
    loading: ModelOptions,
    sandbox: RunOptions,
    json: options.Json = False,
) -> None:
    """Score the candidates of a run by other rerankers, without sampling or judging again."""
    from codesample.evaluation.plan import choose_rerankers
    from codesample.evaluation.reranking import rerank_run
    from codesample.reports.progress import RunProgress

    shared: dict[str, Any] = {
        "k": options.numbers(k),
        "data": data,
        "model": text_model(model, loading),
        "run": replace(sandbox, tests=said(tests)),
    }
    if compare is not None and (curves or k is not None):
        option = "--curves" if curves else f"--k {k}"
        raise ParameterError(f"{option}: with --compare only best-of-n is compared; drop one of the two")
    fallen, progress = go_on_apart(), RunProgress()
    with shown_all_the_same(progress, as_json=json), results_alone():
        if compare is not None:
            compared = _score(run, compare, reranker, fallen, shared)
        else:
            named = with_fallen(choose_rerankers(reranker), fallen) or None
            report = rerank_run(run, rerankers=named, observer=progress, curves=curves, **shared)
    if compare is not None:
        _show(run, compared, data, json=json)
    else:
        show_report(report, as_json=json, judged=False)


def _score(
    run: Path,
    names: tuple[str, str],
    scored: Sequence[str],
    fallen: Mapping[str, str],
    shared: dict[str, Any],
) -> tuple[str, str]:
    """Score by rerankers named by -r, and by those to be compared that have no scores of just their code.

    Returns: by which names their scores are kept.
    """
    from codesample.evaluation.comparison import BOUNDS
    from codesample.evaluation.plan import choose_rerankers
    from codesample.evaluation.reranking import rerank_run
    from codesample.evaluation.run_contents import read_run
    from codesample.reports.progress import RunProgress

    contents = read_run(run, data=shared["data"])
    known = {*contents.scores, *BOUNDS}
    loaded = {name: choose_rerankers(name)[0] for name in names if name not in known}
    first, second = (loaded[name].name if name in loaded else name for name in names)
    if first == second:
        raise ParameterError(f"--compare {' '.join(names)}: both are {first!r}; expected two of two names")
    anew = choose_rerankers([*scored, *loaded.values()])
    named = {each.name for each in choose_rerankers(scored)}
    if left := [each for each in anew if each.name in named or not contents.are_of(each)]:
        rerank_run(run, rerankers=with_fallen(left, fallen), observer=RunProgress(), **shared)
    return first, second


def _show(run: Path, names: tuple[str, str], data: Path | None, *, json: bool) -> None:
    """Show two rerankers side by side, both with scores."""
    from codesample.cli.compare import show_comparison
    from codesample.evaluation.comparison import compare_rerankers
    from codesample.evaluation.run_contents import read_run

    show_comparison(compare_rerankers(read_run(run, data=data), *names), as_json=json)
