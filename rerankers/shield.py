"""Keeps what a scorer does to the process from everything that runs after it."""

from __future__ import annotations

import io
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, NoReturn

from codesample.rerankers.blame import HardExit

__all__ = ["Shield", "refused_exit", "shielded"]

_EXIT = os._exit
_STANDARD = (0, 1, 2)


class _Lent(io.TextIOBase):
    """A stream that writes to another one and cannot close it."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        if self.closed:
            raise ValueError("I/O operation on closed file")
        return int(self._stream.write(text) or 0)

    def flush(self) -> None:
        if not self.closed:
            with suppress(ValueError):
                self._stream.flush()

    def writable(self) -> bool:
        return True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    @property
    def encoding(self) -> Any:  # type: ignore[override]
        return self._stream.encoding

    @property
    def errors(self) -> Any:  # type: ignore[override]
        return self._stream.errors

    def isatty(self) -> bool:
        return bool(self._stream.isatty())

    def fileno(self) -> int:
        return int(self._stream.fileno())


class Shield:
    """What of the process is as it was: folder, environment, standard streams, filters of warnings, depth.

    The descriptors beneath the streams too, where they are closed or made others.

    What is printed meanwhile goes where it would have gone. What would end the process at once is raised.
    """

    def __init__(self) -> None:
        self._folder = _folder()
        self._environment = dict(os.environ)
        self._exit = os._exit
        self._streams = (sys.stdin, sys.stdout, sys.stderr)
        self._filters = list(warnings.filters)
        self._depth = sys.getrecursionlimit()
        self._descriptors = {each: copy for each in _STANDARD if (copy := _copied(each)) is not None}

    def raise_(self) -> None:
        """Lend out the standard streams, so that nobody closes them."""
        sys.stdin, out, error = self._streams
        sys.stdout, sys.stderr = out and _Lent(out), error and _Lent(error)
        os._exit = refused_exit()  # type: ignore[assignment]

    def mend(self) -> None:
        """Make everything what it was, and lend out the streams again, which never are bare meanwhile."""
        self._put_back_rest()
        self.raise_()

    def put_back(self) -> None:
        """Make everything what it was."""
        sys.stdin, sys.stdout, sys.stderr = self._streams
        os._exit = self._exit
        self._put_back_rest()
        for copy in self._descriptors.values():
            # by `os.closerange` it may be gone already
            with suppress(OSError):
                os.close(copy)

    def _put_back_rest(self) -> None:
        for each, copy in self._descriptors.items():
            with suppress(OSError):
                if not _are_one(each, copy):
                    os.dup2(copy, each)
        if os.environ != self._environment:
            os.environ.clear()
            os.environ.update(self._environment)
        if self._folder is not None and _folder() != self._folder:
            with suppress(OSError):
                os.chdir(self._folder)
        if warnings.filters != self._filters:
            warnings.filters[:] = self._filters  # type: ignore[index]
        if sys.getrecursionlimit() != self._depth:
            sys.setrecursionlimit(self._depth)


@contextmanager
def shielded() -> Iterator[None]:
    """Put back behind a block what `Shield` knows of."""
    shield = Shield()
    shield.raise_()
    try:
        yield
    finally:
        shield.put_back()


def refused_exit() -> Callable[[int], NoReturn]:
    """Return what stands in for `os._exit` in this process and raises; its children end as they like."""
    process = os.getpid()

    def refused(status: int) -> NoReturn:
        if os.getpid() != process:
            _EXIT(status)
        raise HardExit(f"called os._exit({status})")

    return refused


def _folder() -> str | None:
    try:
        return os.getcwd()
    except OSError:
        return None


def _copied(descriptor: int) -> int | None:
    """Return another descriptor of the same file; None where it is closed."""
    try:
        return os.dup(descriptor)
    except OSError:
        return None


def _are_one(descriptor: int, copy: int) -> bool:
    """Whether two descriptors are of one file; raises OSError where the second is closed."""
    was = os.fstat(copy)
    try:
        return os.path.samestat(os.fstat(descriptor), was)
    except OSError:
        return False
