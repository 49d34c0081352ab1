"""Scores the candidates of a finished run again, without sampling or judging anything."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext, suppress
from pathlib import Path

from codesample.errors import RunFolderError
from codesample.evaluation.environment import weakest_isolation
from codesample.evaluation.observer import Observer
from codesample.evaluation.options import DEFAULT_RERANKERS, choose_k
from codesample.evaluation.pipeline import notice_weakness, open_executor
from codesample.evaluation.plan import choose_again, choose_rerankers, wanted_again
from codesample.evaluation.report import Report, Seconds
from codesample.evaluation.scoring import EXECUTED, Pool, pools, saved_scores, score
from codesample.evaluation.summary import summarise
from codesample.execution import Executor, Level
from codesample.rerankers.contract import Reranker, require_supplied
from codesample.runs import RunFolder
from codesample.tasks.contract import Task

__all__ = ["load_report", "rerank_run"]


def rerank_run(
    run: Path,
    *,
    rerankers: Sequence[str | Reranker] | None = None,
    k: Sequence[int] | None = None,
    task: Task | None = None,
    data: Path | None = None,
    workers: int | None = None,
    allow_weak_isolation: str | None = None,
    observer: Observer | None = None,
) -> Report:
    """Score the candidates that a run's last call covered, beside the rerankers that scored them before.

    Args:
        run: A run folder; scores of these rerankers and results.json are replaced.
        k: The k of pass@k; None takes the run's own.
        rerankers: As for `evaluate`; None takes its default as far as the run has what they need.
        task: The task itself, for a run that was made with a task of one's own.
        data: The task's data, or one's own problems, where they are no longer where the run found them.
        observer: As for `evaluate`.
        workers, allow_weak_isolation: As for `evaluate`; for rerankers that run programs.

    Returns:
        The run's report, with every reranker that has scored all of it; times are those of the sampling.

    Raises:
        RunFolderError: no run, one that another process is writing, or one that is not finished.
        RerankerError: as `evaluate`; the results with the other rerankers are then in the run folder.
        CodesampleError: as `evaluate`.
    """
    watching = observer or Observer()
    loaded = choose_rerankers(DEFAULT_RERANKERS if rerankers is None else rerankers)
    executes = any(each.needs & EXECUTED for each in loaded)
    opened = open_executor(workers, allow_weak_isolation) if executes else nullcontext()
    with RunFolder.open(run, write=True) as folder, opened as executor:
        for notice in folder.notices:
            watching.notice(notice)
        if executor:
            notice_weakness(executor, watching)
        settings = folder.manifest.settings
        n = settings.get("n", folder.manifest.n)
        ks = choose_k(settings.get("k") if k is None else k, n)
        chosen = choose_again(folder, task=task, data=data)
        gathered = pools(folder, chosen, wanted_again(folder, chosen))
        _expect_complete(folder, gathered)
        kept = all(each.logprobs is not None for pool in gathered for each in pool.candidates)
        supplied = EXECUTED | ({"logprobs"} if kept else set())
        if rerankers is None:
            for each in (each for each in loaded if not each.needs <= supplied):
                watching.notice(f"not scored by {each.name}: {run} kept no log-probabilities")
            loaded = [each for each in loaded if each.needs <= supplied]
        require_supplied(loaded, supplied, {"logprobs": f"{run} kept no log-probabilities"})
        try:
            scored = score(
                loaded,
                gathered,
                task=chosen.task.name,
                seed=folder.manifest.params.seed,
                executor=executor,
                run=folder,
                observer=watching,
            )
        finally:
            watching.stopped()
        before = _earlier(run)
        report = summarise(
            folder,
            gathered,
            {**saved_scores(gathered, folder), **scored.scores},
            problems=len(chosen.problems),
            n=n,
            k=ks,
            seconds=before.seconds if before else Seconds(0.0, 0.0, 0.0),
            tokens_per_second=before.tokens_per_second if before else None,
            notices=[*scored.notices, *_weaker(executor, folder)],
        )
        folder.write_results(report.as_json())
        scored.raise_failures(folder, watching)
    return report


def load_report(run: Path) -> Report:
    """Read the report of a finished run; reads neither its candidates nor its verdicts.

    Raises:
        RunFolderError: no run, not finished, or its results cannot be read.
    """
    with RunFolder.open(run) as folder:
        content = folder.results()
    if content is None:
        raise RunFolderError(f"{run}: has no results yet; finish it with --resume")
    return Report.from_json(content, run=run)


def _expect_complete(folder: RunFolder, gathered: Sequence[Pool]) -> None:
    judged = sum(len(pool.candidates) for pool in gathered)
    asked = folder.manifest.settings.get("candidates", 1)
    if judged < asked:
        raise RunFolderError(
            f"{folder.path}: {asked - judged} of {asked} candidates have no verdict yet; "
            f"finish it first by the call that began it, with --out {folder.path} --resume"
        )


def _weaker(executor: Executor | None, folder: RunFolder) -> list[str]:
    judged = weakest_isolation(folder.manifest.sessions)
    if executor is None or executor.isolation.level >= Level.parse(judged):
        return []
    now = executor.isolation.level.label
    return [f"rerankers ran programs at isolation {now!r}, weaker than {judged!r}, at which they were judged"]


def _earlier(run: Path) -> Report | None:
    with suppress(RunFolderError):
        return load_report(run)
    return None
