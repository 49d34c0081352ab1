"""Everything about an evaluation that can be checked before the model is loaded."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING

from codesample.errors import ParameterError, RerankerError, RunFolderError
from codesample.evaluation.options import ModelOptions
from codesample.records import Problem, Request, SamplingParams
from codesample.rerankers.contract import Reranker
from codesample.rerankers.registry import load_reranker
from codesample.runs import Key, Manifest, RunFolder
from codesample.tasks.contract import Task
from codesample.tasks.registry import load_task, load_task_file

if TYPE_CHECKING:
    from codesample.engines.contract import Engine

__all__ = [
    "Chosen",
    "check_run_folder",
    "choose_again",
    "choose_rerankers",
    "choose_task",
    "manifest_of",
    "model_name",
    "new_run_folder",
    "requests_for",
    "wanted_again",
]


@dataclass(frozen=True, slots=True)
class Chosen:
    """A task and the problems of it that a run covers.

    Attributes:
        task: The task.
        problems: In the task's order.
        data: Absolute path of the data file that was given, if one was.
        task_file: Absolute path of the user's own problems, if the task is that.
    """

    task: Task
    problems: tuple[Problem, ...]
    data: Path | None = None
    task_file: Path | None = None

    @property
    def origin(self) -> dict[str, str | None]:
        """Where the problems come from, as plain JSON data that `choose_again` takes."""
        return {
            "data": str(self.data) if self.data else None,
            "task_file": str(self.task_file) if self.task_file else None,
        }

    @property
    def by_id(self) -> dict[str, Problem]:
        """The problems by task id."""
        return {problem.task_id: problem for problem in self.problems}


def choose_task(task: str | Path | Task, *, data: Path | None = None, limit: int | None = None) -> Chosen:
    """Find a task by name, by a file of problems (a `Path`), or take the one given, and read its problems.

    Args:
        task: What to evaluate on.
        data: The data of a named task in their published form, instead of the hub's copy.
        limit: Only the first problems; None takes all.

    Raises:
        UnknownNameError: no task of that name.
        DataError: the data are malformed; names file and line.
        HubUnavailableError: the data are not on this machine and the hub cannot be reached.
        ParameterError: a limit below 1, or `data` beside a task file or a ready-made task.
    """
    if limit is not None and limit < 1:
        raise ParameterError(f"limit = {limit}: expected at least 1 problem")
    if not isinstance(task, str) and data is not None:
        raise ParameterError(f"data = {str(data)!r}: only a named task reads its data from elsewhere")
    if isinstance(task, str):
        named = load_task(task, data=data)
        return Chosen(named, tuple(named.problems()[:limit]), data=data.resolve() if data else None)
    made = load_task_file(task) if isinstance(task, Path) else task
    task_file = task.resolve() if isinstance(task, Path) else None
    return Chosen(made, tuple(made.problems()[:limit]), task_file=task_file)


def choose_again(run: RunFolder, *, task: Task | None = None, data: Path | None = None) -> Chosen:
    """Find the task of a run and read the problems again that its last call covered.

    Args:
        task: The task itself, for a run that was made with one that has no name here.
        data: Where its data, or the user's own problems, are now; None takes the place that the run recorded.

    Raises:
        RunFolderError: the task or its problems are not those of the run.
        UnknownNameError, DataError, HubUnavailableError, ParameterError: as `choose_task`.
    """
    manifest, settings = run.manifest, run.manifest.settings
    limit, task_file = settings.get("limit"), settings.get("task_file")
    place = data or settings.get("data")
    if task is not None:
        chosen = choose_task(task, data=data, limit=limit)
    elif task_file:
        chosen = choose_task(Path(data or task_file), limit=limit)
    else:
        chosen = choose_task(manifest.task, data=Path(place) if place else None, limit=limit)
    if chosen.task.version != manifest.task_version:
        raise RunFolderError(
            f"{run.path}: was made with version {manifest.task_version} of {manifest.task}, "
            f"which is version {chosen.task.version} here; sample it anew"
        )
    if chosen.task.fingerprint() != manifest.data_hash:
        raise RunFolderError(
            f"{run.path}: its problems are not those that {manifest.task} has now; "
            "name the data it was made with: --data FILE"
        )
    return chosen


def wanted_again(run: RunFolder, chosen: Chosen) -> frozenset[Key]:
    """Return the keys of the candidates that the last call into a run asked for, as far as it has them."""
    n = run.manifest.settings.get("n", run.manifest.n)
    # recorded samples carry indices of their own; the run holds those of one file and no others
    any_index = "samples" in run.manifest.settings
    known = chosen.by_id
    return frozenset(key for key in run.sampled if key[0] in known and (any_index or key[1] < n))


def choose_rerankers(specs: Sequence[str | Reranker]) -> list[Reranker]:
    """Load each reranker; the same one given twice counts once.

    Raises:
        UnknownNameError: no installed reranker of that name.
        RerankerError: a file or plug-in that cannot be loaded, or two different rerankers of one name.
    """
    found: dict[str, Reranker] = {}
    for spec in dict.fromkeys(specs):
        each = load_reranker(spec)
        if each.name in found:
            raise RerankerError(
                f"two rerankers are called {each.name!r}; rename one of them with @reranker(NAME)"
            )
        found[each.name] = each
    return list(found.values())


def manifest_of(chosen: Chosen, model: str, params: SamplingParams, n: int) -> Manifest:
    """Return what identifies a run of `model` on these problems, without sessions."""
    return Manifest(
        task=chosen.task.name,
        task_version=chosen.task.version,
        data_hash=chosen.task.fingerprint(),
        model=model,
        params=params,
        n=n,
    )


def check_run_folder(path: Path, manifest: Manifest, *, resume: bool) -> None:
    """Refuse a run folder that could not be started, or not be continued with `manifest`; writes nothing.

    Raises:
        RunFolderError: it holds a run or files of one although `resume` is off, it holds none or another
            run although it is on, or it cannot be written.
    """
    if resume:
        with RunFolder.open(path) as run:
            run.manifest.continued_by(manifest, where=str(path))
    else:
        RunFolder.expect_none(path)
        _try_writing(path)


def _try_writing(path: Path) -> None:
    absent: list[Path] = []
    try:
        absent = [folder for folder in (path, *path.parents) if not folder.exists()]
        path.mkdir(parents=True, exist_ok=True)
        TemporaryFile(dir=path).close()
    except OSError as error:
        raise RunFolderError(
            f"{path}: cannot be written: {error.strerror}; choose another with --out"
        ) from error
    finally:
        for folder in absent:
            with suppress(OSError):
                folder.rmdir()


def new_run_folder(task: str, model: str) -> Path:
    """Return the path of a new run folder under `runs/`, named after task, model and time of day.

    To the millisecond, so that runs started together do not meet.
    """
    words = "-".join(part for part in (task, Path(model).name) if part)
    safe = "".join(char if char.isalnum() or char in "._-" else "_" for char in words)
    now = datetime.now()
    return Path("runs") / f"{safe[:100]}-{now:%Y%m%d-%H%M%S}-{now.microsecond // 1000:03d}"


def model_name(model: ModelOptions | Engine) -> str:
    """Return the name by which a run knows the model, with the revision asked for; loads nothing."""
    if isinstance(model, ModelOptions):
        return model.model if model.revision is None else f"{model.model}@{model.revision}"
    return model.name


def requests_for(problems: Sequence[Problem], missing: Collection[Key]) -> list[Request]:
    """Ask for the `missing` candidates, problem by problem in the given order."""
    indices: dict[str, list[int]] = {problem.task_id: [] for problem in problems}
    for task_id, index in missing:
        indices[task_id].append(index)
    return [
        Request(problem.task_id, problem.prompt, tuple(sorted(wanted)))
        for problem in problems
        if (wanted := indices[problem.task_id])
    ]
