"""Where each candidate's line stands in a file, so that lines are copied as they are, in any order."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from codesample.errors import RunFolderError
from codesample.records import Status
from codesample.runs.files import JsonLines, open_plain
from codesample.runs.formats import CandidateKey, VerdictKey

__all__ = ["LineIndex"]

_Places = dict[int, int]


class LineIndex:
    """The lines of one file that count, by task id and candidate's index; the file is only read.

    As in a run folder, the first line of a candidate counts, but a harness error gives way to a later one.

    Args:
        path: Of samples or of verdicts; one that is not there has no lines.
        verdicts: Which of the two.

    Raises:
        RunFolderError, DataError: the file cannot be read, or a whole line is malformed; names it.
    """

    def __init__(self, path: Path, *, verdicts: bool = False) -> None:
        self.path = path
        self._places: dict[str, _Places] = {}
        kind: type[CandidateKey] = VerdictKey if verdicts else CandidateKey
        at, retried = 0, set[tuple[str, int]]()
        for found, _, line in JsonLines(path).with_bytes(kind):
            places = self._places.setdefault(found.task_id, {})
            key = (found.task_id, found.index)
            if found.index not in places or key in retried:
                places[found.index] = at
                failed = isinstance(found, VerdictKey) and found.status is Status.HARNESS_ERROR
                (retried.add if failed else retried.discard)(key)
            at += len(line)

    def __len__(self) -> int:
        return sum(map(len, self._places.values()))

    @property
    def task_ids(self) -> frozenset[str]:
        """Of which problems there are lines."""
        return frozenset(self._places)

    def indices(self, task_id: str) -> frozenset[int]:
        """Of which candidates of a problem there are lines."""
        return frozenset(self._places.get(task_id, ()))

    def lines(self, task_id: str) -> Iterator[bytes]:
        """Read the lines of a problem, by the candidates' indices, each as it stands and with its end.

        Raises:
            RunFolderError: the file cannot be read, or was shortened meanwhile.
        """
        places = self._places.get(task_id)
        if not places:
            return
        try:
            with open(open_plain(self.path, os.O_RDONLY), "rb") as file:
                for _, at in sorted(places.items()):
                    file.seek(at)
                    line = file.readline()
                    if not line.endswith(b"\n"):
                        raise RunFolderError(f"{self.path}: was shortened while it was read; try again")
                    yield line
        except OSError as error:
            raise RunFolderError(f"{self.path}: cannot be read: {error.strerror or error}") from error
