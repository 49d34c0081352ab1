"""The untrusted side: runs one program in a confined process and answers calls on its names.

Nothing here is relied upon. The program shares this process and may change any of it; what it can
reach is bounded by the kernel, and what it can say by the worker that decodes its messages.
"""

from __future__ import annotations

import _socket
import marshal
import random
import sys
from collections.abc import Callable
from time import monotonic, process_time
from types import CodeType, ModuleType
from typing import Any

from codesample.execution.child import beside, objects
from codesample.execution.child.exceptions import text_of
from codesample.execution.child.operations import OPERATIONS
from codesample.execution.wire import channel, codec
from codesample.execution.wire.library_values import named
from codesample.execution.wire.shared import containers_in, is_nan

__all__ = ["FILENAME", "Operations", "confirm", "refuse", "rehearse", "serve"]

FILENAME = "<program>"

_CALLS_OF_C = 1
"""What the recursion limit counts beside Python's own frames, from here to a function of the program."""
_MARSHAL = 2
_MAX_FRAMES = 4
_MAX_TEXT = 200
_MAX_DETAIL = 1_000
_PART_SECONDS = 0.05
# asked of the base, for a class of the program may answer with code of its own
_traceback_of = BaseException.__dict__["__traceback__"].__get__
_REHEARSALS = 10
_REHEARSED_NAME = "rehearsed"
_REHEARSED = (
    b'["load","def f(x, y=()):\\n    return x","%s",["f"],0,[]]' % _REHEARSED_NAME.encode(),
    b'["call",{"h":1},{"t":[2]}]',
    b'["call",{"h":1},{"t":["a",{"d":[["b",0.5]]}]}]',
    b'["call",{"h":1},{"t":[[1,{"t":[true,null]}]]},{"d":[["y",[1]]]}]',
)
"""Requests that are answered before any program is there."""


def refuse(sock: _socket.socket, reason: str) -> None:
    """Announce why this process is not confined and will run nothing."""
    sock.sendall(channel.frame(codec.encode(["unconfined", reason])))


def confirm(sock: _socket.socket) -> None:
    """Announce that this process is confined."""
    sock.sendall(channel.frame(b'["confined"]'))


def serve(operations: Operations, sock: _socket.socket, result_bytes: int) -> None:
    """Announce that this process is confined, then answer requests until the worker closes the socket."""
    confirm(sock)
    operations.reply_to(sock, result_bytes)
    while (request := channel.receive(sock)) is not None:
        operations.answer(request)


def rehearse() -> Operations:
    """Answer what any program is asked, for nobody; return what is made ready for a program.

    What is forked from here then finds done what Python does to code that runs for the first times, and
    need not write to pages for it that it would have to copy.
    """
    limit = sys.getrecursionlimit()
    for _ in range(_REHEARSALS):
        operations = Operations()
        operations.reply_to(_Nobody(), _MAX_DETAIL)
        for request in _REHEARSED:
            operations.answer(request)
    del sys.modules[_REHEARSED_NAME]
    # a script is to find it as Python has it
    sys.setrecursionlimit(limit)
    return Operations()


class _Nobody:
    """A socket that leads nowhere."""

    def sendall(self, message: bytes) -> None:
        """Let go of it."""


class Operations:
    """A program, and the operations on it and on what it handed out."""

    def __init__(self) -> None:
        """Make everything ready for one program."""
        self._sock: Any = _Nobody()
        self._result_bytes = 0
        self._objects = objects.Objects()
        self._decode = codec.decoder(
            {
                "h": self._objects.numbered,
                "o": self._objects.shared.received,
                "u": _of_the_library,
                "x": _exception,
            }
        )
        self._requests = 0
        self._captured: Any = None
        self._lines: list[str] = []
        self._names: dict[str, Any] = {}
        self._operations: dict[str, Callable[..., Any]] = {
            **OPERATIONS,
            "load": self._load,
            "defined": lambda name: name in self._names,
        }

    def reply_to(self, sock: Any, result_bytes: int) -> None:
        """Send replies to this socket, results of at most so many bytes."""
        self._sock, self._result_bytes = sock, result_bytes

    def answer(self, request: bytes) -> None:
        """Carry out one request and send its reply or replies."""
        operation, *arguments = self._decode(request, trusted=True)
        if operation == "before":
            self._prepare(*arguments)
            return
        self._requests += 1
        if operation == "batch":
            self._batch(*arguments)
        elif operation == "beside":
            beside.perform(self._sock, *arguments)
        else:
            # whatever can be changed has a bracket of its own, but for an array of bytes
            most = request.count(b"[") - request.count(b'{"t":[') - 1 + request.count(b'{"a":')
            self._send(self._exchange(self._operations[operation], arguments, most))

    def _prepare(
        self, changes: list[Any], dropped: list[int], released: Any, capture: bool, bound: Any
    ) -> None:
        """Take what the tests changed since the last request; it has no reply."""
        self._objects.shared.apply(changes)
        self._objects.shared.drop(dropped)
        self._objects.release(released)
        for name, *values in bound:
            if values:
                self._names[name] = values[0]
            else:
                self._names.pop(name, None)
        if capture and self._captured is None:
            import io

            self._captured = (sys.stdout, sys.stderr, io.StringIO(), io.StringIO())
            sys.stdout, sys.stderr = self._captured[2:]
        elif not capture and self._captured is not None:
            sys.stdout, sys.stderr = self._captured[:2]
            self._captured = None

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
            body = codec.encode(operation(*arguments), self._objects.opaque)
        except codec.CodecError as error:
            return _reply("refused", str(error))
        except BaseException as error:
            return self._describe(error)
        return self._bounded(b'["value",' + body + b"]")

    def _exchange(self, operation: Callable[..., Any], arguments: list[Any], most: int) -> bytes:
        """Carry out an operation as `_attempt` does, and keep what both sides hold equal.

        Args:
            operation, arguments: What to do.
            most: At least how many containers the arguments can hold.
        """
        shared = self._objects.shared
        # the first is the list of arguments
        containers = containers_in(arguments[1:], shared.reference, most + 1)[1:] if most else []
        before = _state(arguments[1:]) if containers else None
        kept: list[int] = []
        try:
            # in a tuple, where it is held as often as what it holds: see `_known`
            result = (operation(*arguments),)
            kept = self._kept(containers, before, arguments)
            body = codec.encode(result, self._objects.opaque, exact=True, known=self._known, depth=-1)
            core = b'["value",' + codec.as_list(body)[1:]
        except codec.CodecError as error:
            core = _reply("refused", str(error))
        except BaseException as error:
            try:
                kept = kept or self._kept(containers, before, arguments)
                core = self._describe(error)
            except (codec.CodecError, RecursionError) as trouble:
                core = _reply("refused", str(trouble))
        printed = self._printed()
        if not (kept or len(shared) or printed):
            return self._bounded(core)
        try:
            changes = codec.dump(shared.changes())
        except (codec.CodecError, RecursionError) as error:
            return _reply("refused", str(error) or "nested too deep")
        parts = (
            b'["with",{"k":',
            codec.dump(kept),
            b"}," + core,
            b"," + changes,
            b"," + codec.encode(printed),
        )
        return self._bounded(b"".join(parts) + b"]")

    def _kept(self, containers: list[Any], before: Any, arguments: list[Any]) -> list[int]:
        """Share the arguments' containers if the program changed or keeps one; return their numbers."""
        if not containers:
            return []
        changed = _state(arguments[1:]) != before
        if not changed and max(_counts(containers)) <= _UNHELD:
            return []
        numbers = self._objects.shared.share(containers)
        if not changed:
            self._objects.shared.settle(numbers)
        return numbers

    def _known(self, value: Any) -> Any:
        """Stand for a container of a result that the program holds on to."""
        known = self._objects.shared.reference(value)
        if known is None and (sys.getrefcount(value) > _FRESH or is_nan(value)):
            return self._objects.shared.define(value)
        return known

    def _printed(self) -> list[str]:
        if self._captured is None:
            return []
        printed = [stream.getvalue() for stream in self._captured[2:]]
        for stream in self._captured[2:]:
            stream.seek(0)
            stream.truncate()
        return printed if any(printed) else []

    def _bounded(self, body: bytes) -> bytes:
        return body if len(body) <= self._result_bytes else _reply("large", len(body))

    def _send(self, body: bytes) -> None:
        self._sock.sendall(channel.frame(b"%d " % self._requests + body))

    def _load(self, source: str, name: str, wanted: list[str], seed: int, bound: Any = ()) -> list[Any]:
        """Run the program as module `name`.

        Returns: those of the wanted names that it defines, and those of `bound`, names of the tests' own,
        that its functions read.
        """
        random.seed(seed)
        self._lines = source.splitlines()
        module = ModuleType(name)
        sys.modules[name] = module
        self._names = module.__dict__
        code = compile(source, FILENAME, "exec", dont_inherit=True)
        beside.spare_frames(_CALLS_OF_C)
        exec(code, self._names)
        found = {name: self._names[name] for name in wanted if name in self._names}
        return [
            {name: objects.Callable(value) if callable(value) else value for name, value in found.items()},
            _read_by_functions(source, code, bound) if bound else [],
        ]

    def _describe(self, error: BaseException) -> bytes:
        """Return the reply for an exception: what it is, and where it came from."""
        places = [self._place(line, name) for line, name in _frames(error)][-_MAX_FRAMES:]
        detail = "\n".join([*places, f"{type(error).__name__}: {text_of(error)[:_MAX_TEXT]}"])[:_MAX_DETAIL]
        # its frames hold what the program computed with, and would keep it for good
        BaseException.with_traceback(error, None)
        if not isinstance(error, Exception):
            return _reply("end", type(error).__name__, detail)
        try:
            described = codec.dump(self._objects.raised(error))
        except Exception as trouble:
            return _reply("refused", f"an exception that cannot be read: {text_of(trouble)[:_MAX_TEXT]}")
        return b'["raise",' + described + b"," + codec.encode(detail) + b"]"

    def _place(self, line: int, name: str) -> str:
        text = self._lines[line - 1].strip() if 0 < line <= len(self._lines) else ""
        return f"line {line}, in {name}: {text[:_MAX_TEXT]}"


def _reply(*parts: Any) -> bytes:
    return codec.encode(list(parts))


def _of_the_library(names: list[str]) -> Any:
    return named(*names)


def _exception(parts: list[Any]) -> Any:
    return _of_the_library(parts[:2])(*parts[2])


def _state(arguments: Any) -> Any:
    """Return what differs where any container within differs."""
    try:
        return marshal.dumps(arguments, _MARSHAL)
    except ValueError:
        return repr(codec.pack(arguments, lambda value: {"h": id(value)}))


def _counts(containers: list[Any]) -> list[int]:
    """Return how many references each has, those of this function included."""
    return [sys.getrefcount(value) for value in containers]


class _Probe:
    """Counts references to a container where `_Operations._known` does."""

    def known(self, value: Any) -> Any:
        """Count, and stand for nothing."""
        self.count = sys.getrefcount(value)


def _fresh_count() -> int:
    """Return how many references there are to a container that only its container holds."""
    probe = _Probe()
    codec.encode(([],), known=probe.known)
    return probe.count


_FRESH = _fresh_count()
_UNHELD = _counts([[]])[0] + 1


def _read_by_functions(source: str, code: CodeType, bound: list[str]) -> list[str]:
    """Return those of `bound` that functions of the program read as globals."""
    mentioned: set[str] = set()
    pending = [item for item in code.co_consts if isinstance(item, CodeType)]
    while pending:
        inner = pending.pop()
        mentioned.update(inner.co_names)
        pending.extend(item for item in inner.co_consts if isinstance(item, CodeType))
    if mentioned.isdisjoint(bound):
        return []
    # attributes are among them, which this tells apart
    import symtable

    read: set[str] = set()
    scopes = symtable.symtable(source, FILENAME, "exec").get_children()
    while scopes:
        scope = scopes.pop()
        read.update(
            each.get_name() for each in scope.get_symbols() if each.is_global() and each.is_referenced()
        )
        scopes.extend(scope.get_children())
    return [name for name in bound if name in read]


def _frames(error: Any) -> list[tuple[int, str]]:
    """Line number and function of each of the program's frames, outermost first."""
    if issubclass(type(error), SyntaxError) and error.filename == FILENAME:
        return [(error.lineno or 0, "<module>")]
    found = []
    step = _traceback_of(error)
    while step is not None:
        if step.tb_frame.f_code.co_filename == FILENAME:
            found.append((step.tb_lineno, step.tb_frame.f_code.co_name))
        step = step.tb_next
    return found
