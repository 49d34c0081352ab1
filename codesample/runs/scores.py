"""The folder `scores/`: one file per reranker, the scores of a problem written in one piece."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote, unquote

from codesample.errors import RunFolderError
from codesample.runs.lines import JsonLines
from codesample.tasks.reader import Row

__all__ = ["ScoreFiles"]


class ScoreFiles:
    """Scores by reranker. Each row states how many candidates were scored together (`of`).

    A set-wise reranker's scores change with the pool, so that those of a problem count only together: the
    last complete block of a problem is the one that counts.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open: dict[str, JsonLines] = {}

    def names(self) -> list[str]:
        """Return the rerankers that have a file, sorted."""
        return sorted(unquote(path.stem) for path in self._folder.glob("*.jsonl"))

    def files(self) -> list[JsonLines]:
        """Return the file of each of `names`."""
        return [self._file(name) for name in self.names()]

    def add(self, name: str, task_id: str, scores: Mapping[int, float | None]) -> None:
        """Append the scores of one problem's candidates, by index, in one write."""
        try:
            self._folder.mkdir(exist_ok=True)
        except OSError as error:
            raise RunFolderError(f"{self._folder}: cannot be made: {error.strerror}") from error
        self._file(name).append(
            [
                {"task_id": task_id, "index": index, "score": score, "of": len(scores)}
                for index, score in sorted(scores.items())
            ]
        )

    def clear(self, name: str) -> None:
        """Remove the file of one reranker, if there is one."""
        file = self._open.pop(name, None)
        if file is not None:
            file.close()
        self._path(name).unlink(missing_ok=True)

    def read(self, name: str) -> dict[tuple[str, int], float | None]:
        """Return the scores by key, problems without a complete block left out.

        Raises:
            RunFolderError: a row is malformed; names file and line.
        """
        blocks: dict[str, dict[int, float | None]] = {}
        complete: dict[str, dict[int, float | None]] = {}
        for row in self._file(name).rows():
            task_id, index, score = _fields(row)
            block = blocks.setdefault(task_id, {})
            if index in block:
                block = blocks[task_id] = {}
            block[index] = score
            if len(block) == row.get("of", int):
                complete[task_id] = blocks.pop(task_id)
        return {
            (task_id, index): score for task_id, block in complete.items() for index, score in block.items()
        }

    def _file(self, name: str) -> JsonLines:
        return self._open.setdefault(name, JsonLines(self._path(name)))

    def _path(self, name: str) -> Path:
        return self._folder / f"{quote(name, safe=',')}.jsonl"


def _fields(row: Row) -> tuple[str, int, float | None]:
    score = row.fields.get("score")
    return row.get("task_id", str), row.get("index", int), None if score is None else row.number("score")
