"""The untrusted side: runs one program in a confined process and answers calls on its names.

Nothing here is relied upon. The program shares this process and may change any of it; what it can
reach is bounded by the kernel, and what it can say by the worker that decodes its messages.
"""

from __future__ import annotations

import _socket
import atexit
import json
import random
import sys
from collections.abc import Callable
from itertools import islice
from time import monotonic, process_time
from types import ModuleType
from typing import Any

from codesample.execution.wire import channel, codec

__all__ = ["FILENAME", "refuse", "serve"]

FILENAME = "<program>"

_MAX_ARGUMENTS = 4
_MAX_FRAMES = 4
_MAX_TEXT = 200
_MAX_DETAIL = 1_000
_PART_SECONDS = 0.05


def refuse(sock: _socket.socket, reason: str) -> None:
    """Announce why this process is not confined and will run nothing."""
    sock.sendall(channel.frame(codec.encode(["unconfined", reason])))


def serve(sock: _socket.socket, result_bytes: int) -> None:
    """Announce that this process is confined, then answer requests until the worker closes the socket."""
    sock.sendall(channel.frame(b'["confined"]'))
    operations = _Operations(sock, result_bytes)
    while (request := channel.receive(sock)) is not None:
        operations.answer(request)


class _Callable:
    """Something callable that goes by handle even where it is plain data, as a built-in type is."""

    def __init__(self, itself: Any) -> None:
        self.itself = itself


class _Operations:
    """The program's objects that were handed out, and the operations on them."""

    def __init__(self, sock: _socket.socket, result_bytes: int) -> None:
        self._sock = sock
        self._result_bytes = result_bytes
        self._objects: list[Any] = []
        self._numbers: dict[int, int] = {}
        self._lines: list[str] = []
        self._names: dict[str, Any] = {}
        self._operations: dict[str, Callable[..., Any]] = {
            "load": self._load,
            "script": self._script,
            "run": self._run,
            "call": lambda handle, args, kwargs: handle(*args, **kwargs),
            "attribute": getattr,
            "set attribute": setattr,
            "item": lambda handle, key: handle[key],
            "set item": lambda handle, key, value: handle.__setitem__(key, value),
            "length": len,
            "iterate": lambda handle, most: list(islice(handle, most)),
        }

    def answer(self, request: bytes) -> None:
        """Carry out one request and send its reply or replies."""
        operation, *arguments = codec.decode(request, self._objects.__getitem__, trusted=True)
        if operation == "batch":
            self._batch(*arguments)
        else:
            self._send(self._attempt(self._operations[operation], arguments))

    def _batch(self, function: Any, inputs: list[Any], part_bytes: int, timed: bool) -> None:
        """Call `function` on every argument list, and send results in parts.

        A part is sent above `part_bytes`, or once it is half of what was sent before: a program that dies
        takes no more than a third of its results with it, and many results still take few messages. It is
        sent after 50 ms too, so that a call that takes long is the last of its part. With `timed`, each
        reply ends with the CPU seconds that it took.
        """
        part: list[bytes] = []
        size = sent = 0
        due = monotonic() + _PART_SECONDS
        for arguments in inputs:
            began = process_time() if timed else 0.0
            reply = self._attempt(function, arguments)
            if timed:
                reply = b"%s,%.6f]" % (reply[:-1], process_time() - began)
            part.append(reply)
            size += len(reply)
            if size > part_bytes or 2 * size >= sent or monotonic() > due:
                self._send(b"[" + b",".join(part) + b"]")
                sent += size
                part, size = [], 0
                due = monotonic() + _PART_SECONDS
        if part:
            self._send(b"[" + b",".join(part) + b"]")

    def _attempt(self, operation: Callable[..., Any], arguments: Any) -> bytes:
        """Return the encoded reply: a value, an exception, or why neither can cross."""
        try:
            body = codec.encode(operation(*arguments), self._opaque)
        except codec.CodecError as error:
            return _reply("refused", str(error))
        except BaseException as error:
            return self._describe(error)
        if len(body) > self._result_bytes:
            return _reply("large", len(body))
        return b'["value",' + body + b"]"

    def _send(self, body: bytes) -> None:
        self._sock.sendall(channel.frame(body))

    def _load(self, source: str, name: str, wanted: list[str], seed: int) -> dict[str, Any]:
        """Run the program as module `name`; return those of the wanted names that it defines."""
        random.seed(seed)
        self._lines = source.splitlines()
        module = ModuleType(name)
        sys.modules[name] = module
        self._names = module.__dict__
        exec(compile(source, FILENAME, "exec"), self._names)
        found = {name: self._names[name] for name in wanted if name in self._names}
        return {name: _Callable(value) if callable(value) else value for name, value in found.items()}

    def _script(self, source: str, seed: int) -> int:
        """Run the program as a script reading standard input; return its exit status."""
        try:
            self._load(source, "__main__", [], seed)
            code: Any = 0
        except SystemExit as error:
            code = error.code
        if "threading" in sys.modules:
            sys.modules["threading"]._shutdown()
        atexit._run_exitfuncs()
        sys.stdout.flush()
        return code if type(code) is int else int(code is not None)

    def _run(self, source: str, checks: list[str], token: str) -> list[Any]:
        """Run tests beside the program; return the token and the outcome of each check."""
        exec(compile(source, "<tests>", "exec"), self._names)
        return [token, [self._holds(check) for check in checks]]

    def _holds(self, check: str) -> bool:
        try:
            exec(compile(check, "<tests>", "exec"), self._names)
        except Exception:
            return False
        return True

    def _opaque(self, value: Any) -> Any:
        numpy = sys.modules.get("numpy")
        if numpy is not None and isinstance(value, numpy.generic):
            plain = value.item()
            if type(plain) in (bool, int, float, complex, str, bytes):
                return json.loads(codec.encode(plain))
        if type(value) is _Callable:
            value = value.itself
        number = self._numbers.setdefault(id(value), len(self._objects))
        if number == len(self._objects):
            self._objects.append(value)
        return {"h": [number, type(value).__name__]}

    def _describe(self, error: BaseException) -> bytes:
        """Return the reply for an exception: its nearest built-in class, plain arguments, and where."""
        kind = next(base for base in type(error).__mro__ if base.__module__ == "builtins")
        arguments = [item if type(item) is int else _text(item) for item in error.args[:_MAX_ARGUMENTS]]
        places = [self._place(line, name) for line, name in _frames(error)][-_MAX_FRAMES:]
        detail = "\n".join([*places, f"{type(error).__name__}: {_text(error)}"])
        return _reply("raise", kind.__name__, arguments, detail[:_MAX_DETAIL])

    def _place(self, line: int, name: str) -> str:
        text = self._lines[line - 1].strip() if 0 < line <= len(self._lines) else ""
        return f"line {line}, in {name}: {text[:_MAX_TEXT]}"


def _reply(*parts: Any) -> bytes:
    return codec.encode(list(parts))


def _frames(error: BaseException) -> list[tuple[int, str]]:
    """Line number and function of each of the program's frames, outermost first."""
    if isinstance(error, SyntaxError) and error.filename == FILENAME:
        return [(error.lineno or 0, "<module>")]
    found = []
    step = error.__traceback__
    while step is not None:
        if step.tb_frame.f_code.co_filename == FILENAME:
            found.append((step.tb_lineno, step.tb_frame.f_code.co_name))
        step = step.tb_next
    return found


def _text(value: object) -> str:
    try:
        return str(value)[:_MAX_TEXT]
    except BaseException:
        return f"<{type(value).__name__}>"
