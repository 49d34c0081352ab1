"""One shard of a run: its folder with what it holds and what was asked of it, open for reading."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from codesample.errors import RunFolderError
from codesample.evaluation.observer import is_graded
from codesample.evaluation.report import Report
from codesample.evaluation.shard import Shard
from codesample.runs import Key, RunFolder
from codesample.runs.line_index import LineIndex

__all__ = ["ShardRun"]


@dataclass(frozen=True, eq=False)
class ShardRun:
    """One shard's folder, open for reading.

    Attributes:
        run: The folder.
        shard: Which part of the problems it has.
    """

    run: RunFolder
    shard: Shard

    def __str__(self) -> str:
        return f"{self.shard} ({self.run.path})"

    @property
    def settings(self) -> Mapping[str, Any]:
        """What its last call asked for."""
        return self.run.manifest.settings

    @property
    def candidates(self) -> int:
        """How many candidates its last call asked for; 0 of a shard that has no problem."""
        return int(self.settings.get("candidates", 0))

    @cached_property
    def samples(self) -> LineIndex:
        """Its candidates' lines."""
        return LineIndex(self.run.path / "samples.jsonl")

    @cached_property
    def verdicts(self) -> LineIndex:
        """Its verdicts' lines."""
        return LineIndex(self.run.path / "verdicts.jsonl", verdicts=True)

    def judged(self, task_id: str) -> list[int]:
        """Indices of the candidates of a problem that its last call asked for and that have a verdict."""
        both = self.samples.indices(task_id) & self.verdicts.indices(task_id)
        return sorted(index for index in both if self._recorded or index < self.settings["n"])

    @cached_property
    def keys(self) -> set[Key]:
        """Keys of all these candidates."""
        return {(task_id, index) for task_id in self.samples.task_ids for index in self.judged(task_id)}

    def unjudged(self, task_id: str) -> list[int]:
        """Likewise of those that have none; of recorded samples, as far as they are there."""
        wanted = self.samples.indices(task_id) if self._recorded else range(self.settings["n"])
        return sorted(set(wanted).difference(self.judged(task_id)))

    @property
    def _recorded(self) -> bool:
        # such samples have indices of their own
        return "samples" in self.settings

    @property
    def tokens(self) -> int:
        """How many tokens its candidates have."""
        if self.report is not None:
            return self.report.tokens
        asked = (each for each in self.run.samples() if (each.task_id, each.index) in self.keys)
        return sum(len(each.token_ids or ()) for each in asked)

    @property
    def has_grades(self) -> bool:
        """Whether any verdict says something of its program; where none does, there are no results."""
        strict = self.settings.get("integrity") == "strict"
        return any(is_graded(each, strict=strict) for each in self.run.verdicts().values())

    @cached_property
    def report(self) -> Report | None:
        """Its results; None where it has none, or none that can be read."""
        with suppress(RunFolderError):
            content = self.run.results()
            return None if content is None else Report.from_json(content, run=self.run.path)
        return None
