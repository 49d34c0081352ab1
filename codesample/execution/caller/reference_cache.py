"""What references returned and took, kept from session to session in the user's cache folder.

The caller keeps it, not the worker: it is the one process that runs neither tests nor what programs sent,
that knows the user's folders, and that all workers share. Whatever is wrong with the folder or a file in
it, nothing is kept or found, and the reference runs again.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import stat
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from codesample.execution.isolation.grants import Isolation
from codesample.execution.limits import MIB, Limits
from codesample.execution.wire import codec
from codesample.execution.wire.messages import as_plain, digest

__all__ = [
    "ENVIRONMENT_NAME",
    "ReferenceCache",
    "cache_folder",
    "is_ours",
    "judging_code",
    "machine_kind",
    "reference_key",
]

ENVIRONMENT_NAME = "CODESAMPLE_CACHE"
"""Environment variable that names another folder, or "off" for none."""

_OFF = "off"
_MOST_BYTES = 256 * MIB
_KEPT_SHARE = 0.75
_ABANDONED_SECONDS = 3_600.0
_HEAD = b"codesample references 1 "
_SUFFIX, _DRAFT = ".reference", "draft-"
_CPU_LINES = ("model name", "CPU implementer", "CPU part", "Hardware")


def cache_folder(kind: str = "references") -> Path | None:
    """Return where this user's results of references, or of another kind, are kept; None for nowhere."""
    chosen = os.environ.get(ENVIRONMENT_NAME, "")
    if chosen.lower() == _OFF:
        return None
    if chosen:
        return Path(chosen) / kind
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if not base.is_absolute():
        try:
            base = Path.home() / ".cache"
        except RuntimeError:
            return None
    return base / "codesample" / kind


def reference_key(tests: bytes, limits: Limits, isolation: Isolation) -> str:
    """Name everything that the results of a reference and its times depend on.

    Args:
        tests: Encoded; they hold the reference and its inputs.
        limits: Of programs. Modules granted to them may be of any version, so their tests have no such name.
        isolation: Where programs run, and by which Python.

    Returns: a hexadecimal digest.
    """
    return digest(
        tests,
        codec.encode(as_plain(limits)),
        isolation.level.label.encode(),
        isolation.python.encode(),
        judging_code(),
        machine_kind(),
    )


@functools.cache
def machine_kind() -> bytes:
    """Name what times depend on: the kind of processor and how many there are."""
    lines: set[str] = set()
    with contextlib.suppress(OSError, UnicodeDecodeError), open("/proc/cpuinfo") as file:
        lines = {line.strip() for line in file if line.startswith(_CPU_LINES)}
    return "\n".join([os.uname().machine, str(os.cpu_count()), *sorted(lines)]).encode()


@functools.cache
def judging_code() -> bytes:
    """Name the code that runs programs and references, by its text."""
    total = hashlib.sha256()
    for path in sorted(Path(__file__).resolve().parents[1].rglob("*.py")):
        total.update(path.read_bytes())
    return total.digest()


class _File(NamedTuple):
    used: float
    size: int
    path: str


class ReferenceCache:
    """Bytes by key, in files of one folder that only this user can write.

    Args:
        folder: Made when something is kept for the first time; None keeps nothing.
        most_bytes: Of all files together; beyond them those that were not used for longest go.
    """

    def __init__(self, folder: Path | None, *, most_bytes: int = _MOST_BYTES) -> None:
        self._folder = folder
        self._most_bytes = most_bytes
        self._bytes: int | None = None

    def get(self, key: str) -> bytes | None:
        """Return what was kept under `key`, a hexadecimal digest; None where nothing sound is."""
        if self._folder is None:
            return None
        path = self._folder / (key + _SUFFIX)
        try:
            # a link leads elsewhere, and a FIFO would keep us waiting
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            with open(descriptor, "rb") as file:
                if not is_ours(os.fstat(descriptor), stat.S_IFREG):
                    return None
                head, _, body = file.read(self._most_bytes).partition(b"\n")
            if head != _head_of(body):
                return None
            # a file that is used lives on
            os.utime(path, follow_symlinks=False)
        except OSError:
            return None
        return body

    def put(self, key: str, body: bytes) -> None:
        """Keep `body` under `key`, whole or not at all."""
        if self._folder is None or len(body) > self._most_bytes // 4:
            return
        with contextlib.suppress(OSError):
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not is_ours(os.stat(self._folder), stat.S_IFDIR):
                return
            descriptor, draft = tempfile.mkstemp(prefix=_DRAFT, dir=self._folder)
            try:
                with open(descriptor, "wb") as file:
                    size = file.write(_head_of(body) + b"\n" + body)
                os.replace(draft, self._folder / (key + _SUFFIX))
            except OSError:
                os.unlink(draft)
                raise
            self._bytes = size + (self._bytes or 0)
            if self._bytes == size or self._bytes > self._most_bytes:
                self._bytes = self._shrunk()

    def _shrunk(self) -> int:
        """Remove abandoned drafts and, if need be, the files used longest ago; return the bytes left."""
        assert self._folder is not None
        now = time.time()
        files = []
        with os.scandir(self._folder) as entries:
            for entry in entries:
                # another process may have removed it by now
                with contextlib.suppress(OSError):
                    status = entry.stat(follow_symlinks=False)
                    if entry.name.endswith(_SUFFIX):
                        files.append(_File(status.st_mtime, status.st_size, entry.path))
                    elif entry.name.startswith(_DRAFT) and now - status.st_mtime > _ABANDONED_SECONDS:
                        os.unlink(entry.path)
        total = sum(file.size for file in files)
        if total > self._most_bytes:
            for file in sorted(files):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(file.path)
                total -= file.size
                if total <= _KEPT_SHARE * self._most_bytes:
                    break
        return total


def _head_of(body: bytes) -> bytes:
    return _HEAD + digest(body).encode()


def is_ours(status: os.stat_result, kind: int) -> bool:
    """Whether something is of a kind, and none but this user could have written it."""
    others = stat.S_IWGRP | stat.S_IWOTH
    return (
        stat.S_IFMT(status.st_mode) == kind
        and status.st_uid == os.geteuid()
        and not stat.S_IMODE(status.st_mode) & others
    )
