"""The run folder: everything one evaluation did, safe to kill at any moment and to continue later."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from codesample.errors import DataError, RunFolderError
from codesample.records import Candidate, Status, Verdict
from codesample.runs.codec import candidate_from_row, row_of_candidate, row_of_verdict, verdict_from_row
from codesample.runs.lines import JsonLines
from codesample.runs.lock import FolderLock
from codesample.runs.manifest import Manifest
from codesample.runs.scores import ScoreFiles
from codesample.tasks.reader import Row

__all__ = ["Key", "RunFolder"]

Key = tuple[str, int]


class RunFolder:
    """One run on disk. Make it with `create`, `resume` or `open`; close it, or use it in a `with` block.

    Rows are keyed by (task_id, index). The first sample of a key counts, later ones are ignored. The first
    verdict of a key counts too, unless it is a harness error, which a later verdict replaces.

    Attributes:
        path: The folder.
        manifest: What the run is.
        notices: What opening repaired, to be shown to the user.
    """

    def __init__(self, path: Path, manifest: Manifest, lock: FolderLock | None) -> None:
        self.path, self.manifest = path, manifest
        self.notices: list[str] = []
        self._lock = lock
        self._samples = JsonLines(path / "samples.jsonl")
        self._verdicts = JsonLines(path / "verdicts.jsonl")
        self._scores = ScoreFiles(path / "scores")
        if lock is not None:
            self.notices = [
                notice
                for file in (self._samples, self._verdicts, *self._scores.files())
                if (notice := file.cut_torn_line())
            ]
        self._sampled = {_key(row) for row in self._samples.rows()}
        self._judged = {(v.task_id, v.index): v.status for v in self._read_verdicts()}

    @classmethod
    def create(cls, path: Path, manifest: Manifest) -> Self:
        """Start a run in a new or empty folder.

        Raises:
            RunFolderError: the folder holds a run already, is locked, or cannot be written.
        """
        path = Path(path)
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunFolderError(
                f"{path}: cannot be made: {error.strerror}; choose another folder"
            ) from error
        lock = FolderLock(path)
        try:
            if (path / "run.json").exists():
                raise RunFolderError(
                    f"{path}: holds a run already; continue it with --resume, or choose another folder"
                )
            _write_json(path / "run.json", manifest.to_json())
            return cls(path, manifest, lock)
        except BaseException:
            lock.release()
            raise

    @classmethod
    def resume(cls, path: Path, manifest: Manifest) -> Self:
        """Open a run to go on with it; `manifest` is what the caller is about to do.

        Raises:
            RunFolderError: another run (names each field that differs), locked, or not writable.
        """
        path = Path(path)
        before = _read_manifest(path)
        lock = FolderLock(path)
        try:
            after = before.continued_by(manifest, where=str(path))
            _write_json(path / "run.json", after.to_json())
            return cls(path, after, lock)
        except BaseException:
            lock.release()
            raise

    @classmethod
    def open(cls, path: Path, *, write: bool = False) -> Self:
        """Open a run to read it, also while another process is writing it; with `write`, to add to it.

        Raises:
            RunFolderError: there is no run, or, with `write`, it is locked or cannot be written.
        """
        path = Path(path)
        manifest = _read_manifest(path)
        lock = FolderLock(path) if write else None
        try:
            return cls(path, manifest, lock)
        except BaseException:
            if lock is not None:
                lock.release()
            raise

    def add_sample(self, candidate: Candidate, *, with_program: bool = False) -> bool:
        """Append a candidate; returns whether it is new. Its program is kept only if asked for."""
        self._need_lock()
        key = (candidate.task_id, candidate.index)
        if key in self._sampled:
            return False
        self._samples.append([row_of_candidate(candidate, with_program=with_program)])
        self._sampled.add(key)
        return True

    def add_verdict(self, verdict: Verdict) -> bool:
        """Append a verdict; returns whether it counts."""
        self._need_lock()
        key = (verdict.task_id, verdict.index)
        if self._judged.get(key, Status.HARNESS_ERROR) is not Status.HARNESS_ERROR:
            return False
        self._verdicts.append([row_of_verdict(verdict)])
        self._judged[key] = verdict.status
        return True

    def add_scores(self, reranker: str, task_id: str, scores: Mapping[int, float | None]) -> None:
        """Append what a reranker gave the candidates of one problem, by index; the latest call counts."""
        self._need_lock()
        self._scores.add(reranker, task_id, scores)

    def clear_scores(self, reranker: str) -> None:
        """Drop the scores of a reranker, before it is run anew."""
        self._need_lock()
        self._scores.clear(reranker)

    def write_results(self, results: Mapping[str, Any]) -> None:
        """Replace `results.json` in one step; a reader sees the old or the new one, whole."""
        self._need_lock()
        _write_json(self.path / "results.json", results)

    def samples(self) -> Iterator[Candidate]:
        """Read the candidates from the file, one at a time, in the order they were written."""
        seen: set[Key] = set()
        for row in self._samples.rows():
            if (key := _key(row)) not in seen:
                seen.add(key)
                yield candidate_from_row(row)

    def verdicts(self) -> dict[Key, Verdict]:
        """Read the verdict of each key that has one."""
        return {(verdict.task_id, verdict.index): verdict for verdict in self._read_verdicts()}

    def scores(self, reranker: str) -> dict[Key, float | None]:
        """Read a reranker's scores; a problem whose scores were only partly written is left out."""
        return self._scores.read(reranker)

    def scored_by(self) -> list[str]:
        """Return the rerankers that have scores here, sorted."""
        return self._scores.names()

    def results(self) -> dict[str, Any] | None:
        """Read `results.json`, or None where the run has not come that far."""
        path = self.path / "results.json"
        return dict(_read_json(path).fields) if path.exists() else None

    @property
    def sampled(self) -> frozenset[Key]:
        """Keys that have a sample."""
        return frozenset(self._sampled)

    @property
    def judged(self) -> frozenset[Key]:
        """Keys whose verdict says something about the program; harness errors are to be run again."""
        return frozenset(key for key, status in self._judged.items() if status is not Status.HARNESS_ERROR)

    def close(self) -> None:
        """Bring everything to the disk and let others write; may be called again."""
        for file in (self._samples, self._verdicts, *self._scores.files()):
            file.close()
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _read_verdicts(self) -> Iterator[Verdict]:
        """Yield verdicts in file order, so that of two for one key the one that counts comes last."""
        settled: set[Key] = set()
        for row in self._verdicts.rows():
            verdict = verdict_from_row(row)
            key = (verdict.task_id, verdict.index)
            if key not in settled:
                yield verdict
            if verdict.status is not Status.HARNESS_ERROR:
                settled.add(key)

    def _need_lock(self) -> None:
        if self._lock is None:
            raise RunFolderError(f"{self.path}: open for reading only, or closed; open it with write=True")


def _key(row: Row) -> Key:
    return row.get("task_id", str), row.get("index", int)


def _read_manifest(path: Path) -> Manifest:
    if not (path / "run.json").is_file():
        raise RunFolderError(f"{path}: not a run folder (no run.json)")
    try:
        return Manifest.from_json(_read_json(path / "run.json"))
    except DataError as error:
        raise RunFolderError(str(error)) from error


def _read_json(path: Path) -> Row:
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise RunFolderError(f"{path}: cannot be read: {error}") from error
    if not isinstance(value, dict):
        raise RunFolderError(f"{path}: holds {type(value).__name__}, expected an object")
    return Row(value, str(path))


def _write_json(path: Path, value: Mapping[str, Any]) -> None:
    partial = path.with_name(f".{path.name}.partial")
    try:
        with partial.open("w", encoding="utf-8") as file:
            json.dump(value, file, indent=2)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except OSError as error:
        raise RunFolderError(f"{path}: cannot be written: {error.strerror}; choose another folder") from error
