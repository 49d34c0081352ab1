"""Stand-ins for a program's objects, for tests that run in another process than the program."""

from __future__ import annotations

import builtins
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from codesample.execution import codec
from codesample.execution.session import Session
from codesample.records import Status

__all__ = ["PROGRAM_MODULE", "SEED", "Handle", "Reading", "Remote", "said"]

PROGRAM_MODULE = "program"
"""Name under which a program's module goes; not "__main__", so that script parts do not run."""

SEED = 0
"""Of `random`, in tests and programs alike."""

_MAX_DETAIL = 1_000
_MAX_ITERATED = 1_000_000
_PART_BYTES = 1 << 16
_NO_REPLY = "the program sent something that is not a reply"

_ORDER = ("__lt__", "__le__", "__gt__", "__ge__")
_ARITHMETIC = ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "and", "or", "xor")
_UNARY = ("__abs__", "__neg__", "__int__", "__float__", "__index__", "__round__")


@dataclass(frozen=True, slots=True)
class Reading:
    """What one reply reports: a value, an exception the tests may see, or the end of the program."""

    status: Status
    value: Any = None
    detail: str = ""
    raised: Exception | None = None


def said(error: BaseException) -> str:
    """Describe an exception in a line or a few: as the program reported it, if it came from there."""
    notes = getattr(error, "__notes__", None)
    return _shown(notes[-1] if notes else f"{type(error).__name__}: {error}")


def _shown(text: str) -> str:
    """Cut what a program said, and take out what could steer a terminal."""
    return "".join(mark if mark.isprintable() or mark == "\n" else "?" for mark in str(text)[:_MAX_DETAIL])


class Remote:
    """Operations on the objects of one program."""

    def __init__(self, session: Session) -> None:
        """Speak to the program of `session`."""
        self.session = session
        self.calls = 0
        """How many operations the program answered."""
        self.met_opaque = False
        """Whether the tests computed with a value that cannot cross."""
        self.raised: BaseException | None = None
        """The last exception that crossed."""

    def perform(self, operation: str, *arguments: Any) -> Any:
        """Carry out one operation in the program and return its plain result.

        Raises:
            ProgramStopped: the program ended, hit a limit, or sent what cannot cross.
            Exception: what the program raised, as the nearest built-in class.
        """
        try:
            request = codec.encode([operation, *arguments], self._to_program)
        except codec.CodecError as error:
            self.session.stop(Status.UNSUPPORTED_VALUE, f"the tests hand over what cannot cross: {error}")
        return self.result(self._decoded(self.session.exchange(request)))

    def batch(
        self, function: Handle, inputs_json: bytes, count: int, *, part_bytes: int = _PART_BYTES
    ) -> Iterator[list[Any]]:
        """Call `function` on a whole list of encoded argument lists; yield `count` replies for `result`.

        Replies arrive in messages of about `part_bytes`; with 0 each comes as soon as it is there.

        Raises:
            ProgramStopped: as `perform`; also for a program that sends another number of replies.
        """
        handle = codec.encode(function, self._to_program)
        self.session.send(b'["batch",%s,%s,%d]' % (handle, inputs_json, part_bytes))
        while count:
            part = self._decoded(self.session.receive())
            if len(part) > count or not all(type(reply) is list for reply in part):
                self.session.stop(Status.CRASHED, _NO_REPLY)
            count -= len(part)
            yield from part

    def _decoded(self, body: bytes) -> list[Any]:
        try:
            parts = codec.decode(body, self._from_program)
        except codec.CodecError as error:
            self.session.stop(Status.UNSUPPORTED_VALUE, str(error))
        if type(parts) is not list or not parts:
            self.session.stop(Status.CRASHED, _NO_REPLY)
        return parts

    def result(self, parts: list[Any]) -> Any:
        """Return the value of a decoded reply, or raise what it reports; raises as `perform` does."""
        self.calls += 1
        reading = self.read(parts)
        if reading.status is Status.PASSED:
            return reading.value
        if reading.raised is None:
            self.session.stop(reading.status, reading.detail)
        self.raised = reading.raised
        raise reading.raised

    def read(self, parts: list[Any]) -> Reading:
        """Say what a decoded reply reports, without acting on it; stops a program whose reply is none."""
        reading = _reading(parts)
        if reading is None:
            self.session.stop(Status.CRASHED, _NO_REPLY)
        return reading

    @staticmethod
    def _to_program(value: Any) -> Any:
        if type(value) is Handle:
            return {"h": value._codesample_id}
        raise codec.CodecError(f"a {type(value).__name__} is not plain data")

    def _from_program(self, content: Any) -> Handle:
        match content:
            case [int(number), str(kind)]:
                return Handle(self, number, kind)
        raise codec.CodecError("a malformed handle")


def _reading(parts: list[Any]) -> Reading | None:
    """Return what a reply reports; None where it is malformed."""
    match parts:
        case ["value", value]:
            return Reading(Status.PASSED, value=value)
        case ["raise", str(kind), list(arguments), str(detail)]:
            return _reading_of_exception(kind, arguments, _shown(detail))
        case ["refused", str(reason)]:
            detail = _shown(f"the program returned what cannot cross: {reason}")
            return Reading(Status.UNSUPPORTED_VALUE, detail=detail)
        case ["large", int(size)]:
            return Reading(Status.OUTPUT_LIMIT, detail=f"the program returned {size} encoded bytes")
    return None


def _reading_of_exception(kind: str, arguments: list[Any], detail: str) -> Reading:
    found = getattr(builtins, kind, None)
    if found is MemoryError:
        return Reading(Status.MEMORY, detail=detail)
    if not (isinstance(found, type) and issubclass(found, Exception)):
        # SystemExit and its like would end a test program, and no test may mistake that for its end
        return Reading(Status.ERROR, detail=detail)
    if issubclass(found, (StopIteration, StopAsyncIteration)):
        # inside map() or next() of a test it would pass for the end of the data
        found = RuntimeError
    try:
        error = found(*arguments)
    except Exception:
        error = RuntimeError(*arguments)
    error.add_note(detail)
    return Reading(Status.ERROR, detail=detail, raised=error)


class Handle:
    """A value that stays in the program: true, equal to nothing but itself, usable only by asking it."""

    def __init__(self, remote: Remote, number: int, kind: str) -> None:
        """Stand for object `number` of the program."""
        vars(self).update(_codesample_remote=remote, _codesample_id=number, _codesample_kind=kind)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the object in the program."""
        return self._codesample_remote.perform("call", self, args, kwargs)

    def __getattr__(self, name: str) -> Any:
        if name.startswith(("__", "_codesample")):
            raise AttributeError(name)
        return self._codesample_remote.perform("attribute", self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        self._codesample_remote.perform("set attribute", self, name, value)

    def __setitem__(self, key: Any, value: Any) -> None:
        self._codesample_remote.perform("set item", self, key, value)

    def __getitem__(self, key: Any) -> Any:
        return self._codesample_remote.perform("item", self, key)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._codesample_remote.perform("iterate", self, _MAX_ITERATED))

    def __len__(self) -> int:
        length = self._codesample_remote.perform("length", self)
        if type(length) is not int:
            raise TypeError("the program's object has no length")
        return length

    def __bool__(self) -> bool:
        return True

    def __eq__(self, other: object) -> bool:
        if type(other) is Handle:
            return self._codesample_id == other._codesample_id
        self._codesample_remote.met_opaque = True
        return False

    def __hash__(self) -> int:
        return hash(self._codesample_id)

    def __repr__(self) -> str:
        return f"<{self._codesample_kind[:40]} in the program>"


def _refuse(self: Handle, *others: object) -> Any:
    self._codesample_remote.met_opaque = True
    return NotImplemented


def _refuse_unary(self: Handle, *others: object) -> Any:
    self._codesample_remote.met_opaque = True
    raise TypeError(f"{self!r} is not a number")


for _name in _ORDER:
    setattr(Handle, _name, _refuse)
for _name in _ARITHMETIC:
    setattr(Handle, f"__{_name}__", _refuse)
    setattr(Handle, f"__r{_name}__", _refuse)
for _name in _UNARY:
    setattr(Handle, _name, _refuse_unary)
