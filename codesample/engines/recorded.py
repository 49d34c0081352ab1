"""An engine that gives candidates read from a file: another tool's samples take the place of a model."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from codesample.engines.contract import Progress, Reproducibility
from codesample.errors import ParameterError
from codesample.records import Candidate, Request, SamplingParams

__all__ = ["RecordedSamples"]


class RecordedSamples:
    """Candidates that were made elsewhere. An `Engine` whose parameters are whatever made them.

    It refuses to be asked for others; only the default limit of tokens is not held against the file.

    Args:
        path: The file, for the record.
        candidates: What was read from it.
        digest: SHA-256 of its content; None computes it.
        label: Its name; "" takes that of `path`.

    Attributes:
        name: The file's name and the beginning of its SHA-256.
        abilities: "logprobs" where every candidate has them.
        reproducibility: Exact: a file gives the same candidates whenever it is asked.
        candidates: By task id and index.
    """

    reproducibility = Reproducibility.EXACT

    def __init__(
        self, path: Path, candidates: Sequence[Candidate], *, digest: str | None = None, label: str = ""
    ) -> None:
        digest = digest or hashlib.sha256(path.read_bytes()).hexdigest()
        self.name = f"{label or path.name}@sha256:{digest[:12]}"
        self.abilities = frozenset(
            {"logprobs"} if all(each.logprobs is not None for each in candidates) else ()
        )
        self.candidates = {(each.task_id, each.index): each for each in candidates}
        self._path = path

    def stream(
        self, requests: Sequence[Request], params: SamplingParams, *, progress: Progress | None = None
    ) -> Iterator[Candidate]:
        """Yield the recorded candidates asked for; no token is drawn, so `progress` is never called.

        Raises:
            ParameterError: a candidate is asked for that the file does not hold, or twice, or a parameter is
                set, for the file holds what it holds; before any is yielded.
        """
        if params.settled() != SamplingParams().settled():
            raise ParameterError(
                f"{self._path}: recorded samples take no sampling parameters; leave them out"
            )
        keys = [(request.task_id, index) for request in requests for index in request.indices]
        if len(set(keys)) < len(keys):
            raise ParameterError(f"{self._path}: a candidate is asked for twice")
        for task_id, index in keys:
            if (task_id, index) not in self.candidates:
                raise ParameterError(f"{self._path}: holds no candidate {index} of {task_id!r}")
        return (self.candidates[key] for key in keys)

    def describe(self) -> dict[str, Any]:
        """Return where the candidates come from."""
        return {"name": self.name, "file": str(self._path.resolve())}
