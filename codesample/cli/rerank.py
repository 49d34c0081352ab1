"""`codesample rerank`: score a saved run again."""

from __future__ import annotations

from dataclasses import replace

from codesample.cli import options
from codesample.cli.output import show_report
from codesample.cli.records import Part, takes_records
from codesample.evaluation.options import RunOptions
from codesample.evaluation.test_options import TestOptions, said

__all__ = ["run"]

_NONE: list[str] = []


@takes_records(
    tests=TestOptions, sandbox=Part(RunOptions, ("workers", "allow_weak_isolation", "imports", "integrity"))
)
def run(
    run: options.RunFolderArgument,
    *,
    reranker: options.AgainRerankerSpecs = _NONE,
    k: options.AgainK = None,
    data: options.MovedData = None,
    tests: TestOptions,
    sandbox: RunOptions,
    json: options.Json = False,
) -> None:
    """Score the candidates of a run by other rerankers, without sampling or judging again."""
    from codesample.evaluation.reranking import rerank_run
    from codesample.reports.progress import RunProgress

    report = rerank_run(
        run,
        rerankers=reranker or None,
        k=options.numbers(k),
        data=data,
        run=replace(sandbox, tests=said(tests)),
        observer=RunProgress(),
    )
    show_report(report, as_json=json, judged=False)
