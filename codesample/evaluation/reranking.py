"""Scores the candidates of a finished run again, without sampling or judging anything."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext, suppress
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from codesample.engines.contract import Engine
from codesample.engines.model_options import ModelOptions
from codesample.errors import RunFolderError
from codesample.evaluation.environment import weakest_isolation
from codesample.evaluation.named_models import expect_named_models
from codesample.evaluation.observer import Observer
from codesample.evaluation.options import DEFAULT_RERANKERS, RunOptions, choose_k
from codesample.evaluation.plan import choose_rerankers
from codesample.evaluation.problem_set import ProblemSet, covered_keys, problems_of_run
from codesample.evaluation.report import Report, Seconds
from codesample.evaluation.resources import Resources, resources_for
from codesample.evaluation.run_model import RunModel, model_of_run
from codesample.evaluation.sandbox import notice_weakness, open_judge
from codesample.evaluation.scoring import (
    EXECUTED,
    Pool,
    Scored,
    Scores,
    outdated_notices,
    pools,
    saved_costs,
    saved_scores,
    score,
)
from codesample.evaluation.shard import nothing_to
from codesample.evaluation.summary import compared, summarise
from codesample.evaluation.supply import BY_MODEL, TOKEN_NUMBERS, Supply, able_of, held_by, needed, supply_of
from codesample.evaluation.text_model import Models
from codesample.execution import Level
from codesample.execution.judge import Judge
from codesample.foreign import describe
from codesample.rerankers.contract import Reranker
from codesample.runs import RunFolder
from codesample.runs.table import holds_table
from codesample.tasks.contract import Task

__all__ = ["load_report", "open_run", "recount_run", "rerank_run"]

_NAMED = 8
"""Runs of a folder that a message names."""


def rerank_run(
    folder: Path,
    *,
    rerankers: Sequence[str | Reranker] | None = None,
    k: Sequence[int] | None = None,
    task: Task | None = None,
    data: Path | None = None,
    model: str | Path | ModelOptions | Engine | None = None,
    run: RunOptions | None = None,
    observer: Observer | None = None,
    curves: bool = False,
) -> Report:
    """Score the candidates that a run's last call covered, beside the rerankers that scored them before.

    Args:
        folder: A run folder; scores of these rerankers and results.json are replaced.
        rerankers: As for `evaluate`; None takes its default as far as the run has what they need.
        k: The k of pass@k; None takes the run's own.
        task: The task itself, for a run that was made with a task of one's own.
        data: The task's data, or one's own problems, where they are no longer where the run found them.
        model: Writes and reads text for rerankers, as for `evaluate`. Default: the run's own, opened only
            where something that is asked of it was not kept.
        run: How programs are run, for rerankers that run some.
        observer: As for `evaluate`.
        curves: Whether rerankers whose scores depend on the other candidates score subsets of each pool too,
            for their curves over n; up to 68 times a problem, which takes minutes at most.

    Returns:
        The run's report, with every reranker that has scored all of it; times are those of the sampling.

    Raises:
        RunFolderError: no run, one that another process is writing, or one that is not finished.
        CodesampleError: as `evaluate`; where a reranker fails, the results with the others are written.
    """
    watching = observer or Observer()
    loaded = choose_rerankers(DEFAULT_RERANKERS if rerankers is None else rerankers)
    with (
        open_run(folder, write=True) as opened,
        _judge_for(loaded, run or RunOptions(), opened) as judge,
    ):
        for notice in opened.notices:
            watching.notice(notice)
        if judge:
            notice_weakness(judge, watching)
        ks = _chosen_k(opened, k)
        chosen = problems_of_run(opened, task=task, data=data)
        integrity = (run.integrity if run else None) or opened.manifest.settings.get("integrity")
        by = _models_for(loaded, opened, model)
        gathered = _gathered(opened, chosen, integrity)
        supply = _supply(loaded, gathered, opened, by)
        loaded = _usable(loaded, supply, watching, named=rerankers is not None)
        if by.estranged and needed(loaded, *BY_MODEL):
            watching.notice(f"text for rerankers: {by.estranged}; nothing of the other's is used")
        with _resources(loaded, opened, by, supply, judge=judge, run=run) as resources:
            scored = _score(loaded, gathered, chosen, opened, resources, watching, curves=curves)
        notices = [*scored.notices, *_weaker(judge, opened)]
        report = _report(opened, chosen, gathered, k=ks, scores=scored.scores, notices=notices)
        opened.write_results(report.as_json())
        scored.raise_failures(opened, watching)
    return report


@contextmanager
def _resources(
    loaded: Sequence[Reranker],
    opened: RunFolder,
    by: RunModel,
    supply: Supply,
    *,
    judge: Judge | None,
    run: RunOptions | None,
) -> Iterator[Resources]:
    """Give what rerankers can act with; models that it opens are closed behind the block."""
    with closing(Models(by.source, opened.artefacts, lacking=by.lacking)) as models:
        yield resources_for(
            loaded,
            opened,
            judge=judge,
            models=models,
            supply=supply,
            recorded=by.recorded,
            tests=run.tests if run else None,
        )


def _models_for(
    loaded: Sequence[Reranker], opened: RunFolder, model: str | Path | ModelOptions | Engine | None
) -> RunModel:
    """Find the run's model, and refuse rerankers that name one which is not there, before they are needed.

    What was asked for before is kept, and may need no model any more.
    """
    by = model_of_run(opened.manifest, model)
    begun = (each.name for each in loaded if len(opened.unfinished_scores(each.name)))
    expect_named_models(loaded, by.source, scored=[*opened.scored_by(), *begun])
    return by


def load_report(run: Path) -> Report:
    """Read the report of a finished run; reads neither its candidates nor its verdicts.

    Raises:
        RunFolderError: no run, not finished, or its results cannot be read.
    """
    with open_run(run) as folder:
        content = folder.results()
        if content is None:
            raise RunFolderError(f"{run}: has no results yet; finish it with --resume")
        return _marked(Report.from_json(content, run=run), folder)


def recount_run(
    folder: Path, *, integrity: str, task: Task | None = None, data: Path | None = None
) -> Report:
    """Make a finished run's report anew from its verdicts and scores; writes nothing.

    Args:
        integrity: "any" or "strict", as in `RunOptions`.
        task, data: As for `rerank_run`.

    Raises:
        ParameterError: another `integrity`.
        CodesampleError: as `rerank_run`, as far as it concerns the run and its problems.
    """
    asked = RunOptions(integrity=integrity)
    with open_run(folder) as opened:
        chosen = problems_of_run(opened, task=task, data=data)
        gathered = _gathered(opened, chosen, asked.integrity)
        return _marked(_report(opened, chosen, gathered, k=_chosen_k(opened, None)), opened)


def open_run(folder: str | Path, *, write: bool = False, empty_too: bool = False) -> RunFolder:
    """Open a run folder; where a file of one, or samples, are given instead, say what to give or to do.

    Args:
        empty_too: Whether a shard that has no problem is opened as well.

    Raises:
        RunFolderError: as `RunFolder.open`; or it is such a shard.
    """
    path = Path(folder)
    try:
        opened = RunFolder.open(path, write=write)
    except RunFolderError as error:
        # what cannot even be looked at, such as a name too long, is told of as it is
        if os.path.exists(path / "run.json") or holds_table(path):
            raise
        if os.path.isfile(path) and os.path.exists(path.parent / "run.json"):
            raise RunFolderError(f"{path}: a file of a run; give its folder: {path.parent}") from error
        if runs := _runs_in(path):
            more = f" and {len(runs) - _NAMED} more" if len(runs) > _NAMED else ""
            raise RunFolderError(
                f"{path}: not a run folder, but a folder of such; name one of them: "
                f"{', '.join(map(str, runs[:_NAMED]))}{more}"
            ) from error
        if (found := describe(path)) is not None:
            raise RunFolderError(
                f"{path}: {found}, not a run folder; judge them, and rerank them by -r, with: "
                f"codesample execute {path} --task TASK"
            ) from error
        raise
    if not empty_too and opened.manifest.shard is not None and not opened.manifest.settings.get("candidates"):
        opened.close()
        raise RunFolderError(f"{path}: {nothing_to('show', opened.manifest.shard)}")
    return opened


def _runs_in(folder: Path) -> list[Path]:
    try:
        return sorted(each for each in folder.iterdir() if (each / "run.json").is_file())
    except OSError:
        return []


def _chosen_k(folder: RunFolder, k: Sequence[int] | None) -> tuple[int, ...]:
    """Return the k of pass@k, the run's own where none is named; raises MetricError."""
    settings = folder.manifest.settings
    return choose_k(settings.get("k") if k is None else k, settings.get("n", folder.manifest.n))


def _gathered(folder: RunFolder, chosen: ProblemSet, integrity: str | None) -> list[Pool]:
    """Gather what the last call into a run covered; raises RunFolderError where some is not judged yet."""
    wanted = covered_keys(folder, chosen.problems)
    gathered = pools(folder, chosen, wanted, strict=integrity == "strict")
    _expect_complete(folder, gathered)
    return gathered


def _report(
    folder: RunFolder,
    chosen: ProblemSet,
    gathered: Sequence[Pool],
    *,
    k: Sequence[int],
    scores: Mapping[str, Scores] = MappingProxyType({}),
    notices: Sequence[str] = (),
) -> Report:
    """Sum up a run that is judged; times are those of the sampling."""
    before = _earlier(folder)
    known = {**saved_scores(gathered, folder), **scores}
    report = summarise(
        folder,
        gathered,
        known,
        problems=len(chosen.problems),
        n=folder.manifest.settings.get("n", folder.manifest.n),
        k=k,
        seconds=before.seconds if before else Seconds(0.0, 0.0, 0.0),
        tokens_per_second=before.tokens_per_second if before else None,
        notices=notices,
        health=before.health if before else None,
        costs=saved_costs(known, folder),
    )
    report = compared(report, folder, gathered)
    return replace(report, recalled=before.recalled, policy=before.policy) if before else report


def _marked(report: Report, folder: RunFolder) -> Report:
    """Return the report with a word on scores that older code gave."""
    given_by = {name: folder.score_origin(name) for name in report.rerankers}
    return replace(report, notices=(*report.notices, *outdated_notices(given_by)))


def _score(
    loaded: Sequence[Reranker],
    gathered: Sequence[Pool],
    chosen: ProblemSet,
    run: RunFolder,
    resources: Resources,
    observer: Observer,
    *,
    curves: bool,
) -> Scored:
    try:
        return score(
            loaded,
            gathered,
            chosen=chosen,
            seed=run.manifest.params.seed,
            resources=resources,
            run=run,
            observer=observer,
            curves=curves,
        )
    finally:
        observer.stopped()


def _judge_for(
    loaded: Sequence[Reranker], run: RunOptions, folder: RunFolder
) -> AbstractContextManager[Judge] | AbstractContextManager[None]:
    """Open a judge where a reranker runs programs; it grants the modules that the run's programs had."""
    if not any(each.needs & EXECUTED for each in loaded):
        return nullcontext()
    if run.judge is None and not run.imports:
        run = replace(run, imports=folder.manifest.imports)
    return open_judge(run)


def _supply(loaded: Sequence[Reranker], gathered: Sequence[Pool], run: RunFolder, by: RunModel) -> Supply:
    """Say what a saved run supplies; its model is looked at only where a reranker might need it."""
    held = held_by(each for pool in gathered for each in pool.candidates)
    lacking = {name for each in loaded for name in each.needs & set(TOKEN_NUMBERS)} - held
    model = able_of(by.source) if lacking or needed(loaded, *BY_MODEL) else None
    return supply_of(held, holder=str(run.path), model=model, lacking=by.lacking, estranged=by.estranged)


def _usable(loaded: Sequence[Reranker], supply: Supply, observer: Observer, *, named: bool) -> list[Reranker]:
    """Return the rerankers that the run has what they need for; one that was `named` may not lack any."""
    lacking = [each for each in loaded if supply.lacking(each)]
    if named:
        supply.require(lacking)
    for each in lacking:
        observer.notice(f"not scored by {each.name}: {supply.lacking(each)}")
    return [each for each in loaded if each not in lacking]


def _expect_complete(folder: RunFolder, gathered: Sequence[Pool]) -> None:
    judged = sum(len(pool.candidates) for pool in gathered)
    asked = folder.manifest.settings.get("candidates", 1)
    if judged < asked:
        raise RunFolderError(
            f"{folder.path}: {asked - judged} of {asked} candidates have no verdict yet; "
            f"finish it first by the call that came last, with --out {folder.path} --resume"
        )


def _weaker(judge: Judge | None, folder: RunFolder) -> list[str]:
    judged = weakest_isolation(folder.manifest.sessions)
    if judge is None or judge.isolation.level >= Level.parse(judged):
        return []
    now = judge.isolation.level.label
    return [f"rerankers ran programs at isolation {now!r}, weaker than {judged!r}, at which they were judged"]


def _earlier(folder: RunFolder) -> Report | None:
    """Return what the folder's results say of times and health; what they say of rerankers is made anew."""
    with suppress(RunFolderError):
        content = folder.results()
        return None if content is None else Report.from_json({**content, "rerankers": {}}, run=folder.path)
    return None
