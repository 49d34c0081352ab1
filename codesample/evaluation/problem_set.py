"""Which problems an evaluation covers: all of a task's or some of them, found again for a saved run."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from codesample.errors import DataError, ParameterError, RunFolderError
from codesample.evaluation.options import PromptOptions
from codesample.evaluation.problem_choice import Ids, Limit, choose_problems, parse_limit
from codesample.evaluation.shard import Shard
from codesample.records import Candidate, Problem, Request, SamplingParams
from codesample.records.short import short
from codesample.records.validation import validated
from codesample.runs import Key, RunFolder
from codesample.tasks.contract import Task
from codesample.tasks.prompt_form import PromptForm, Style
from codesample.tasks.registry import load_task, load_task_file

__all__ = ["ProblemSet", "covered_keys", "problems_of_run", "read_problems"]


@validated
@dataclass(frozen=True)
class ProblemSet:
    """A task and the problems of it that a run covers.

    Attributes:
        task: The task.
        problems: In the task's order.
        data: Absolute path of the data file that was given, if one was.
        task_file: Absolute path of the user's own problems, if the task is that.
        limit: How many of the first problems, or which places of them, were asked for; None for all.
        ids: The task ids that were asked for by their names; None for all.
        spec: What names the task here, a file by its absolute path; None for a task that was handed over.
        form: How problems are put to the model and its answers read; None takes the task's base form.
        of_all_shards: Of a shard, the problems of all of them; None where `problems` are all.
    """

    task: Task
    problems: tuple[Problem, ...]
    data: Path | None = None
    task_file: Path | None = None
    limit: Limit = None
    ids: tuple[str, ...] | None = None
    spec: str | None = None
    form: PromptForm | None = None
    of_all_shards: tuple[Problem, ...] | None = None

    def __repr__(self) -> str:
        return f"ProblemSet({short(self.task.name)}, {len(self.problems)} problems)"

    @cached_property
    def prompt_form(self) -> PromptForm:
        """How problems are put to the model and its answers read."""
        return self.form or self.task.form("base")

    def put(self, style: Style, prompts: PromptOptions) -> ProblemSet:
        """Return the same problems, put to the model in another form.

        Raises:
            ParameterError: a system turn or a prefill for the base form, or a problem that has no such form.
        """
        form = self.task.form(style, system=prompts.system, prefill=prompts.prefill)
        if style == "chat" or prompts.style == style:
            for problem in self.problems:
                # what cannot be asked is refused before a model is loaded
                form.ask(problem)
        return replace(self, form=form)

    @property
    def origin(self) -> dict[str, Any]:
        """Where the problems come from, as plain JSON data that `problems_of_run` takes."""
        return {
            "task": self.spec,
            "limit": self.limit,
            **({"ids": list(self.ids)} if self.ids is not None else {}),
            "data": str(self.data) if self.data else None,
            "task_file": str(self.task_file) if self.task_file else None,
        }

    def narrowed(self, *, limit: Limit = None, ids: Ids = None) -> ProblemSet:
        """Return the set with those of its problems that are meant; see `choose_problems`.

        Raises:
            ParameterError: as `choose_problems`.
        """
        if limit is None and ids is None:
            return self
        named = None if ids is None else choose_problems(self.problems, task=self.task.name, ids=ids)
        chosen = choose_problems(named or self.problems, task=self.task.name, limit=limit)
        return replace(
            self,
            problems=chosen,
            limit=int(limit) if isinstance(limit, str) and limit.strip().isdecimal() else limit,
            ids=None if named is None else tuple(each.task_id for each in named),
        )

    def sharded(self, shard: str | None) -> ProblemSet:
        """Return the set with the problems of a shard, such as "3/8"; None is the whole."""
        if shard is None:
            return self
        return replace(self, problems=Shard.parse(shard).part(self.problems), of_all_shards=self.problems)

    def only(self, ids: Collection[str]) -> ProblemSet:
        """Return the set without the problems of other ids, those of other shards as well."""
        every = self.of_all_shards
        return replace(
            self,
            problems=tuple(each for each in self.problems if each.task_id in ids),
            of_all_shards=None if every is None else tuple(each for each in every if each.task_id in ids),
        )

    @cached_property
    def by_id(self) -> dict[str, Problem]:
        """The problems by task id."""
        return {problem.task_id: problem for problem in self.problems}

    def keys(self, n: int) -> frozenset[Key]:
        """Return the keys of n candidates of every problem."""
        return frozenset((problem.task_id, index) for problem in self.problems for index in range(n))

    def settled(self, params: SamplingParams | None) -> SamplingParams:
        """Return parameters with the form's stops before the caller's own, and with its limit of tokens."""
        form = self.prompt_form
        return (params or SamplingParams()).settled(stop=form.stop, max_new_tokens=form.max_new_tokens)

    def assembled(self, candidates: Iterable[Candidate]) -> Iterator[tuple[Candidate, str]]:
        """Yield each candidate with the program to run for it; see `PromptForm.assembled`."""
        return self.prompt_form.assembled(candidates, self.by_id)

    def requests_for(self, missing: Collection[Key]) -> list[Request]:
        """Ask for the `missing` candidates, problem by problem in their order."""
        indices: dict[str, list[int]] = {problem.task_id: [] for problem in self.problems}
        for task_id, index in missing:
            indices[task_id].append(index)
        return [
            Request(problem.task_id, self.prompt_form.ask(problem), tuple(sorted(wanted)))
            for problem in self.problems
            if (wanted := indices[problem.task_id])
        ]


@validated
def read_problems(
    task: str | Path | Task, *, data: Path | None = None, limit: Limit = None, ids: Ids = None
) -> ProblemSet:
    """Find a task by name, by a file of problems (a `Path`), or take the one given, and read its problems.

    Args:
        task: What to evaluate on.
        data: The data of a named task in their published form, instead of the hub's copy.
        limit: Only the first problems, or a range of places such as "11-20"; None takes all.
        ids: Only those of these ids; see `choose_problems`. None takes all.

    Raises:
        UnknownNameError: no task of that name.
        DataError: the data are malformed; names file and line.
        HubUnavailableError: the data are not on this machine and the hub cannot be reached.
        ParameterError: a limit or ids as `choose_problems` refuses them, or `data` beside a task file or a
            ready-made task.
    """
    parse_limit(limit)
    if not isinstance(task, str) and data is not None:
        raise ParameterError(f"data = {str(data)!r}: only a named task reads its data from elsewhere")
    if isinstance(task, str):
        found = load_task(task, data=data)
    else:
        found = load_task_file(task) if isinstance(task, Path) else task
    return ProblemSet(
        found,
        tuple(found.problems()),
        data=data.resolve() if data else None,
        task_file=task.resolve() if isinstance(task, Path) else None,
        spec=_lasting(task) if isinstance(task, str) else None,
    ).narrowed(limit=limit, ids=ids)


def _lasting(spec: str) -> str:
    """Return a task's name as it is, and `FILE.py:NAME` with the file's absolute path."""
    where, colon, name = spec.rpartition(":")
    return f"{Path(where).resolve()}:{name}" if colon and where.endswith(".py") else spec


def problems_of_run(
    run: RunFolder, *, task: Task | None = None, data: Path | None = None, of_all_shards: bool = False
) -> ProblemSet:
    """Find the task of a run and read the problems again that its last call covered.

    Args:
        task: The task itself, for a run that was made with one that has no name here.
        data: Where its data, or the user's own problems, are now; None takes the place that the run recorded.
        of_all_shards: Whether, of a shard, those of the others are meant as well.

    Raises:
        RunFolderError: the task or its problems are not those of the run.
        UnknownNameError, DataError, HubUnavailableError, ParameterError: as `read_problems`.
    """
    manifest, settings = run.manifest, run.manifest.settings
    source, place = _source_of(run, task, data)
    if place is not None and data is None and not place.exists():
        raise DataError(f"{run.path}: its problems are no longer at {place}; name their file: --data FILE")
    found = read_problems(source, data=None if isinstance(source, Path) else place)
    if found.task.version != manifest.task_version:
        raise RunFolderError(
            f"{run.path}: was made with version {manifest.task_version} of {manifest.task}, "
            f"which is version {found.task.version} here; sample it anew"
        )
    if found.task.fingerprint() != manifest.data_hash:
        raise RunFolderError(
            f"{run.path}: its problems are not those that {manifest.task} has now; "
            "name the data it was made with: --data FILE"
        )
    found = found.narrowed(limit=settings.get("limit"), ids=settings.get("ids"))
    found = found.sharded(None if of_all_shards else manifest.shard)
    return replace(found, form=_form_of(run, found.task))


def _source_of(run: RunFolder, task: Task | None, data: Path | None) -> tuple[str | Path | Task, Path | None]:
    """Return what names the task of a run, and the file, if there is one, that its problems stand in."""
    if task is not None:
        return task, data
    settings = run.manifest.settings
    if (own := settings.get("task_file")) is not None:
        return (file := Path(data or own)), file
    place = data or settings.get("data")
    return settings.get("task") or run.manifest.task, Path(place) if place else None


def _form_of(run: RunFolder, task: Task) -> PromptForm:
    """Return the form that a run recorded, for reading its answers again."""
    kept = run.manifest.prompt
    if kept["style"] != "chat":
        return task.form("base")
    form = task.form("chat", system=kept.get("system"), prefill=bool(kept.get("prefill")))
    if form.version != kept.get("version"):
        raise RunFolderError(
            f"{run.path}: was made with version {kept.get('version')} of the chat form of {task.name}, "
            f"which is version {form.version} here; sample it anew, or read what was answered by that one: "
            f"codesample execute {run.path} --task {run.manifest.task}"
        )
    return form


def covered_keys(run: RunFolder, known: Sequence[Problem]) -> frozenset[Key]:
    """Return the keys of the candidates that the last call into a run asked for, as far as it has them."""
    n = run.manifest.settings.get("n", run.manifest.n)
    # recorded samples carry indices of their own; the run holds those of one file and no others
    any_index = "samples" in run.manifest.settings
    ids = {problem.task_id for problem in known}
    return frozenset(key for key in run.sampled if key[0] in ids and (any_index or key[1] < n))
