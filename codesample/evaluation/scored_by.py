"""Finds the rerankers of saved scores by the names that these have, and by the files that gave them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from codesample.errors import CodesampleError, UnknownNameError
from codesample.evaluation.run_contents import RunContents
from codesample.rerankers.contract import Reranker
from codesample.rerankers.expression import parse, renamed
from codesample.rerankers.registry import load_reranker

__all__ = ["found_by_scores"]


def found_by_scores(name: str, runs: Sequence[RunContents]) -> tuple[Reranker, str]:
    """Return the reranker that is meant, and what names it for `load_reranker`.

    Args:
        name: As for `load_reranker`, or as scores are kept under it: without the file that it is of.
        runs: Say by which files their scores were given.

    Raises:
        CodesampleError: as `load_reranker`, of the name.
    """
    try:
        return load_reranker(name), name
    except UnknownNameError:
        files = _files(runs)
        spec = str(renamed(parse(name), lambda leaf: _placed(leaf, files)))
        if spec == name:
            raise
    return load_reranker(spec), spec


def _files(runs: Sequence[RunContents]) -> list[str]:
    """Return the files of rerankers that gave the runs' scores, each once, those that are still there."""
    places = (place for run in runs for each in run.given_by.values() for place in each.place.split(", "))
    return [each for each in dict.fromkeys(places) if each.endswith(".py") and Path(each).is_file()]


def _placed(name: str, files: Sequence[str]) -> str:
    """Return what names a reranker: its name, or its place in the first of some files that has it."""
    with suppress(CodesampleError):
        return load_reranker(name).name and name
    for file in files:
        with suppress(CodesampleError):
            if load_reranker(f"{file}:{name}").plain_name == name:
                return f"{file}:{name}"
    return name
