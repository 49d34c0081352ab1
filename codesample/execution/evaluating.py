"""Goes into the sandbox as text, before a program: says what expressions about the program come to.

So many calls take one process. The program shares it and may undo what is limited here, which saves time and
no more: what holds whatever a program does are the limits of the sandbox, and what it can spoil is what is
said of itself.
"""

from __future__ import annotations

import builtins
import io
import random
import sys

# there already; the module `signal` would be read anew in every process
from _signal import (  # type: ignore[import-not-found]
    ITIMER_PROF,
    ITIMER_REAL,
    ITIMER_VIRTUAL,
    SIGALRM,
    SIGPROF,
    setitimer,
    signal,
)
from importlib import import_module
from time import process_time
from types import ModuleType
from typing import Any

__all__ = ["Evaluator"]

_LOADING, _KILLED = 5, 3
"""Loading may take so many times what a call may; a call that does not even stop then ends the process."""

_compile, _eval, _exec = builtins.compile, builtins.eval, builtins.exec


class _Late(BaseException):
    """A call took too long; no `except Exception` of a program catches it."""


def _late(*_: Any) -> None:
    raise _Late


def _allow(cpu_seconds: float, wall_seconds: float) -> None:
    """Raise _Late in so many seconds, and again and again, for a program may swallow it; 0 never does."""
    setitimer(ITIMER_PROF, cpu_seconds, cpu_seconds)
    setitimer(ITIMER_REAL, wall_seconds, wall_seconds)
    # the kernel's own answer to it ends the process, also where the interpreter gets to run nothing
    setitimer(ITIMER_VIRTUAL, _KILLED * cpu_seconds)


class Evaluator:
    """A program, and what expressions about it come to.

    Args:
        names: Globals that the program is run in.
        source: The program.
        script: Whether it is run on inputs, not loaded.
        stub: Trusted definitions that expressions may use; the program does not see them.
        own: Name that the program's definition of counts, whatever the stub defines.
        modules: Modules of the standard library that expressions use.
        limits: CPU seconds of one call; wall seconds of one call; how many calls may exceed these; CPU
            seconds of all calls; how many characters and items, about, a result may have.
    """

    def __init__(
        self,
        names: dict[str, Any],
        source: str,
        script: bool,
        stub: str,
        own: str,
        modules: list[str],
        limits: tuple[float, float, int, float, int],
    ) -> None:
        self._names, self._trusted = names, {name: import_module(name) for name in modules}
        self._call_seconds, self._wall_seconds, self._most_late, self._seconds, self._most = limits
        for number in (SIGPROF, SIGALRM):
            signal(number, _late)
        try:
            _exec(_compile(stub, "<stub>", "exec", dont_inherit=True), self._trusted)
        except Exception:
            # expressions that use it will fail
            self._trusted.clear()
        for name in ("__builtins__", own):
            self._trusted.pop(name, None)
        self._code = _compile(source, "<program>", "exec", dont_inherit=True)
        if not script:
            try:
                _allow(_LOADING * self._call_seconds, _LOADING * self._wall_seconds)
                _exec(self._code, names)
            except _Late:
                raise TimeoutError("loading the program took too long") from None
            finally:
                _allow(0, 0)
        self._kinds = {"value": self._value, "holds": self._holds, "script": self._printed}
        self._began, self._late = process_time(), 0

    def say(self, kind: str, text: str) -> Any:
        """Return what a text comes to, as its kind says: "value", "holds" or, for an input, "script".

        Raises:
            BaseException: what the program raised; TimeoutError where it took too long.
        """
        if self._late >= self._most_late or process_time() - self._began > self._seconds:
            raise TimeoutError("the calls before took all the time there is")
        random.seed(0)
        try:
            _allow(self._call_seconds, self._wall_seconds)
            return self._kinds[kind](text)
        except _Late:
            self._late += 1
            raise TimeoutError("the call took too long") from None
        finally:
            _allow(0, 0)

    def _scope(self, text: str) -> dict[str, Any]:
        """Return the names of an expression: a program that forgot an import is not to find it made here."""
        return {**self._names, **self._trusted}

    def _value(self, text: str) -> Any:
        value = _eval(_compile(text, "<input>", "eval", dont_inherit=True), self._scope(text))
        self._expect_small(value)
        return value

    def _holds(self, text: str) -> bool:
        _exec(_compile(text, "<test>", "exec", dont_inherit=True), self._scope(text))
        return True

    def _printed(self, text: str) -> str:
        """Run the script on an input, and return what it printed."""
        import threading

        out = io.BytesIO()
        read = io.TextIOWrapper(io.BytesIO(text.encode()), encoding="utf-8")
        write = io.TextIOWrapper(out, encoding="utf-8", write_through=True)
        opened, streams, main = builtins.open, (sys.stdin, sys.stdout), sys.modules.get("__main__")
        module = sys.modules["__main__"] = ModuleType("__main__")
        standard = {0: read, 1: write}

        def open_standard(file: Any, *more: Any, **named: Any) -> Any:
            return standard[file] if type(file) is int and file in standard else opened(file, *more, **named)

        vars(builtins).update(open=open_standard, exit=sys.exit, quit=sys.exit)
        sys.stdin, sys.stdout = read, write
        try:
            _exec(self._code, module.__dict__)
        except SystemExit as end:
            if end.code not in (None, 0):
                raise ValueError("the script says that it failed") from None
        finally:
            for thread in threading.enumerate():
                if thread is not threading.current_thread() and not thread.daemon:
                    thread.join()
            builtins.open, (sys.stdin, sys.stdout) = opened, streams
            if main is not None:
                sys.modules["__main__"] = main
        if not write.closed:
            write.flush()
        printed = out.getvalue().decode(errors="replace")
        self._expect_small(printed)
        return printed

    def _expect_small(self, value: Any) -> None:
        """Raise OverflowError for a result that is too large to be kept; takes no longer than it may be."""
        left, todo = self._most, [value]
        while todo:
            each = todo.pop()
            left -= 1
            if isinstance(each, str | bytes | bytearray):
                left -= len(each)
            elif isinstance(each, int):
                left -= each.bit_length() >> 2
            elif isinstance(each, list | tuple | set | frozenset | dict):
                left -= len(each)
                if left >= 0:
                    todo.extend(each)
                    todo.extend(each.values() if isinstance(each, dict) else ())
            if left < 0:
                raise OverflowError("the result is too large to be kept")
