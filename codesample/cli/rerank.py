"""`codesample rerank`: score a saved run again."""

from __future__ import annotations

from codesample.cli import options
from codesample.cli.output import emit_json, show

__all__ = ["run"]

_NONE: list[str] = []


def run(
    run: options.RunFolderArgument,
    reranker: options.AgainRerankerSpecs = _NONE,
    k: options.AgainK = None,
    data: options.MovedData = None,
    workers: options.Workers = None,
    allow_weak_isolation: options.AllowWeakIsolation = None,
    json: options.Json = False,
) -> None:
    """Score the candidates of a run by other rerankers, without sampling or judging again."""
    from codesample.evaluation.reranking import rerank_run
    from codesample.reports.progress import RunProgress
    from codesample.reports.terminal import render

    outcome = rerank_run(
        run,
        rerankers=reranker or None,
        k=options.numbers(k),
        data=data,
        workers=workers,
        allow_weak_isolation=allow_weak_isolation,
        observer=RunProgress(),
    )
    if json:
        emit_json(outcome.as_json())
    else:
        show(render(outcome))
