"""A table of runs: several tasks, models and ways to choose tokens, each combination a run of its own.

All runs stand in one folder, each in a folder named after what it combines, so that going on with the table
finds those that were begun. A model is loaded once, when the first of its runs needs it.
"""

from __future__ import annotations

import gc
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import product
from pathlib import Path
from time import monotonic
from typing import Any

from codesample.engines.contract import Engine
from codesample.engines.model_options import ModelOptions
from codesample.errors import CodesampleError, ParameterError, RunFolderError
from codesample.evaluation.evaluate import plan_evaluation
from codesample.evaluation.notebook_html import run_table_html
from codesample.evaluation.observer import Observer
from codesample.evaluation.options import DEFAULT_N, DEFAULT_RERANKERS, PromptOptions, RunOptions
from codesample.evaluation.pipeline import carry_out
from codesample.evaluation.plan import EvaluationPlan, ModelSource, choose_rerankers, model_source
from codesample.evaluation.problem_set import ProblemSet, read_problems
from codesample.evaluation.report import Report
from codesample.evaluation.shard import nothing_to
from codesample.records import SamplingParams
from codesample.records.short import one_line
from codesample.records.validation import validated
from codesample.rerankers.contract import Reranker
from codesample.runs import RunFolder
from codesample.runs.table import TableEntry, add_to_table, holds_table, read_table
from codesample.tasks.contract import Task

__all__ = ["RunTable", "TableRow", "evaluate_table", "load_table", "new_table_folder"]

# what has to be as it was for a finished run to answer for a call
_ASKED = ("n", "candidates", "k", "rerankers", "integrity", "limit", "ids")


@validated
@dataclass(frozen=True, slots=True)
class TableRow:
    """One combination, and what became of its run.

    Attributes:
        task, model: Names.
        temperature: Of the tokens' choice.
        run: Its folder.
        report: None where it failed or has not been finished.
        error: Why there is no report.
    """

    task: str
    model: str
    temperature: float
    run: Path
    report: Report | None = field(default=None, compare=False)
    error: str = ""

    __repr__ = one_line

    @property
    def title(self) -> str:
        """What it combines, in words."""
        return f"{self.task}, {self.model}, temperature {self.temperature:g}"

    def as_json(self) -> dict[str, Any]:
        """Return the report's content with the temperature and the folder; a failed row has an `error`."""
        found: dict[str, Any] = {"task": self.task, "model": self.model}
        found |= self.report.as_json() if self.report else {"error": self.error}
        return found | {"temperature": self.temperature, "run": str(self.run)}


@validated
@dataclass(frozen=True, slots=True)
class RunTable:
    """The runs of one folder, those of one model together."""

    folder: Path
    rows: tuple[TableRow, ...]

    def __repr__(self) -> str:
        failed = f", {len(self.failed)} failed" if self.failed else ""
        return f"RunTable({str(self.folder)!r}, {len(self.rows)} runs{failed})"

    def _repr_html_(self) -> str:
        return run_table_html(self)

    @property
    def harness_errors(self) -> int:
        """Candidates that the harness failed to judge, over all runs."""
        return sum(row.report.harness_errors for row in self.rows if row.report)

    @property
    def failed(self) -> tuple[TableRow, ...]:
        """The rows without a report."""
        return tuple(row for row in self.rows if row.report is None)

    def as_json(self) -> list[dict[str, Any]]:
        """Return every row as plain JSON data."""
        return [row.as_json() for row in self.rows]


@dataclass(frozen=True, slots=True)
class _Planned:
    row: TableRow
    plan: EvaluationPlan
    notice: str


@dataclass(frozen=True, slots=True)
class _Settings:
    """What all runs of a table share."""

    n: int
    k: int | Sequence[int] | None
    rerankers: Sequence[Reranker]
    prompts: PromptOptions
    run: RunOptions


@validated
def evaluate_table(
    tasks: Sequence[str | Path | Task | ProblemSet],
    models: Sequence[str | Path | ModelOptions | Engine],
    params: Sequence[SamplingParams] = (SamplingParams(),),
    *,
    n: int = DEFAULT_N,
    rerankers: str | Reranker | Sequence[str | Reranker] = DEFAULT_RERANKERS,
    k: int | Sequence[int] | None = None,
    prompts: PromptOptions | None = None,
    run: RunOptions | None = None,
    observer: Observer | None = None,
) -> RunTable:
    """Evaluate every model on every task with every choice of tokens, as `evaluate` does one.

    What can be refused is refused before anything is loaded. A run that fails later costs none of the others.

    Args:
        tasks: As for `evaluate`, or read already, to name their data or some of their problems.
        models: As for `evaluate`.
        params: Ways to choose tokens, no two of one temperature.
        n, rerankers, k, prompts, observer: As for `evaluate`, for every run.
        run: As for `evaluate`; `out` is the folder that holds the runs' folders. With `resume`, runs that
            are finished are read, those begun are gone on with, and the others are begun.

    Returns:
        A row for each combination, with its report or with what it failed of.

    Raises:
        ParameterError: nothing to combine, or two runs that would be alike.
        RunFolderError: the folder holds a table or a run already, or none to go on with.
        CodesampleError: as `evaluate`, as far as it is known before a model is loaded.
    """
    options, watching = run or RunOptions(), observer or Observer()
    if not (tasks and models and params):
        raise ParameterError("a table of runs needs at least one task, one model and one choice of tokens")
    loaded = choose_rerankers(rerankers)
    sets = [each if isinstance(each, ProblemSet) else read_problems(each) for each in tasks]
    folder = options.out or new_table_folder()
    _check_folder(folder, resume=options.resume)
    settings = _Settings(n, k, loaded, prompts or PromptOptions(), options)
    sources = [model_source(model) for model in models]
    for source in sources:
        # runs that are gone on with may be finished, and their models gone; of a cluster others have them
        if not options.resume and options.ray is None:
            source.expect_model()
    groups = [_group(source, sets, params, folder, settings) for source in sources]
    rows = [each.row for _, planned in groups for each in planned]
    _expect_different(rows)
    add_to_table(folder, (TableEntry(row.run.name, row.task, row.model, row.temperature) for row in rows))
    return RunTable(folder, tuple(_carried_out(groups, watching)))


def new_table_folder() -> Path:
    """Return the path of a new table under `runs/`, named after the time of day, to the millisecond."""
    now = datetime.now()
    return Path("runs") / f"table-{now:%Y%m%d-%H%M%S}-{now.microsecond // 1000:03d}"


def load_table(folder: Path) -> RunTable:
    """Read the reports of a table of runs; a run without one is a row that says so.

    Raises:
        RunFolderError: the folder holds no table, or one that this version does not read.
    """
    rows = []
    for entry in read_table(folder):
        row = TableRow(entry.task, entry.model, entry.temperature, folder / entry.folder)
        try:
            with RunFolder.open(row.run) as run:
                found, shard, settings = run.results(), run.manifest.shard, run.manifest.settings
            if found is None and shard is not None and not settings.get("candidates"):
                done = replace(row, error=nothing_to("show", shard))
            else:
                done = replace(row, error="not finished") if found is None else _reported(row, found)
        except CodesampleError as error:
            done = replace(row, error=str(error))
        rows.append(done)
    return RunTable(folder, tuple(rows))


class _Shared:
    """Opens an engine once for all runs of its model; what kept it from opening is not tried again."""

    def __init__(self, source: ModelSource) -> None:
        self._source = source
        self._engine: Engine | None = None
        self._failure: CodesampleError | None = None

    def open(self) -> Engine:
        if self._failure is not None:
            raise self._failure.with_traceback(None)
        if self._engine is None:
            try:
                self._engine = self._source.open()
            except CodesampleError as error:
                self._failure = error
                raise
        return self._engine

    def close(self) -> None:
        """Let go of the engine, so that the next one has its memory."""
        self._engine = None
        gc.collect()


def _group(
    source: ModelSource,
    sets: Sequence[ProblemSet],
    params: Sequence[SamplingParams],
    folder: Path,
    settings: _Settings,
) -> tuple[_Shared, list[_Planned]]:
    """Plan every run of one model."""
    shared, planned = _Shared(source), []
    for chosen, choice in product(sets, params):
        place = folder / _name(chosen, source, choice)
        plan, notice = plan_evaluation(
            chosen,
            replace(source, open=shared.open),
            n=settings.n,
            params=choice,
            k=settings.k,
            rerankers=settings.rerankers,
            prompts=settings.prompts,
            run=_options_of(place, settings.run),
        )
        row = TableRow(chosen.task.name, source.name, choice.temperature, place)
        planned.append(_Planned(row, plan, notice))
    return shared, planned


def _carried_out(
    groups: Sequence[tuple[_Shared, Sequence[_Planned]]], observer: Observer
) -> Iterator[TableRow]:
    """Carry out run after run; raises the first mistake of our own once all of them have had their turn."""
    number, of = 0, sum(len(planned) for _, planned in groups)
    broken: Exception | None = None
    for shared, planned in groups:
        for each in planned:
            number += 1
            observer.table(f"run {number} of {of}: {each.row.title}")
            try:
                report = _finished(each.plan) or _carry_out(each, observer)
                observer.table(f"run {number} of {of} gives {report}")
                yield replace(each.row, report=report)
            except CodesampleError as error:
                observer.table(f"run {number} of {of} failed: {error}")
                yield replace(each.row, error=str(error))
            except Exception as error:
                said = f"{type(error).__name__}: {error}"
                observer.table(f"run {number} of {of} failed: {said}")
                broken = broken or error
                yield replace(each.row, error=said)
        shared.close()
    if broken is not None:
        raise broken


def _carry_out(planned: _Planned, observer: Observer) -> Report:
    if planned.notice:
        observer.notice(planned.notice)
    return carry_out(planned.plan, observer, began=monotonic())


def _finished(plan: EvaluationPlan) -> Report | None:
    """Return the report of a run that already holds all that a plan asks for, without loading the model."""
    if not plan.run.resume:
        return None
    with RunFolder.open(plan.out) as run:
        content = run.results()
        if content is None or not plan.wanted <= run.judged:
            return None
        before, now = run.manifest.settings, json.loads(json.dumps(plan.as_settings()))
    if any(before.get(name) != now.get(name) for name in _ASKED):
        return None
    report = Report.from_json(content, run=plan.out)
    return report if set(now["rerankers"]) <= report.rerankers.keys() else None


def _options_of(place: Path, options: RunOptions) -> RunOptions:
    """Return the options of one run; it is begun where the table is gone on with and has not come to it."""
    return replace(options, out=place, resume=options.resume and (place / "run.json").exists())


def _name(chosen: ProblemSet, source: ModelSource, params: SamplingParams) -> str:
    """Return the folder of a run within its table; it depends on nothing but what the run combines."""
    parts = (chosen.task.name, source.name.strip("/.~"), f"t{params.temperature:g}")
    return "-".join(re.sub(r"[^\w.@+=-]", "_", part.replace("/", "--"))[-100:] for part in parts)


def _check_folder(folder: Path, *, resume: bool) -> None:
    if resume and not holds_table(folder):
        raise RunFolderError(f"{folder}: holds no table of runs; leave --resume out to begin one")
    if holds_table(folder) and not resume:
        raise RunFolderError(
            f"{folder}: holds a table of runs already; continue it with --resume, or choose another folder"
        )
    if not resume:
        RunFolder.expect_none(folder)


def _expect_different(rows: Sequence[TableRow]) -> None:
    seen: dict[Path, TableRow] = {}
    for row in rows:
        if (other := seen.setdefault(row.run, row)) is not row:
            raise ParameterError(f"two runs of the table would be alike: {other.title}, and {row.title}")


def _reported(row: TableRow, content: dict[str, Any]) -> TableRow:
    return replace(row, report=Report.from_json(content, run=row.run))
