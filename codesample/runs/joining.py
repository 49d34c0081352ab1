"""Writes one run folder out of several that have different problems of the same run."""

from __future__ import annotations

import glob
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex

import msgspec

from codesample.errors import RunFolderError
from codesample.runs.files import JsonLines, open_plain
from codesample.runs.folder import RunFolder
from codesample.runs.line_index import LineIndex
from codesample.runs.lock import FolderLock

__all__ = ["in_one_step", "join_artefacts", "join_lines"]

_BUFFER = 1 << 20
# what is made of all problems together, and joined by what makes it
_OF_THE_WHOLE = ("curves",)


class _Key(msgspec.Struct, gc=False):
    key: str


@contextmanager
def in_one_step(out: Path) -> Iterator[Path]:
    """Give a new folder beside `out` that takes its name behind the block; after an error nothing is left.

    What processes that were killed left of earlier attempts is removed.

    Raises:
        RunFolderError: `out` is there and not empty, or cannot be written.
    """
    RunFolder.expect_none(out)
    try:
        if out.is_symlink() or (out.exists() and (not out.is_dir() or any(out.iterdir()))):
            raise RunFolderError(f"{out}: is there already and is no empty folder; choose another with --out")
        out.parent.mkdir(parents=True, exist_ok=True)
        _remove_left(out)
        partial = out.parent / f"{_prefix(out)}{token_hex(4)}"
        partial.mkdir()
    except OSError as error:
        raise _unwritten(out, error) from error
    try:
        yield partial
        os.replace(partial, out)
        _keep_name(out.parent)
    except OSError as error:
        raise _unwritten(out, error) from error
    finally:
        # not there any more where all went well
        shutil.rmtree(partial, ignore_errors=True)


def join_lines(parts: Mapping[str, LineIndex], into: Path) -> None:
    """Copy the lines of problems, byte for byte, to a new file, and bring it to the disk.

    Args:
        parts: By task id, in the order in which they are to stand: the file that has its lines.
        into: The new file; none is made where there are no lines.

    Raises:
        RunFolderError: something cannot be read or written.
    """
    _write(into, (line for task_id, index in parts.items() for line in index.lines(task_id)))


def join_artefacts(runs: Sequence[Path], into: Path) -> None:
    """Copy what was made once for rerankers in several runs; of equal keys the first one's stays.

    Args:
        runs: Run folders.
        into: Another one.

    Raises:
        RunFolderError, DataError: something cannot be read or written, or is malformed.
    """
    kinds = sorted({file.name for run in runs for file in (run / "artefacts").glob("*.jsonl")})
    for name in kinds:
        if name.removesuffix(".jsonl") not in _OF_THE_WHOLE:
            _write(into / "artefacts" / name, _new_ones([run / "artefacts" / name for run in runs]))


def _new_ones(files: Sequence[Path]) -> Iterator[bytes]:
    seen: set[str] = set()
    for file in files:
        for found, _, line in JsonLines(file).with_bytes(_Key):
            if found.key not in seen:
                seen.add(found.key)
                yield line


def _write(into: Path, lines: Iterator[bytes]) -> None:
    first = next(lines, None)
    if first is None:
        return
    try:
        into.parent.mkdir(parents=True, exist_ok=True)
        descriptor = open_plain(into, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        with open(descriptor, "wb", buffering=_BUFFER) as file:
            file.write(first)
            file.writelines(lines)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise _unwritten(into, error) from error


def _prefix(out: Path) -> str:
    return f".{out.name}.merging-"


def _remove_left(out: Path) -> None:
    for left in out.parent.glob(f"{glob.escape(_prefix(out))}*"):
        with suppress(RunFolderError):
            # one that is being written is another process's
            lock = FolderLock(left)
            shutil.rmtree(left, ignore_errors=True)
            lock.release()


def _keep_name(folder: Path) -> None:
    """Bring a new name to the disk, where the file system has folders that can be told to."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _unwritten(path: Path, error: OSError) -> RunFolderError:
    return RunFolderError(f"{path}: cannot be written: {error.strerror or error}; choose another with --out")
