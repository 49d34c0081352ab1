"""The process of a command: what ends it from outside, and streams that are closed, full or broken.

Ctrl-C, and what job schedulers and `timeout` send (SIGTERM), end it alike: it says how to go on. Loads the
standard library alone until they are provided for.
"""

from __future__ import annotations

import _thread
import atexit
import io
import os
import select
import signal
import sys
import threading
import time
from types import FrameType
from typing import Any

__all__ = ["INTERRUPTED", "REFUSED", "TERMINATED", "is_command", "leave", "main"]

REFUSED = 2
"""Exit code of whatever codesample refuses."""

INTERRUPTED = 130
"""Exit code after Ctrl-C."""

TERMINATED = 143
"""Exit code after SIGTERM."""

_ENDING_SECONDS = 5.0
leave = os._exit
"""Ends the process at once, whatever others make of `os._exit`."""

_started: list[bool] = []
# the signal that ended the command
_ended_by: list[int] = []
_LATE = b"interrupted; what was to be ended did not end in time\n"


def is_command() -> bool:
    """Whether this process is one of the command's own, and no other program's that calls it."""
    return bool(_started)


def main() -> None:
    """Run the command line; the entry point `codesample`."""
    _started.append(True)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _end_once)
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _end_once)
        _spare_children()
    _prepare_streams()
    try:
        os.getcwd()
    except OSError as error:
        sys.stderr.write(f"error: the current folder is gone ({error.strerror}); change into another\n")
        sys.exit(REFUSED)
    try:
        from codesample.cli.app import run

        run()
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        sys.exit(_code())
    except SystemExit as end:
        if end.code == INTERRUPTED:
            sys.exit(_code())
        raise
    finally:
        # by now all that is to be said has been said
        _leave_sigterm()
        _flush()
        _end_with_threads(sys.exc_info()[1])


def _end_with_threads(end: BaseException | None) -> None:
    """End now where threads are left that nobody waits for, such as a reranker's, which could keep it."""
    if all(each is threading.current_thread() or each.daemon for each in threading.enumerate()):
        return
    if end is not None and not isinstance(end, SystemExit):
        return
    code = end.code if end is not None else 0
    if isinstance(code, str):
        sys.stderr.write(f"{code}\n")
    sys.stderr.flush()
    atexit._run_exitfuncs()
    leave(code if isinstance(code, int) else int(code is not None))


def _spare_children() -> None:
    """Let SIGTERM end at once what is forked from this process: libraries end their own children by it."""
    masks: list[set[int]] = []

    def hold() -> None:
        # what comes before the child has let go would go by
        masks.append(signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM]))

    def go_on() -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, masks.pop())

    def let_go() -> None:
        _leave_sigterm()
        go_on()

    os.register_at_fork(before=hold, after_in_parent=go_on, after_in_child=let_go)


def _leave_sigterm() -> None:
    if signal.getsignal(signal.SIGTERM) is _end_once:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _end_once(number: int, frame: FrameType | None) -> None:
    """End the command by the first signal, which those after it do not disturb, and at the latest soon.

    A second one would be raised in the midst of what the first one has to end. A lost first one, raised
    where nothing passes it on, would end nothing; so the process does not wait for it for ever.
    """
    if _ended_by:
        return
    _ended_by.append(number)
    for each in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(each) is _end_once:
            signal.signal(each, signal.SIG_IGN)
    # not by `threading`, whose locks the interrupted code may hold
    _thread.start_new_thread(_end_late, ())
    raise KeyboardInterrupt


def _code() -> int:
    """Return the exit code that says by what the command was ended."""
    # Python ends itself by SIGINT where one came within source that it ran as text, as a dataclass is made,
    # unless more was run since
    exec("")
    return TERMINATED if _ended_by[:1] == [signal.SIGTERM] else INTERRUPTED


def _end_late() -> None:
    time.sleep(_ENDING_SECONDS)
    try:
        # what nobody reads, or cannot be written, keeps no process
        if select.select([], [2], [], 0)[1]:
            os.write(2, _LATE)
    finally:
        # whatever a run has finished is with the kernel already
        leave(_code())


def _prepare_streams() -> None:
    """Give standard output and error streams that say it in one line where they cannot be written."""
    for descriptor, mode in enumerate((os.O_RDONLY, os.O_RDONLY, os.O_RDWR)):
        try:
            os.fstat(descriptor)
        except OSError:
            # the next file would take its number; what is written into this output is refused
            os.open(os.devnull, mode)
    sys.stdin = sys.stdin or io.TextIOWrapper(io.BufferedReader(io.FileIO(0, closefd=False)))
    sys.stdout = _stream(sys.stdout, _Results(1, "wb", closefd=False))
    sys.stderr = _stream(sys.stderr, _Remarks(2, "wb", closefd=False))


def _stream(given: Any, raw: io.FileIO) -> io.TextIOWrapper:
    """Return a stream as Python's own, but that no letter is refused."""
    encoding = getattr(given, "encoding", None) or "utf-8"
    return io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding,
        errors="backslashreplace",
        line_buffering=given is None or given.line_buffering,
    )


class _Results(io.FileIO):
    """Standard output; says once that it cannot be written."""

    _broken = False

    def write(self, data: Any) -> int:
        from codesample.errors import OutputError

        if self._broken:
            return len(data)
        try:
            return super().write(data)
        except OSError as error:
            self._broken = True
            raise OutputError(f"standard output cannot be written: {error.strerror}") from error


class _Remarks(io.FileIO):
    """Standard error; without it nothing can be said, and the work goes on."""

    def write(self, data: Any) -> int:
        try:
            return super().write(data)
        except OSError:
            return len(data)


def _flush() -> None:
    """Write what is left of the results; exits with `REFUSED` where that fails."""
    from codesample.errors import OutputError

    try:
        sys.stdout.flush()
    except OutputError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(REFUSED)
