"""The folder `scores/`: one file per reranker, replaced as a whole when it scores the run anew."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote, unquote

from codesample.errors import RunFolderError
from codesample.runs.files import JsonLines, replace_file
from codesample.runs.formats import ScoreLine, score_line

__all__ = ["ScoreFiles"]


_LONGEST = 200
"""Characters of a file name; what is longer goes on in a folder, so that every name finds a place."""


class ScoreFiles:
    """Scores by reranker, all of one file from one scoring: those of a set-wise one count only together."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def names(self) -> list[str]:
        """Return the rerankers that have a file, sorted."""
        found = (path.relative_to(self._folder).as_posix() for path in self._folder.rglob("*.jsonl"))
        return sorted(unquote(path.replace("/", "").removesuffix(".jsonl")) for path in found)

    def write(self, name: str, scores: Mapping[tuple[str, int], float | None]) -> None:
        """Replace the scores of one reranker, by task id and index.

        Raises:
            RunFolderError: the file cannot be written; the earlier scores stay.
        """
        path = self._path(name)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunFolderError(f"{path.parent}: cannot be made: {error.strerror}") from error
        lines = [score_line(*key, score) + "\n" for key, score in scores.items()]
        replace_file(path, "".join(lines))

    def read(self, name: str) -> dict[tuple[str, int], float | None]:
        """Return the scores by task id and index.

        Raises:
            RunFolderError, DataError: a line is malformed; names file and line.
        """
        lines = JsonLines(self._path(name)).read(ScoreLine)
        return {(line.task_id, line.index): line.score for line, _ in lines}

    def _path(self, name: str) -> Path:
        quoted = quote(name, safe=",")
        *folders, last = [quoted[at : at + _LONGEST] for at in range(0, len(quoted), _LONGEST)]
        return self._folder.joinpath(*folders, f"{last}.jsonl")
