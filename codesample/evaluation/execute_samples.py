"""Judges samples that were made elsewhere, and reports as an evaluation does."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from time import monotonic

from codesample.engines.contract import Engine
from codesample.engines.model_options import ModelOptions
from codesample.engines.recorded import RecordedSamples
from codesample.errors import DataError, ParameterError, RunFolderError
from codesample.evaluation.observer import Observer
from codesample.evaluation.options import PromptOptions, RunOptions
from codesample.evaluation.pipeline import carry_out
from codesample.evaluation.plan import ModelSource, build_plan, choose_rerankers, model_source
from codesample.evaluation.problem_choice import Ids, Limit
from codesample.evaluation.problem_set import ProblemSet, problems_of_run, read_problems
from codesample.evaluation.report import Report
from codesample.evaluation.supply import opened_once
from codesample.evaluation.unread_answers import notice_unread_answers
from codesample.foreign import STANDARD_INPUT, Matched, SampleFile, match_samples, open_samples
from codesample.rerankers.contract import Reranker
from codesample.runs import Key, RunFolder
from codesample.tasks.contract import Task
from codesample.tasks.registry import task_names

__all__ = ["execute_samples", "read_recorded"]


def execute_samples(
    samples: Path,
    task: str | Path | Task | None = None,
    *,
    data: Path | None = None,
    extract: bool = False,
    limit: Limit = None,
    ids: Ids = None,
    k: int | Sequence[int] | None = None,
    rerankers: str | Reranker | Sequence[str | Reranker] = (),
    model: str | Path | ModelOptions | Engine | None = None,
    run: RunOptions | None = None,
    observer: Observer | None = None,
) -> Report:
    """Judge samples of any origin and report as `evaluate` does.

    Args:
        samples: What another tool wrote, or a run folder; its content tells the form. Any number per
            problem, a subset of the problems is fine. "-" is standard input.
        task: Whose hidden tests judge them; as for `evaluate`. None takes the one of a run folder.
        extract: Whether the texts are answers, out of which programs are to be read by the task's chat form.
        limit, ids: Which problems count, as for `evaluate`; samples of the task's others are left out.
        k: The k of pass@k; None takes those of 1, 5, 10 that the problem with the fewest samples allows.
        model: Writes and reads text for rerankers, as for `evaluate`: the samples have no model of their own.
            Numbers of tokens that they lack are its own.
        data, rerankers, run, observer: As for `evaluate`.

    Returns:
        Figures over the problems that have samples; how many have none is among its notices, and where the
        file holds verdicts, how far they agree is in `Report.theirs`.

    Raises:
        DataError: no samples, a malformed one, or one of a problem the task does not have; names file and
            line.
        CodesampleError: as `evaluate`.
    """
    began = monotonic()
    loaded = choose_rerankers(rerankers)
    chosen, file, found = read_recorded(samples, task, data=data, extract=extract, limit=limit, ids=ids)
    source, keys = _source(chosen, file, found, extract=extract)
    plan = build_plan(
        "execute",
        chosen,
        keys,
        source,
        # how another tool chose its tokens is unknown; nothing here draws any
        params=None,
        k=k,
        rerankers=loaded,
        run=run or RunOptions(),
        reader=opened_once(None if model is None else model_source(model)),
        settings={
            "samples": str(samples if samples == STANDARD_INPUT else samples.resolve()),
            "form": file.form,
            **_named(model),
            # which are over all samples of the file
            "their_figures": {} if found.left_out else dict(file.figures(plus=_judges_plus(chosen))),
        },
    )
    return carry_out(plan, observer or Observer(), began=began)


def read_recorded(
    samples: Path,
    task: str | Path | Task | None,
    *,
    data: Path | None = None,
    extract: bool = False,
    limit: Limit = None,
    ids: Ids = None,
) -> tuple[ProblemSet, SampleFile, Matched]:
    """Read samples of any origin and the problems that they are of; arguments and errors as above."""
    # whether there are any comes before what they are judged by
    file = open_samples(samples)
    whole = _problems(file, task, data)
    if extract and whole.prompt_form.style != "chat":
        whole = whole.put("chat", PromptOptions())
    chosen = whole.narrowed(limit=limit, ids=ids)
    found = match_samples(
        file.samples(plus=_judges_plus(chosen)),
        whole.problems,
        name=str(samples),
        outside=[each.task_id for each in whole.task.all_problems() if each.task_id not in whole.by_id],
        task=chosen.task.name,
        tasks=task_names(),
        extract=extract,
    )
    meant = [each for each in found.candidates if each.task_id in chosen.by_id]
    if not meant:
        less = "" if chosen is whole else " of the problems that are meant"
        raise DataError(f"{samples}: holds no samples{less}")
    origins = [each for each in found.origins if each.task_id in chosen.by_id]
    left_out = found.left_out + len(found.candidates) - len(meant)
    return chosen, file, Matched(meant, origins, [*file.notices, *found.notices], left_out)


def _named(model: str | Path | ModelOptions | Engine | None) -> dict[str, str]:
    """Return what a run records of the model that reads its samples, so that it is found again."""
    if model is None or isinstance(model, Engine):
        return {}
    return {"text_model": model.name if isinstance(model, ModelOptions) else str(model)}


def _source(
    chosen: ProblemSet, file: SampleFile, found: Matched, *, extract: bool
) -> tuple[ModelSource, Collection[Key]]:
    """Put the candidates in an engine's place; returns also which there are."""
    engine = RecordedSamples(file.path, found.candidates, digest=file.digest, label=file.name)
    unread = [] if extract else notice_unread_answers(chosen, found.candidates)
    source = ModelSource(
        engine.name,
        lambda: engine,
        label=file.name.split(".")[0],
        origins=found.origins,
        notices=found.notices,
        unread=unread,
    )
    return source, engine.candidates.keys()


def _problems(file: SampleFile, task: str | Path | Task | None, data: Path | None) -> ProblemSet:
    """Return the problems of the task that was named, in the form in which a run folder's answers are."""
    kept = _run_at(file.path)
    if task is not None:
        chosen = read_problems(task, data=data)
        if kept is not None and kept.manifest.prompt["style"] == "chat":
            return chosen.put("chat", PromptOptions(prefill=bool(kept.manifest.prompt.get("prefill"))))
        return chosen
    if kept is not None:
        of_run = problems_of_run(kept, data=data)
        every = tuple(of_run.task.problems())
        return replace(of_run, problems=every, limit=None, ids=None)
    hint = file.data_set(task_names())
    raise ParameterError(
        f"{file.path}: no task to judge the samples by; "
        + (hint or "name one: --task NAME (list them: codesample list tasks), or --task-file FILE")
    )


def _run_at(path: Path) -> RunFolder | None:
    """Open the run that a folder is, or that a file of samples lies in; None where there is none."""
    folder = path.parent if path.name == "samples.jsonl" else path
    try:
        return RunFolder.open(folder)
    except RunFolderError:
        return None


def _judges_plus(chosen: ProblemSet) -> bool:
    """Whether a task judges by the larger of the two sets of tests that EvalPlus has."""
    return chosen.task.name.endswith("_plus")
