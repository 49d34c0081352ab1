"""The folder `scores/`: one file per reranker, replaced as a whole when it scores the run anew."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from urllib.parse import quote, unquote

from codesample.errors import RunFolderError
from codesample.records.short import one_line
from codesample.records.validation import validated
from codesample.runs.artefacts import Artefacts
from codesample.runs.files import JsonLines, replace_file
from codesample.runs.formats import CostLine, MembersLine, OriginLine, ScoreLine, members_line, score_line

__all__ = ["MemberScores", "ScoreFiles", "ScoreOrigin"]

MemberScores = Mapping[str, Mapping[str, Mapping[int, float | None]]]
"""What the rerankers within a composition gave, as it asked them: by task id, name and candidate's index.

One behind a filter saw only what was kept, so that it may have given other scores than to all candidates.
"""

_LONGEST = 200
"""Characters of a file name; what is longer goes on in a folder, so that every name finds a place."""


@validated
@dataclass(frozen=True, slots=True)
class ScoreOrigin:
    """What gave a reranker's scores.

    Attributes:
        place: The file or the module that it stands in; "" where that is not known.
        fingerprint: `Reranker.fingerprint` of what gave them; "" likewise.
        outdated: Whether other code began to score in their place and has not come to the end.
    """

    place: str = ""
    fingerprint: str = ""
    outdated: bool = False

    __repr__ = one_line


class ScoreFiles:
    """Scores by reranker, all of one file from one scoring: those of a set-wise one count only together."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def names(self) -> list[str]:
        """Return the rerankers that have a file, sorted."""
        found = (path.relative_to(self._folder).as_posix() for path in self._folder.rglob("*.jsonl"))
        return sorted(unquote(path.replace("/", "").removesuffix(".jsonl")) for path in found)

    def write(
        self,
        name: str,
        scores: Mapping[tuple[str, int], float | None],
        *,
        cost: Mapping[str, float] | None = None,
        origin: ScoreOrigin | None = None,
        members: MemberScores | None = None,
    ) -> None:
        """Replace the scores of one reranker, by task id and index, what they took and what gave them.

        Raises:
            RunFolderError: the file cannot be written; the earlier scores stay.
        """
        path = self._path(name)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunFolderError(f"{path.parent}: cannot be made: {error.strerror}") from error
        lines = [score_line(*key, score) + "\n" for key, score in scores.items()]
        # either without its scores, or of earlier ones, would be a matter; the other way about is none
        for kind in ("json", "members"):
            with suppress(OSError):
                self._path(name, kind).unlink(missing_ok=True)
        replace_file(path, "".join(lines))
        if cost is not None or origin is not None:
            self._describe(name, cost or {}, origin or ScoreOrigin())
        if members:
            text = "".join(members_line(task_id, each) + "\n" for task_id, each in members.items())
            replace_file(self._path(name, "members"), text)
        with suppress(OSError):
            self._path(name, "unfinished").unlink(missing_ok=True)

    def unfinished(self, name: str, *, writable: bool) -> Artefacts:
        """Return what was scored by a reranker that has not come to the end, by keys of the caller's."""
        return Artefacts(self._path(name, "unfinished"), writable=writable)

    def cost(self, name: str) -> dict[str, float]:
        """Return what the scores took; empty where that is not known."""
        for line, _ in JsonLines(self._path(name, "json")).read(CostLine):
            return {key: getattr(line, key) for key in line.__struct_fields__}
        return {}

    def origin(self, name: str) -> ScoreOrigin:
        """Return what gave the scores, as far as it is known."""
        for line, _ in JsonLines(self._path(name, "json")).read(OriginLine):
            return ScoreOrigin(line.place, line.fingerprint, line.outdated)
        return ScoreOrigin()

    def outdate(self, name: str) -> None:
        """Mark the scores as those of other code than what is about to score.

        Raises:
            RunFolderError: the mark cannot be written.
        """
        self._describe(name, self.cost(name), replace(self.origin(name), outdated=True))

    def _describe(self, name: str, cost: Mapping[str, float], origin: ScoreOrigin) -> None:
        replace_file(self._path(name, "json"), json.dumps({**cost, **asdict(origin)}) + "\n")

    def read(self, name: str) -> dict[tuple[str, int], float | None]:
        """Return the scores by task id and index.

        Raises:
            RunFolderError, DataError: a line is malformed; names file and line.
        """
        lines = JsonLines(self._path(name)).read(ScoreLine)
        return {(line.task_id, line.index): line.score for line, _ in lines}

    def members(self, name: str) -> MemberScores:
        """Return what the members of a composition gave; empty where that is not known.

        Raises:
            RunFolderError, DataError: a line is malformed; names file and line.
        """
        lines = JsonLines(self._path(name, "members")).read(MembersLine)
        return {line.task_id: line.scores for line, _ in lines}

    def _path(self, name: str, kind: str = "jsonl") -> Path:
        quoted = quote(name, safe=",")
        *folders, last = [quoted[at : at + _LONGEST] for at in range(0, len(quoted), _LONGEST)]
        return self._folder.joinpath(*folders, f"{last}.{kind}")
