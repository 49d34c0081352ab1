"""Stand-ins for a program's objects, for tests that run in another process than the program."""

from __future__ import annotations

import builtins
import reprlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from weakref import WeakValueDictionary

from codesample.execution.wire import codec
from codesample.execution.worker.exchange import Exchange
from codesample.records import Status

__all__ = [
    "PART_BYTES",
    "PROGRAM_MODULE",
    "SEED",
    "Handle",
    "Reading",
    "Remote",
    "brief",
    "crossed",
    "said",
    "shown",
]

PROGRAM_MODULE = "program"
"""Name under which a program's module goes; not "__main__", so that script parts do not run."""

SEED = 0
"""Of `random`, in tests and programs alike."""

PART_BYTES = 1 << 16
"""Of a batch's results in one message, about, at most."""

_MAX_DETAIL = 1_000
_MAX_ITERATED = 1_000_000
_NO_REPLY = "the program sent something that is not a reply"

_ORDER = ["lt", "le", "gt", "ge"]
_ARITHMETIC = ["add", "sub", "mul", "matmul", "truediv", "floordiv", "mod", "divmod", "pow"]
_BITS = ["lshift", "rshift", "and", "or", "xor"]
_UNARY = ["abs", "neg", "pos", "invert"]
_CONVERSIONS = ["int", "float", "complex", "index", "round", "trunc", "floor", "ceil", "fspath"]
_PROTOCOLS = ["next", "enter", "exit", "await", "aiter", "anext", "delitem", "delattr"]
_CHECKS_OF_CLASSES = ["instancecheck", "subclasscheck"]


@dataclass(frozen=True, slots=True)
class Reading:
    """What one reply reports: a value, an exception the tests may see, or the end of the program."""

    status: Status
    value: Any = None
    detail: str = ""
    raised: Exception | None = None


class Part(NamedTuple):
    """Replies of a batch that came in one message, and its size in bytes."""

    replies: list[list[Any]]
    size: int


def crossed(error: BaseException) -> bool:
    """Whether the program raised this exception, not the tests."""
    return hasattr(error, "__notes__")


def said(error: BaseException) -> str:
    """Describe an exception in a line or a few: as the program reported it, if it came from there."""
    if crossed(error):
        return str(error.__notes__[-1])
    try:
        return f"{type(error).__name__}: {error}"
    except Exception:
        # it may hold anything, such as an integer too long for decimal digits
        return type(error).__name__


def brief(value: object) -> str:
    """Describe any value in a few words."""
    try:
        return reprlib.repr(value)
    except Exception:
        return f"<{type(value).__name__}>"


def shown(text: str) -> str:
    """Cut what a program may have had a part in, and take out what could steer a terminal."""
    return "".join(mark if mark.isprintable() or mark == "\n" else "?" for mark in text[:_MAX_DETAIL])


class Remote:
    """Operations on the objects of one program."""

    def __init__(self, exchange: Exchange) -> None:
        """Speak to the program behind `exchange`."""
        self.exchange = exchange
        self.calls = 0
        """How many operations the program answered."""
        self.handles = 0
        """How many handles arrived."""
        self.received = 0
        """Estimated memory of all replies, in bytes."""
        self.met_opaque = False
        """Whether the tests computed with a value that cannot cross."""
        self._known: WeakValueDictionary[int, Handle] = WeakValueDictionary()

    def load(self, source: str, names: Sequence[str] = ()) -> dict[str, Any]:
        """Run the program; return what it defines of `names`, whatever can be called as a handle.

        Raises:
            ProgramStopped, Exception: as `perform`.
        """
        found = self.perform("load", source, PROGRAM_MODULE, list(names), SEED)
        if type(found) is not dict:
            self.exchange.stop(Status.CRASHED, _NO_REPLY)
        self.calls = 0
        return {name: found[name] for name in names if name in found}

    def load_or_stop(self, source: str, names: Sequence[str]) -> dict[str, Any]:
        """Run the program as `load` does; one that raises has come to its end.

        Raises:
            ProgramStopped: as `perform`, and where the program raised.
        """
        try:
            return self.load(source, names)
        except Exception as error:
            self.exchange.stop(Status.ERROR, said(error))

    def perform(self, operation: str, *arguments: Any) -> Any:
        """Carry out one operation in the program and return its plain result.

        Raises:
            ProgramStopped: the program ended, hit a limit, or sent what cannot cross.
            Exception: what the program raised, as the nearest built-in class.
        """
        try:
            request = codec.encode([operation, *arguments], self._to_program, exact=True)
        except codec.CodecError as error:
            self.exchange.stop(Status.UNSUPPORTED_VALUE, f"the tests hand over what cannot cross: {error}")
        return self.result(self._decoded(self.exchange.ask(request)))

    def batch(
        self,
        function: Handle,
        inputs_json: bytes,
        count: int,
        *,
        part_bytes: int = PART_BYTES,
        timed: bool = False,
    ) -> Iterator[Part]:
        """Call `function` on a whole list of encoded argument lists; yield `count` replies in parts.

        Parts grow up to about `part_bytes`; with 0 each reply comes by itself, as soon as it is there. With
        `timed`, each reply ends with the CPU seconds that the program says it took.

        Raises:
            ProgramStopped: as `perform`; also for a program that sends another number of replies.
        """
        handle = codec.encode(function, self._to_program)
        asked = (handle, inputs_json, part_bytes, b"true" if timed else b"false")
        self.exchange.send(b'["batch",%s,%s,%d,%s]' % asked)
        while count:
            body = self.exchange.receive()
            part = Part(self._decoded(body), len(body))
            if len(part.replies) > count or not all(type(reply) is list for reply in part.replies):
                self.exchange.stop(Status.CRASHED, _NO_REPLY)
            count -= len(part.replies)
            yield part

    def _decoded(self, body: bytes) -> list[Any]:
        self.received += codec.footprint(body)
        try:
            parts = codec.decode(body, self._from_program)
        except codec.CodecError as error:
            self.exchange.stop(Status.UNSUPPORTED_VALUE, str(error))
        if type(parts) is not list or not parts:
            self.exchange.stop(Status.CRASHED, _NO_REPLY)
        return parts

    def result(self, parts: list[Any]) -> Any:
        """Return the value of a decoded reply, or raise what it reports; raises as `perform` does."""
        self.calls += 1
        reading = self.read(parts)
        if reading.status is Status.PASSED:
            return reading.value
        if reading.raised is None:
            self.exchange.stop(reading.status, reading.detail)
        raise reading.raised

    def read(self, parts: list[Any]) -> Reading:
        """Say what a decoded reply reports, without acting on it; stops a program whose reply is none."""
        reading = _reading(parts)
        if reading is None:
            self.exchange.stop(Status.CRASHED, _NO_REPLY)
        return reading

    @staticmethod
    def _to_program(value: Any) -> Any:
        if type(value) is Handle:
            return {"h": value._codesample_id}
        raise codec.CodecError(f"a {type(value).__name__} is not plain data")

    def _from_program(self, content: Any) -> Handle:
        match content:
            case [int(number), str(kind)]:
                self.handles += 1
                known = self._known.get(number)
                if known is None:
                    known = self._known[number] = Handle(self, number, kind)
                return known
        raise codec.CodecError("a malformed handle")


def _reading(parts: list[Any]) -> Reading | None:
    """Return what a reply reports; None where it is malformed."""
    match parts:
        case ["value", value]:
            return Reading(Status.PASSED, value=value)
        case ["raise", str(kind), list(arguments), str(detail)]:
            return _reading_of_exception(kind, arguments, detail)
        case ["refused", str(reason)]:
            return Reading(
                Status.UNSUPPORTED_VALUE, detail=f"the program returned what cannot cross: {reason}"
            )
        case ["large", int(size)]:
            return Reading(Status.OUTPUT_LIMIT, detail=f"the program returned {brief(size)} encoded bytes")
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
    """A value that stays in the program: true, equal to nothing but itself, usable only by asking it.

    Where tests do with it what only the value itself could answer, that is noted in `Remote.met_opaque`.
    The same object of the program is the same handle for as long as the tests hold it.
    """

    def __init__(self, remote: Remote, number: int, kind: str) -> None:
        """Stand for object `number` of the program."""
        vars(self).update(_codesample_remote=remote, _codesample_id=number, _codesample_kind=kind)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the object in the program."""
        return self._codesample_remote.perform("call", self, args, kwargs)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_codesample"):
            raise AttributeError(name)
        if name.startswith("__"):
            _note(self)
            raise AttributeError(name)
        return self._codesample_remote.perform("attribute", self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        self._codesample_remote.perform("set attribute", self, name, value)

    def __setitem__(self, key: Any, value: Any) -> None:
        self._codesample_remote.perform("set item", self, key, value)

    def __getitem__(self, key: Any) -> Any:
        return self._codesample_remote.perform("item", self, key)

    def __iter__(self) -> Iterator[Any]:
        items = self._codesample_remote.perform("iterate", self, _MAX_ITERATED)
        if type(items) is not list:
            self._codesample_remote.exchange.stop(Status.CRASHED, _NO_REPLY)
        return iter(items)

    def __contains__(self, item: object) -> bool:
        # not asked outright: the program could claim to hold anything
        try:
            found = item in iter(self)
        except TypeError as error:
            _note(self)
            raise TypeError(f"{self!r} cannot be searched: {error}") from None
        if not found:
            _note(self)
        return found

    def __len__(self) -> int:
        length = self._codesample_remote.perform("length", self)
        if type(length) is not int:
            raise TypeError("the program's object has no length")
        return length

    def __bool__(self) -> bool:
        _note(self)
        return True

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        _note(self)
        return False

    def __hash__(self) -> int:
        _note(self)
        return hash(self._codesample_id)

    def __repr__(self) -> str:
        _note(self)
        return f"<{self._codesample_kind[:40]} in the program>"

    def __format__(self, spec: str) -> str:
        return repr(self)

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        # asked for by isinstance
        _note(self)
        return Handle


def _note(handle: Handle) -> None:
    """Note that the tests computed with a value that they do not have."""
    handle._codesample_remote.met_opaque = True


def _refuse_binary(self: Handle, *others: object) -> Any:
    _note(self)
    return NotImplemented


def _refuse(self: Handle, *others: object) -> Any:
    raise TypeError(f"{self!r} cannot do this for the tests")


for _name in (*_ARITHMETIC, *_BITS):
    setattr(Handle, f"__{_name}__", _refuse_binary)
    setattr(Handle, f"__r{_name}__", _refuse_binary)
for _name in _ORDER:
    setattr(Handle, f"__{_name}__", _refuse_binary)
for _name in (*_UNARY, *_CONVERSIONS, *_PROTOCOLS, *_CHECKS_OF_CLASSES):
    setattr(Handle, f"__{_name}__", _refuse)
