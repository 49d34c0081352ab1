"""Lets a command score in a process of its own, so that a reranker that ends it costs its own scores only.

What a scorer raises, and `sys.exit`, are told by the reranker itself; nothing within a process can tell of a
segmentation fault, or of a signal that kills.
"""

from __future__ import annotations

import atexit
import faulthandler
import mmap
import os
import re
import signal
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from types import FrameType
from typing import IO, TYPE_CHECKING, NoReturn

from codesample.cli.process import INTERRUPTED, REFUSED, TERMINATED, is_command, leave

if TYPE_CHECKING:
    from codesample.rerankers.contract import Reranker

__all__ = ["go_on_apart", "with_fallen"]

_PASSED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# from when on a child that was told to end is killed
_LATEST_SECONDS = 8
_FRAME = re.compile(r'^  File "(.+)", line (\d+) in ', re.MULTILINE)


def go_on_apart() -> Mapping[str, str]:
    """Go on in a child of this process, and in another one each time that a reranker ends it.

    Returns: in the child alone, by the names of rerankers that ended an earlier child, what is said of it.
    This process ends as its last child does. Where it is not the command's own, nothing happens.
    """
    if not is_command() or threading.active_count() > 1:
        return {}
    from codesample.rerankers.shield import refused_exit
    from codesample.rerankers.slate import SIZE, close_slate, read_slate, write_into

    fallen: dict[str, str] = {}
    parent, by_sigterm = os.getpid(), signal.getsignal(signal.SIGTERM)
    while True:
        memory = mmap.mmap(-1, SIZE)
        with tempfile.TemporaryFile() as words:
            sys.stdout.flush()
            sys.stderr.flush()
            if not (child := os.fork()):
                _die_with(parent)
                # other children leave it
                signal.signal(signal.SIGTERM, by_sigterm or signal.SIG_DFL)
                # the file stays open for as long as this process lives
                faulthandler.enable(os.dup(words.fileno()), all_threads=False)
                write_into(memory)
                atexit.register(close_slate)
                # what threads of a scorer call when it has returned
                os._exit = refused_exit()  # type: ignore[assignment]
                return fallen
            code, was_told = _awaited(child)
            at = read_slate(memory)
            if at is None or at.asked in fallen or was_told or code == INTERRUPTED:
                _end_as(code)
            ended = f"by {signal.Signals(-code).name}" if code < 0 else f"with exit status {code}"
            if at.over:
                place = f" ({at.file}:{at.line})" if at.file else ""
                sys.stderr.write(
                    f"error: the process was ended {ended} when no reranker was scoring; the last one that "
                    f"scored was {at.asked!r}, problem {at.task_id!r}{place}\n"
                )
                sys.stderr.flush()
                leave(REFUSED)
            part = f"reranker {at.name!r} " if at.name != at.asked else ""
            place = f" ({at.file}:{_line(words, at.file) or at.line})" if at.file else ""
            fallen[at.asked] = (
                f"reranker {at.asked!r}, problem {at.task_id!r}: {part}ended the process {ended}{place}"
            )


def with_fallen(loaded: Sequence[Reranker], fallen: Mapping[str, str]) -> list[Reranker]:
    """Return the rerankers, each of those that ended a process replaced by one that only says so."""
    return [each.fallen(fallen[each.name]) if each.name in fallen else each for each in loaded]


def _die_with(parent: int) -> None:
    if sys.platform == "linux":
        from codesample.execution.isolation.linux import die_with_parent

        die_with_parent(parent)


def _awaited(child: int) -> tuple[int, bool]:
    """Wait for a child; return its exit code, negative for a signal, and whether it was told to end."""
    told: list[int] = []

    def pass_on(number: int, frame: FrameType | None) -> None:
        told.append(number)
        os.kill(child, number)
        if number == signal.SIGTERM:
            # a scorer that holds the interpreter, as one long regular expression does, lets nothing be ended
            signal.signal(signal.SIGALRM, lambda *_: os.kill(child, signal.SIGKILL))
            signal.alarm(_LATEST_SECONDS)

    caught = [each for each in _PASSED_ON if signal.getsignal(each) is not signal.SIG_IGN]
    before = [signal.signal(number, pass_on) for number in caught]
    status = os.waitpid(child, 0)[1]
    signal.alarm(0)
    for number, handler in zip(caught, before, strict=True):
        signal.signal(number, handler or signal.SIG_DFL)
    code = os.waitstatus_to_exitcode(status)
    return TERMINATED if signal.SIGTERM in told and code == -signal.SIGKILL else code, bool(told)


def _line(words: IO[bytes], file: str) -> int | None:
    """Return the line of a file that a process was in when it died, as far as it could still say."""
    words.seek(0)
    frames = _FRAME.findall(words.read().decode("utf-8", "replace"))
    return next((int(line) for place, line in frames if place == file), None)


def _end_as(code: int) -> NoReturn:
    """End this process as the child ended."""
    if code < 0 and -code != signal.SIGKILL:
        signal.signal(-code, signal.SIG_DFL)
    if code < 0:
        os.kill(os.getpid(), -code)
    leave(code if code >= 0 else 128 - code)
