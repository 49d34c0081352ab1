"""Scores the candidates of a finished run again, without sampling or judging anything."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from codesample.errors import RunFolderError
from codesample.evaluation.conduct import open_executor
from codesample.evaluation.options import DEFAULT_RERANKERS, choose_k
from codesample.evaluation.plan import choose_again, choose_rerankers
from codesample.evaluation.report import Report, Seconds
from codesample.evaluation.scoring import EXECUTED, pools, saved_scores, score
from codesample.evaluation.summary import summarise
from codesample.rerankers.contract import Reranker, require_supplied
from codesample.runs import RunFolder

__all__ = ["load_report", "rerank_run"]


def rerank_run(
    run: Path,
    *,
    rerankers: Sequence[str | Reranker] = DEFAULT_RERANKERS,
    k: Sequence[int] | None = None,
    data: Path | None = None,
    workers: int | None = None,
    allow_weak_isolation: str | None = None,
) -> Report:
    """Score every judged candidate of a run by `rerankers`, beside those that scored it before.

    Args:
        run: A run folder; its scores and results.json are replaced.
        k: The k of pass@k; None takes those of 1, 5, 10 that the run's n allows.
        data: The task's data, where they are no longer where the run found them.
        rerankers, workers, allow_weak_isolation: As for `evaluate`.

    Returns:
        The run's report, with every reranker that has scored all of it; times are those of the sampling.

    Raises:
        RunFolderError: no run, one that another process is writing, or one without verdicts.
        CodesampleError: as `evaluate`.
    """
    loaded = choose_rerankers(rerankers)
    with RunFolder.open(run, write=True) as folder, open_executor(workers, allow_weak_isolation) as executor:
        ks = choose_k(k, folder.manifest.n)
        chosen = choose_again(folder, data=data)
        gathered = pools(folder, chosen, folder.sampled)
        if not gathered:
            raise RunFolderError(f"{run}: holds no judged candidate; finish it first with --resume")
        kept = all(each.logprobs is not None for pool in gathered for each in pool.candidates)
        supplied = EXECUTED | ({"logprobs"} if kept else set())
        require_supplied(loaded, supplied, {"logprobs": f"{run} kept no log-probabilities"})
        seed = folder.manifest.params.seed
        scores = score(loaded, gathered, task=chosen.task.name, seed=seed, executor=executor, run=folder)
        before = _earlier(run)
        report = summarise(
            folder,
            gathered,
            {**saved_scores(gathered, folder), **scores},
            n=folder.manifest.n,
            k=ks,
            seconds=before.seconds if before else Seconds(0.0, 0.0, 0.0),
            tokens_per_second=before.tokens_per_second if before else None,
            isolation=executor.isolation.level.label,
        )
        folder.write_results(report.as_json())
    return report


def load_report(run: Path) -> Report:
    """Read the report of a finished run.

    Raises:
        RunFolderError: no run, not finished, or its results cannot be read.
    """
    with RunFolder.open(run) as folder:
        content = folder.results()
    if content is None:
        raise RunFolderError(f"{run}: has no results yet; finish it with --resume")
    return Report.from_json(content, run=run)


def _earlier(run: Path) -> Report | None:
    with suppress(RunFolderError):
        return load_report(run)
    return None
