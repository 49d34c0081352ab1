"""The folder `scores/`: one file per reranker, replaced as a whole when it scores the run anew."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote, unquote

from codesample.errors import RunFolderError
from codesample.runs.lines import JsonLines
from codesample.runs.replace import replace_file
from codesample.tasks.reader import Row

__all__ = ["ScoreFiles"]


class ScoreFiles:
    """Scores by reranker, all of one file from one scoring: those of a set-wise one count only together."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def names(self) -> list[str]:
        """Return the rerankers that have a file, sorted."""
        return sorted(unquote(path.stem) for path in self._folder.glob("*.jsonl"))

    def write(self, name: str, scores: Mapping[tuple[str, int], float | None]) -> None:
        """Replace the scores of one reranker, by task id and index.

        Raises:
            RunFolderError: the file cannot be written; the earlier scores stay.
        """
        try:
            self._folder.mkdir(exist_ok=True)
        except OSError as error:
            raise RunFolderError(f"{self._folder}: cannot be made: {error.strerror}") from error
        rows = [{"task_id": key[0], "index": key[1], "score": score} for key, score in scores.items()]
        replace_file(self._path(name), "".join(f"{json.dumps(row, separators=(',', ':'))}\n" for row in rows))

    def read(self, name: str) -> dict[tuple[str, int], float | None]:
        """Return the scores by task id and index.

        Raises:
            RunFolderError, DataError: a row is malformed; names file and line.
        """
        return dict(map(_entry, JsonLines(self._path(name)).rows()))

    def _path(self, name: str) -> Path:
        return self._folder / f"{quote(name, safe=',')}.jsonl"


def _entry(row: Row) -> tuple[tuple[str, int], float | None]:
    score = None if row.fields.get("score") is None else row.number("score")
    return (row.get("task_id", str), row.get("index", int)), score
