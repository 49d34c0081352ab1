"""The run folder: everything one evaluation did, safe to kill at any moment and to continue later."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from codesample.decoding import decoded
from codesample.errors import DataError, RunFolderError
from codesample.records import Candidate, Origin, Status, Verdict
from codesample.records.validation import validated
from codesample.runs.artefacts import Artefacts
from codesample.runs.files import JsonLines, open_plain, replace_file
from codesample.runs.formats import (
    CandidateKey,
    VerdictKey,
    VerdictLine,
    candidate_line,
    origin_line,
    verdict_line,
)
from codesample.runs.lock import FolderLock
from codesample.runs.manifest import Manifest
from codesample.runs.scores import MemberScores, ScoreFiles, ScoreOrigin
from codesample.runs.table import holds_table, read_table

__all__ = ["Key", "RunFolder"]

Key = tuple[str, int]

_Verdict = TypeVar("_Verdict", bound=VerdictKey)

_CONTENTS = (
    "run.json",
    "samples.jsonl",
    "verdicts.jsonl",
    "origins.jsonl",
    "scores",
    "artefacts",
    "results.json",
)


@validated
class RunFolder:
    """One run on disk. Make it with `create`, `resume` or `open`; close it, or use it in a `with` block.

    Lines are keyed by (task_id, index). The first sample of a key counts, later ones are ignored. The first
    verdict of a key counts too, unless it is a harness error, which a later verdict replaces.

    Attributes:
        path: The folder.
        manifest: What the run is.
        notices: What opening repaired, and going on leaves out, to be shown to the user.
    """

    def __init__(self, path: Path, manifest: Manifest, lock: FolderLock | None) -> None:
        self.path, self.manifest = path, manifest
        self.notices: list[str] = []
        self._lock = lock
        self._samples = JsonLines(path / "samples.jsonl")
        self._verdicts = JsonLines(path / "verdicts.jsonl")
        self._origins = path / "origins.jsonl"
        self._scores = ScoreFiles(Path(os.path.abspath(path / "scores")))
        # another folder may be the current one when they are asked for
        self._home = Path(os.path.abspath(path))
        self._artefacts: dict[str, Artefacts] = {}
        self._unfinished: dict[str, Artefacts] = {}
        if lock is not None:
            self.notices = [
                notice for file in (self._samples, self._verdicts) if (notice := file.cut_torn_line())
            ]

    @staticmethod
    def expect_none(path: Path) -> None:
        """Refuse a folder in which a new run would find files that it takes for its own.

        Raises:
            RunFolderError: it holds a run, or some file of one, or cannot be looked into.
        """
        for name in _CONTENTS:
            try:
                (path / name).lstat()
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError as error:
                raise RunFolderError(
                    f"{path}: cannot be looked into: {error.strerror}; choose another folder"
                ) from error
            if name == "run.json":
                raise RunFolderError(
                    f"{path}: holds a run already; continue it with --resume, or choose another folder"
                )
            raise RunFolderError(
                f"{path}: holds {name}, which a new run would take for its own; choose another folder"
            )

    @classmethod
    def create(cls, path: Path, manifest: Manifest) -> Self:
        """Start a run in a folder that is new or holds no file of a run.

        Raises:
            RunFolderError: as `expect_none`, or the folder is locked or cannot be written.
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
            cls.expect_none(path)
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
            run = cls(path, after, lock)
            run.notices += before.left_out_by(manifest)
            return run
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
        self._samples.append(candidate_line(candidate, with_program=with_program))
        self._sampled.add(key)
        return True

    def add_verdict(self, verdict: Verdict) -> bool:
        """Append a verdict; returns whether it counts."""
        self._need_lock()
        key = (verdict.task_id, verdict.index)
        if self._judged.get(key, Status.HARNESS_ERROR) is not Status.HARNESS_ERROR:
            return False
        self._verdicts.append(verdict_line(verdict))
        self._judged[key] = verdict.status
        return True

    def write_origins(self, origins: Iterable[Origin]) -> None:
        """Keep what the file that the candidates come from says of them besides, in one step."""
        self._need_lock()
        if lines := [origin_line(each) for each in origins]:
            replace_file(self._origins, "\n".join([*lines, ""]))

    def withdraw(self) -> bool:
        """Take back a new run without any sample, so that its folder is free; returns whether it did."""
        self._need_lock()
        if self._sampled:
            return False
        self.close()
        for name in ("run.json", "origins.jsonl", ".lock"):
            (self.path / name).unlink(missing_ok=True)
        with suppress(OSError):
            self.path.rmdir()
        return True

    def write_scores(
        self,
        reranker: str,
        scores: Mapping[Key, float | None],
        *,
        cost: Mapping[str, float] | None = None,
        origin: ScoreOrigin | None = None,
        members: MemberScores | None = None,
    ) -> None:
        """Replace the scores of a reranker in one step; a reader sees the old or the new ones, whole.

        Args:
            cost: What they took, as `Cost` has it; None where that is not known.
            origin: What gave them; None where that is not known.
            members: Of a composition, what the rerankers in it gave.
        """
        self._need_lock()
        if (unfinished := self._unfinished.pop(reranker, None)) is not None:
            unfinished.close()
        self._scores.write(reranker, scores, cost=cost, origin=origin, members=members)

    def amend_session(self, facts: Mapping[str, Any]) -> None:
        """Record more of the session in hand, or other than was known when it began."""
        self._need_lock()
        *before, own = self.manifest.sessions
        self.manifest = replace(self.manifest, sessions=(*before, {**own, **facts}))
        _write_json(self.path / "run.json", self.manifest.to_json())

    def write_results(self, results: Mapping[str, Any]) -> None:
        """Replace `results.json` in one step; a reader sees the old or the new one, whole."""
        self._need_lock()
        _write_json(self.path / "results.json", results)

    def samples(self) -> Iterator[Candidate]:
        """Read the candidates from the file, one at a time, in the order they were written."""
        seen: set[Key] = set()
        for candidate, _ in self._samples.read(Candidate):
            if (key := (candidate.task_id, candidate.index)) not in seen:
                seen.add(key)
                yield candidate

    def verdicts(self) -> dict[Key, Verdict]:
        """Read the verdict of each key that has one; equal checks are one tuple in memory."""
        shared: dict[tuple[bool, ...] | str, tuple[bool, ...]] = {}
        lines = _that_count(self._verdicts.read(VerdictLine))
        return {(line.task_id, line.index): line.verdict(shared, where=where) for line, where in lines}

    def origins(self) -> dict[Key, Origin]:
        """Read what is known of recorded candidates besides their texts; nothing for others."""
        lines = JsonLines(self._origins).read(Origin)
        return {(each.task_id, each.index): each for each, _ in lines}

    def scores(self, reranker: str) -> dict[Key, float | None]:
        """Read a reranker's scores; none where it has not scored this run."""
        return self._scores.read(reranker)

    def member_scores(self, reranker: str) -> MemberScores:
        """Read what the rerankers within a composition gave; empty where that is not known."""
        return self._scores.members(reranker)

    def unfinished_scores(self, reranker: str) -> Artefacts:
        """Return what a reranker that was interrupted had scored, by keys of the caller's.

        Gone once its scores are written.
        """
        if reranker not in self._unfinished:
            self._unfinished[reranker] = self._scores.unfinished(reranker, writable=self._lock is not None)
        return self._unfinished[reranker]

    def cost(self, reranker: str) -> dict[str, float]:
        """Read what a reranker's scores took; empty where that is not known."""
        return self._scores.cost(reranker)

    def score_origin(self, reranker: str) -> ScoreOrigin:
        """Read what gave a reranker's scores, as far as it is known."""
        return self._scores.origin(reranker)

    def outdate_scores(self, reranker: str) -> None:
        """Mark a reranker's scores as those of older code, until new ones are written."""
        self._need_lock()
        self._scores.outdate(reranker)

    def scored_by(self) -> list[str]:
        """Return the rerankers that have scores here, sorted."""
        return self._scores.names()

    def results(self) -> dict[str, Any] | None:
        """Read `results.json`, or None where the run has not come that far."""
        try:
            return _read_json(self.path / "results.json")
        except FileNotFoundError:
            return None

    @property
    def sampled(self) -> frozenset[Key]:
        """Keys that have a sample."""
        return frozenset(self._sampled)

    @property
    def judged(self) -> frozenset[Key]:
        """Keys whose verdict says something about the program; harness errors are to be run again."""
        return frozenset(key for key, status in self._judged.items() if status is not Status.HARNESS_ERROR)

    def artefacts(self, kind: str) -> Artefacts:
        """Return what was made once for rerankers and is kept, of one kind, such as "tests"."""
        if kind not in self._artefacts:
            file = self._home / "artefacts" / f"{kind}.jsonl"
            self._artefacts[kind] = Artefacts(file, writable=self._lock is not None)
        return self._artefacts[kind]

    def close(self) -> None:
        """Bring everything to the disk and let others write; may be called again.

        Raises:
            RunFolderError: the disk did not take everything; others may write all the same.
        """
        lock, self._lock = self._lock, None
        with ExitStack() as stack:
            if lock is not None:
                stack.callback(lock.release)
            stack.callback(self._samples.close)
            for each in (*self._artefacts.values(), *self._unfinished.values()):
                stack.callback(each.close)
            stack.callback(self._verdicts.close)

    def __repr__(self) -> str:
        is_open = "" if self._lock is None else ", open for writing"
        manifest = self.manifest
        what = f"{manifest.task} by {manifest.model}, n = {manifest.n}{is_open}"
        return f"RunFolder({str(self.path)!r}: {what})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @cached_property
    def _sampled(self) -> set[Key]:
        return {(line.task_id, line.index) for line, _ in self._samples.read(CandidateKey)}

    @cached_property
    def _judged(self) -> dict[Key, Status]:
        lines = _that_count(self._verdicts.read(VerdictKey))
        return {(line.task_id, line.index): line.status for line, _ in lines}

    def _need_lock(self) -> None:
        if self._lock is None:
            raise RunFolderError(f"{self.path}: open for reading only, or closed; open it with write=True")


def _that_count(lines: Iterable[tuple[_Verdict, str]]) -> Iterator[tuple[_Verdict, str]]:
    """Yield verdicts in file order, so that of two for one key the one that counts comes last."""
    settled: set[Key] = set()
    for line, where in lines:
        key = (line.task_id, line.index)
        if key not in settled:
            yield line, where
        if line.status is not Status.HARNESS_ERROR:
            settled.add(key)


def _read_manifest(path: Path) -> Manifest:
    file = path / "run.json"
    try:
        return Manifest.from_json(_read_json(file), where=str(file))
    except (FileNotFoundError, NotADirectoryError):
        if holds_table(path):
            names = ", ".join(str(path / each.folder) for each in read_table(path))
            raise RunFolderError(f"{path}: holds a table of runs; name one of them: {names}") from None
        found = "there is no such folder" if not path.exists() else "it holds no run.json"
        raise RunFolderError(
            f"{path}: not a run folder ({found}); expected what `codesample eval` names last as its "
            "run folder"
        ) from None
    except DataError as error:
        raise RunFolderError(str(error)) from error


def _read_json(path: Path) -> dict[str, Any]:
    """Read an object; whether a missing file is an error is left to the caller."""
    try:
        with open(open_plain(path, os.O_RDONLY), "rb") as file:
            return decoded(file.read(), dict, where=str(path))
    except (FileNotFoundError, NotADirectoryError):
        raise
    except OSError as error:
        raise RunFolderError(f"{path}: cannot be read: {error.strerror}") from error
    except DataError as error:
        raise RunFolderError(str(error)) from error


def _write_json(path: Path, value: Mapping[str, Any]) -> None:
    replace_file(path, json.dumps(value, indent=2) + "\n")
