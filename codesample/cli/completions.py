"""What the shell offers for a word that is being typed: names of what is installed, and run folders.

Nothing here imports an engine, a task or a reranker, and none raises: a shell has no use for an error.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from typer import Context

from codesample.errors import CodesampleError

__all__ = ["model_words", "reranker_words", "run_words", "scored_words", "task_words"]

# entries of a folder that are looked at
_MOST_ENTRIES = 200
_BUILT_IN = ("tiny",)
# what stands between the names of one word for several rerankers
_BETWEEN = " ,>+*("


def task_words(incomplete: str) -> list[str]:
    """Return the tasks whose names begin like this, behind those that stand before a comma."""
    from codesample.tasks.registry import task_names

    return _last_of(incomplete, ",", task_names)


def reranker_words(incomplete: str) -> list[str]:
    """Return the rerankers whose names begin like this, behind what a composition says before."""
    from codesample.rerankers.registry import reranker_names

    return _last_of(incomplete, _BETWEEN, reranker_names)


def scored_words(context: Context, incomplete: str) -> list[str]:
    """Return the rerankers that begin like this and have scored the run that stands before on the line."""
    from codesample.runs.scores import ScoreFiles

    # an option without its word yet keeps the words before it from being told apart
    given = [context.params.get("run"), context.params.get("first"), *context.args]
    with suppress(OSError, ValueError):
        for folder in filter(None, given):
            names = ScoreFiles(Path(str(folder)) / "scores").names()
            if found := [each for each in names if each.startswith(incomplete)]:
                return found
    return reranker_words(incomplete)


def model_words(incomplete: str) -> list[str]:
    """Return the built-in models and the engines that begin like this; folders are the shell's to offer."""
    from codesample.engines.registry import ENGINES

    def names() -> list[str]:
        return [*_BUILT_IN, *(f"{name}:" for name in ENGINES.names())]

    return _last_of(incomplete, "", names)


def run_words(incomplete: str) -> list[str]:
    """Return run folders whose paths begin like this, in a folder that is meant or one below it.

    Where there are none, the shell offers files.
    """
    with suppress(OSError, ValueError):
        return sorted(_runs(incomplete))
    return []


def _last_of(incomplete: str, between: str, names: Callable[[], list[str]]) -> list[str]:
    cut = 1 + max((incomplete.rfind(char) for char in between), default=-1)
    start, word = incomplete[:cut], incomplete[cut:]
    with suppress(CodesampleError):
        return [start + name for name in names() if name.startswith(word)]
    return []


def _runs(incomplete: str) -> Iterator[str]:
    folder, begun = os.path.split(incomplete)
    for each in _folders(Path(folder or "."), begun):
        shown = os.path.join(folder, each.name)
        if _is_run(each):
            yield shown
        else:
            yield from (os.path.join(shown, below.name) for below in _folders(each) if _is_run(below))


def _folders(place: Path, begun: str = "") -> list[Path]:
    """Return the folders in a place whose names begin so; hidden ones only where a dot was typed."""
    found = []
    try:
        with os.scandir(place) as entries:
            for _, entry in zip(range(_MOST_ENTRIES), entries, strict=False):
                hidden = entry.name.startswith(".") and not begun
                if entry.name.startswith(begun) and not hidden and entry.is_dir():
                    found.append(Path(entry.path))
    except OSError:
        return []
    return found


def _is_run(folder: Path) -> bool:
    return (folder / "run.json").is_file() or (folder / "table.json").is_file()
