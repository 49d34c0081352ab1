"""Finds a task by name, or makes one from a user's file; a data set's module is imported when asked for."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from codesample.errors import UnknownNameError
from codesample.tasks.contract import Task

__all__ = ["load_task", "load_task_file", "task_names"]

_LOADERS = {
    "humaneval": ("codesample.tasks.humaneval", "humaneval"),
    "humaneval_plus": ("codesample.tasks.evalplus", "humaneval_plus"),
    "mbpp": ("codesample.tasks.mbpp", "mbpp"),
    "mbpp_plus": ("codesample.tasks.evalplus", "mbpp_plus"),
    "mbpp_sanitized": ("codesample.tasks.mbpp", "mbpp_sanitized"),
    "mini": ("codesample.tasks.mini", "mini"),
}


def task_names() -> list[str]:
    """Return the names `load_task` knows, sorted."""
    return sorted(_LOADERS)


def load_task(name: str, *, data: Path | None = None) -> Task:
    """Return a built-in task. Nothing is read before its `problems` are asked for.

    Args:
        name: One of `task_names`.
        data: A file in the data set's published form instead of the hub's copy.

    Raises:
        UnknownNameError: no task of that name.
    """
    if name not in _LOADERS:
        hint = "List them: codesample list tasks; for a file of your own: --task-file FILE"
        raise UnknownNameError("task", name, task_names(), hint=hint)
    module, function = _LOADERS[name]
    make: object = getattr(import_module(module), function)
    assert callable(make)
    task = make(data)
    assert isinstance(task, Task)
    return task


def load_task_file(path: Path) -> Task:
    """Return a task made of a user's own problems, in the form that the tasks' README describes.

    Raises:
        DataError: at the first use of its problems, where a line is malformed; names file and line.
    """
    from codesample.tasks.user import user_task

    return user_task(Path(path))
