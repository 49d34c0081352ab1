"""Verdicts that cannot change, kept from session to session in the user's cache folder.

A verdict is kept under a name made of everything that decides it: the program, its tests, its limits, the
code that judges, Python, the machine and its isolation. Only "passed", "wrong" and "error" are kept, and
none that took a second try: what hit a limit may not hit it next time, and what failed here says nothing.
Whatever is wrong with the folder or a file in it, nothing is kept or found, and programs run again.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from codesample.execution.caller.granted_modules import package_folders, state_of_packages
from codesample.execution.caller.reference_cache import is_ours, judging_code, machine_kind
from codesample.execution.isolation.grants import Isolation
from codesample.execution.limits import MIB, Limits
from codesample.execution.wire.messages import checks_from, digest
from codesample.records import Status

__all__ = ["LastingVerdicts", "VerdictCache"]

_KEPT = frozenset({Status.PASSED, Status.WRONG, Status.ERROR})
_MOST_BYTES = 64 * MIB
_SHARDS = 256
_KEPT_SHARE = 0.5
_SUFFIX = ".verdicts"
_CHECK_LETTERS = 16


class VerdictCache:
    """Verdicts by name, as lines of a few hundred files in one folder that only this user can write.

    Args:
        folder: Made when something is kept for the first time; None keeps nothing.
        most_bytes: Of all files together; a file that takes more than its share loses its oldest half.

    It may be used from several threads: at worst a file is read twice.

    Attributes:
        found: How many verdicts were found so far.
    """

    def __init__(self, folder: Path | None, *, most_bytes: int = _MOST_BYTES) -> None:
        self._folder = folder
        self._most_bytes = most_bytes // _SHARDS
        self._lines: dict[str, dict[bytes, bytes]] = {}
        self.found = 0

    def get(self, key: str) -> dict[str, Any] | None:
        """Return what was kept under `key`, its checks read; None where nothing sound is."""
        body = _sound(self._shard(key[:2]).get(key.encode(), b""))
        if body is None:
            return None
        self.found += 1
        reply: dict[str, Any] = json.loads(body)
        return reply | {"checks": checks_from(reply["checks"])} if "checks" in reply else reply

    def put(self, key: str, reply: Mapping[str, Any]) -> None:
        """Keep a worker's reply, as it came, where it cannot be another one next time."""
        if self._folder is None or reply.get("status") not in _KEPT or "first_try" in reply:
            return
        rest = key.encode() + b" " + json.dumps(reply, separators=(",", ":")).encode()
        line = _check(rest) + b" " + rest + b"\n"
        shard = self._shard(key[:2])
        # one that takes a file's half alone would push out all others, and then itself
        if len(line) <= _KEPT_SHARE * self._most_bytes and _sound(shard.get(key.encode(), b"")) is None:
            shard[key.encode()] = line
            self._append(key[:2], line)

    def _shard(self, name: str) -> dict[bytes, bytes]:
        """Return the lines of one file by their keys, read at the first call."""
        if name not in self._lines:
            self._lines[name] = self._read(name)
        return self._lines[name]

    def _read(self, name: str) -> dict[bytes, bytes]:
        """Return the last line of each key as it is; whether it is sound, `get` sees."""
        if self._folder is None:
            return {}
        lines: dict[bytes, bytes] = {}
        with contextlib.suppress(OSError):
            # a link leads elsewhere, and a FIFO would keep us waiting
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            with open(os.open(self._path(name), flags), "rb") as file:
                if not is_ours(os.fstat(file.fileno()), stat.S_IFREG):
                    return {}
                for line in file:
                    lines[line[_CHECK_LETTERS + 1 :].partition(b" ")[0]] = line
        return lines

    def _append(self, name: str, line: bytes) -> None:
        """Write a line by one call, so that several processes can."""
        assert self._folder is not None
        with contextlib.suppress(OSError):
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not is_ours(os.stat(self._folder), stat.S_IFDIR):
                return
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            descriptor = os.open(self._path(name), flags, 0o600)
            try:
                status = os.fstat(descriptor)
                if not is_ours(status, stat.S_IFREG):
                    return
                os.write(descriptor, line)
            finally:
                os.close(descriptor)
            if status.st_size > self._most_bytes:
                self._shrink(name)

    def _shrink(self, name: str) -> None:
        """Write a file anew with its latest lines; what another process adds meanwhile is lost."""
        kept, room = [], int(self._most_bytes * _KEPT_SHARE)
        for line in reversed(self._read(name).values()):
            room -= len(line)
            if room < 0:
                break
            if _sound(line) is not None:
                kept.append(line)
        draft = self._path(f"draft-{os.getpid()}-{name}")
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as file:
            file.writelines(reversed(kept))
        os.replace(draft, self._path(name))

    def _path(self, name: str) -> Path:
        assert self._folder is not None
        return self._folder / (name + _SUFFIX)


class LastingVerdicts:
    """What an executor asks of a cache: each of its jobs has a name there.

    Args:
        cache: None keeps nothing.
        isolation: Of the executor.
    """

    def __init__(self, cache: VerdictCache | None, isolation: Isolation) -> None:
        self._cache = cache
        self._names: dict[str, str] = {}
        if cache is not None:
            granted = json.dumps(isolation.as_json(), sort_keys=True).encode()
            self._context = digest(judging_code(), machine_kind(), granted, sys.version.encode()).encode()

    @property
    def found(self) -> int:
        """How many verdicts were found."""
        return self._cache.found if self._cache else 0

    def look_up(self, job: str, limits: Limits) -> dict[str, Any] | None:
        """Return the reply that was kept for a job; None where there is none, and `keep` may be called.

        Args:
            job: Digest of program, tests and limits.
            limits: The program's; of modules that it is granted, what is installed counts.
        """
        if self._cache is None:
            return None
        state = state_of_packages(limits.imports, package_folders()) if limits.imports else b""
        if state is None:
            return None
        name = digest(job.encode(), self._context, state)
        reply = self._cache.get(name)
        if reply is None:
            self._names[job] = name
        return reply

    def keep(self, job: str, reply: Mapping[str, Any] | Exception) -> None:
        """Keep what came of a job that was looked up before."""
        name = self._names.pop(job, None)
        if self._cache is not None and name is not None and isinstance(reply, Mapping):
            self._cache.put(name, reply)


def _sound(line: bytes) -> bytes | None:
    """Return what a line keeps; None where it is not as it was written."""
    check, _, rest = line.rstrip(b"\n").partition(b" ")
    return rest.partition(b" ")[2] if rest and check == _check(rest) else None


def _check(rest: bytes) -> bytes:
    return digest(rest)[:_CHECK_LETTERS].encode()
