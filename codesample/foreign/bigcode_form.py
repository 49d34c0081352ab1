"""bigcode-evaluation-harness: a list with a list of whole programs for each problem, by position alone.

Its results stand in another file, `evaluation_results.json`: figures, and no verdict of any sample.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from codesample.errors import DataError
from codesample.foreign.contract import Form, Sample, Writing
from codesample.foreign.document import Document

__all__ = ["FORM", "is_figures", "write_bigcode"]

_RESULTS = "evaluation_results.json"
_GENERATIONS = "generations"


def is_figures(value: object) -> bool:
    """Whether a JSON value is a results file: figures by task, and the settings."""
    return (
        isinstance(value, dict)
        and isinstance(value.get("config"), dict)
        and all(isinstance(each, dict) for each in value.values())
        and "samples" not in value
        and "eval" not in value
    )


def _holds(document: Document) -> bool:
    value = document.value
    if not isinstance(value, list) or not value:
        return False
    return all(isinstance(each, list) and all(isinstance(item, str) for item in each) for each in value)


def _read(document: Document, plus: bool) -> Iterator[Sample]:
    value = document.value
    assert isinstance(value, list)
    first = _first_position(_config(document), len(value))
    for position, programs in enumerate(value):
        for index, text in enumerate(programs):
            yield Sample(
                task=first + position,
                by_position=True,
                size=len(value),
                index=index,
                completion=text,
                program=text,
                where=f"{document.name}[{position}][{index}]",
            )


def _first_position(config: Mapping[str, Any], count: int) -> int:
    """Return where `count` problems begin, by the settings; the last part of a data set may be shorter."""
    limit, start = config.get("limit"), config.get("limit_start")
    if isinstance(limit, int) and isinstance(start, int) and start >= 0 and count <= limit:
        return start
    return 0


def _figures(document: Document, plus: bool) -> Mapping[str, float]:
    """Return the figures of the results file beside it, where that is of one task, or names this one."""
    tasks = {name: each for name, each in _beside(document).items() if name != "config"}
    named = [each for name, each in tasks.items() if document.name.endswith(f"_{name}.json")]
    kept = named[0] if named else next(iter(tasks.values())) if len(tasks) == 1 else {}
    alone = len(tasks) == 1 and not named
    if alone and not _may_be_of(document, next(iter(tasks))):
        return {}
    return {name: float(each) for name, each in kept.items() if isinstance(each, int | float)}


def _may_be_of(document: Document, task: str) -> bool:
    """Whether a file without the task's name is of this task: one that names another is not."""
    tail = document.name.removesuffix(".json").rpartition(_GENERATIONS)[2].strip("_-. ")
    return not tail or tail == task


def _config(document: Document) -> Mapping[str, Any]:
    config = _beside(document).get("config")
    return config if isinstance(config, dict) else {}


def _beside(document: Document) -> Mapping[str, Any]:
    """Return the results file among the files that the generations lie in, or nothing."""
    if document.beside is None:
        return {}
    members, name = document.beside
    folder, slash, last = name.rpartition("/")
    wanted = folder + slash + last.partition(_GENERATIONS)[0] + _RESULTS
    if wanted in members.names:
        with suppress(ValueError, DataError, RecursionError):
            value = json.loads(members.read(wanted))
            return value if is_figures(value) else {}
    return {}


def write_bigcode(writing: Writing) -> Iterator[str]:
    """Yield the text of a file that `--load_generations_path` reads: a list for every problem of the task."""
    yield json.dumps([[each.program for each in candidates] for _, candidates in writing.problems])


FORM = Form("bigcode-evaluation-harness", _holds, _read, _figures)
