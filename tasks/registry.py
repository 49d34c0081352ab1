"""Finds a task by name, in a Python file, or makes one from a user's file of problems.

Names come from the entry-point group `codesample.tasks`, the built-in ones too: a function that takes a data
file, or None, and returns a `Task`. A data set's module is imported when it is asked for.
"""

from __future__ import annotations

from pathlib import Path

from codesample.errors import CodesampleError, DataError, TaskError, UnknownNameError
from codesample.plugins import PluginKind
from codesample.records.validation import validated
from codesample.tasks.contract import Task
from codesample.tasks.known_files import expect_data_of, hint, known_file

__all__ = ["load_task", "load_task_file", "task_names"]

_TASKS = PluginKind(
    kind="task",
    group="codesample.tasks",
    error=TaskError,
    hint="List them: codesample list tasks; for a file of your own: --task-file FILE",
)

_DATA_SUFFIXES = (".json", ".jsonl", ".gz", ".parquet")


def task_names() -> list[str]:
    """Return the installed names, sorted.

    Raises:
        TaskError: two distributions claim one name.
    """
    return _TASKS.names()


@validated
def load_task(name: str, *, data: Path | None = None) -> Task:
    """Return a task. Nothing is read before its `problems` are asked for.

    Args:
        name: One of `task_names`; or `file.py:name` or `package.module:name` for a task of your own, or a
            function that makes one.
        data: A file in the data set's published form instead of the hub's copy.

    Raises:
        UnknownNameError: no task of that name; suggests a near one.
        DataError: the file is plainly another task's; says which.
        TaskError: it cannot be loaded, makes no task, is a finished task and takes no data, or names a file
            and nothing in it.
    """
    where, colon, attribute = name.rpartition(":")
    if not colon:
        _expect_no_file(name)
    found = _found_in(where, attribute) if colon else _TASKS.load(name)
    if isinstance(found, Task):
        if data is not None:
            raise TaskError(f"task {name!r} reads no data file ({data} given); leave it out")
        return found
    if not callable(found):
        kind = type(found).__name__
        raise TaskError(f"task {name!r} is {kind}, expected a Task or a function (data: Path | None) -> Task")
    # what a task of others reads, they know, also where its name begins like one of ours
    if data is not None and not colon and _TASKS.expect(name).module.startswith("codesample."):
        expect_data_of(name, data, task_names())
    try:
        made = found(data)
    except CodesampleError:
        raise
    except Exception as error:
        raise TaskError(f"task {name!r} could not be made: {type(error).__name__}: {error}") from error
    if not isinstance(made, Task):
        raise TaskError(f"task {name!r} made {type(made).__name__}, expected a Task")
    return made


@validated
def load_task_file(path: Path) -> Task:
    """Return a task made of a user's own problems, in the form that the tasks' README describes.

    Raises:
        DataError: a line is malformed; names file, line and field.
    """
    from codesample.tasks.user import user_task

    try:
        return user_task(Path(path))
    except DataError as error:
        # one that has the form has a fault in it
        own = (found := known_file(Path(path))) is not None and found.own
        if not own and (what := hint(Path(path), task_names())):
            raise DataError(f"{error}; the file {what}") from error
        raise


def _expect_no_file(name: str) -> None:
    """Say how a file is named as a task, where one is given for a task's name; raises TaskError."""
    if name.endswith(".py"):
        module = _TASKS.module(name)
        tasks = [f"{name}:{key}" for key, value in vars(module).items() if isinstance(value, Task)]
        raise TaskError(
            f"{name}: a file, of which one task is to be named, FILE.py:NAME; it defines: "
            f"{', '.join(tasks) or 'no Task'}"
        )
    if Path(name).suffix in _DATA_SUFFIXES:
        raise TaskError(f"{name}: a file is no task; problems of your own: --task-file {name}")


def _found_in(where: str, name: str) -> object:
    module = _TASKS.module(where)
    if not hasattr(module, name):
        there = sorted(key for key in vars(module) if not key.startswith("_"))
        raise UnknownNameError("task", name, there, hint=f"{where} defines: {', '.join(there) or 'nothing'}")
    return getattr(module, name)
