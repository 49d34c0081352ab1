"""One program's objects as tests in another process reach them: what is asked, and what comes back."""

from __future__ import annotations

import sys
import threading
from collections.abc import Collection, Iterator, Sequence
from types import ModuleType
from typing import Any, NamedTuple, NoReturn
from weakref import WeakValueDictionary

from codesample.execution.wire import codec
from codesample.execution.wire.library_values import name_of
from codesample.execution.wire.shared import SharedTable, changeable, containers_in, is_long_and_flat, is_nan
from codesample.execution.worker.exchange import Exchange
from codesample.execution.worker.raised import Raised, known_exception, marked, said
from codesample.execution.worker.readings import Reading, reading_of
from codesample.execution.worker.stand_ins import Handle, make
from codesample.records import Status

__all__ = ["PART_BYTES", "PROGRAM_MODULE", "SEED", "Part", "Remote"]

PROGRAM_MODULE = "program"
"""Name under which a program's module goes; not "__main__", so that script parts do not run."""

SEED = 0
"""Of `random`, in tests and programs alike."""

PART_BYTES = 1 << 16
"""Of a batch's results in one message, about, at most."""

_ELSEWHERE = "the tests compute with a value that is not plain data, and cannot be asked for now"
_KEEPS = "the program keeps or changes what its object is compared with"
_NONE_BOUND = b'{"t":[]}'
_MOST = sys.maxsize
_NO_REPLY = "the program sent something that is not a reply"


class Part(NamedTuple):
    """Replies of a batch that came in one message, and its size in bytes."""

    replies: list[list[Any]]
    size: int


class _Repeated(Exception):
    """A container occurs twice in one message."""


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
        """Whether the tests went by what only the program could know, so that they prove nothing."""
        self.told = False
        """Whether the program was told what the tests expect: what it says from then on proves nothing."""
        self.classes: dict[Any, Any] = {}
        """Classes of stand-ins; see `stand_ins.make`."""
        self.busy = False
        """Whether a message is under way, so that nothing can be asked."""
        self.ran_ahead = False
        """Whether the program may have gone further than in one process: see `stepping.next_item`."""
        self.ahead: Sequence[Any] = ()
        self.place, self.shifted = 0, False
        """How many operations were begun, and whether the last changed what both sides hold."""
        self.over = False
        """Whether the verdict is there: what is left of its stand-ins equals what they hold."""
        self._lock = threading.RLock()
        self._shared = SharedTable(-1, self._to_program)
        self._known: WeakValueDictionary[int, Handle] = WeakValueDictionary()
        self._counts: dict[int, int] = {}
        self._alive: dict[int, int] = {}
        self._released: list[int] = []
        self._streams = (sys.stdout, sys.stderr)
        self._capturing = False
        self._raised = Raised(lambda number, name: self.perform("attribute", _Numbered(number), name))
        self._decode = codec.decoder(
            {
                "h": self._handle,
                "e": self._raised.build,
                "o": self._shared.received,
                "k": self._kept,
            }
        )
        self._sent: list[Any] = []
        self._keeps = True
        self._names: dict[str, Any] = {}
        self._own: Collection[str] = ()
        self._read: dict[str, Any] = {}

    def load(self, source: str, names: Sequence[str] = (), *, bound: Sequence[str] = ()) -> dict[str, Any]:
        """Run the program; return what it defines of `names`, whatever can be called as a handle.

        Args:
            source: The program.
            names: What the tests take from it.
            bound: Names of the tests' own; see `watch_names`.

        Raises:
            ProgramStopped, Exception: as `perform`.
        """
        match self.perform("load", source, PROGRAM_MODULE, list(names), SEED, list(bound)):
            case [found, read] if type(found) is dict and type(read) is list:
                if not all(type(name) is str and name in bound for name in read):
                    self.stop_for_no_reply()
                self._read = dict.fromkeys(read)
            case _:
                self.stop_for_no_reply()
        self.calls = 0
        return {name: found[name] for name in names if name in found}

    def load_or_stop(self, source: str, names: Sequence[str], *, bound: Sequence[str] = ()) -> dict[str, Any]:
        """Run the program as `load` does; one that raises has come to its end.

        Raises:
            ProgramStopped: as `perform`, and where the program raised.
        """
        try:
            return self.load(source, names, bound=bound)
        except Exception as error:
            self.exchange.stop(Status.ERROR, said(error))

    def watch_names(self, names: dict[str, Any], own: Collection[str] = ()) -> None:
        """Give the program the values that its functions read of the tests' own names, as they change.

        Args:
            names: The tests' globals.
            own: Those of their names that the tests read as well. They may be what results are compared with:
                a program that has one was told.
        """
        self._names, self._own = names, own

    def perform(self, operation: str, *arguments: Any, stops: bool = False, keeps: bool = True) -> Any:
        """Carry out one operation in the program and return its result. Any thread may call this.

        Args:
            operation, arguments: See `child/operations.py`.
            stops: Whether StopIteration may be the answer; elsewhere it arrives as RuntimeError, for inside
                map() or next() of a test it would pass for the end of the data.
            keeps: Whether the program may keep and change the containers that it is handed.

        Raises:
            ProgramStopped: the program ended, hit a limit, or sent what cannot cross.
            Exception: what the program raised, as the nearest class that is known here.
        """
        with self._lock:
            if self.busy:
                self.exchange.stop(Status.UNSUPPORTED_VALUE, _ELSEWHERE)
            self.busy = True
            try:
                self.place += 1
                self.ran_ahead |= bool(self.ahead)
                self.ahead, self.shifted = (), False
                self._tell()
                self.met_opaque |= self.told
                request = self._encoded([operation, *arguments], keeps=keeps)
                self._sent, self._keeps = list(arguments[1:]), keeps
                parts = self._decoded(self.exchange.ask(request))
            finally:
                self.busy = False
                self._sent = []
        return self._result(parts, stops=stops)

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
        self.busy = True
        while count:
            body = self.exchange.receive()
            part = Part(self._decoded(body), len(body))
            if len(part.replies) > count or not all(type(reply) is list for reply in part.replies):
                self.stop_for_no_reply()
            count -= len(part.replies)
            yield part
        self.busy = False

    def _result(self, parts: list[Any], *, stops: bool) -> Any:
        self.calls += 1
        match parts:
            case ["with", None, core, changes, printed] if type(core) is list:
                try:
                    self._shared.apply(changes)
                except (codec.CodecError, RecursionError) as error:
                    self.exchange.stop(Status.CRASHED, str(error) or _NO_REPLY)
                self.shifted |= changes != []
                if printed != []:
                    self._print(printed)
                # told by a comparison, it may have made of what the tests hold what suits the next one
                self.met_opaque |= not self._keeps and not changes == printed == []
                parts = core
        reading = self.read(parts)
        if reading.status is Status.PASSED:
            return reading.value
        raised = reading.raised
        if raised is None:
            self.exchange.stop(reading.status, reading.detail)
        if isinstance(raised, (StopIteration, StopAsyncIteration)) and not stops:
            raised = RuntimeError(*raised.args)
            self.met_opaque = True
        raise raised

    def read(self, parts: list[Any]) -> Reading:
        """Say what a decoded reply reports, without acting on it; stops a program whose reply is none."""
        reading = reading_of(parts)
        if reading is None:
            self.stop_for_no_reply()
        return reading

    def stop_for_no_reply(self) -> NoReturn:
        """Stop a program that says what it may not."""
        self.exchange.stop(Status.CRASHED, _NO_REPLY)

    def raised_later(self, error: Exception) -> Exception:
        """Return an exception that came as a value, as one that the program raised."""
        return marked(error, said(error))

    def can_cross(self, value: Any) -> bool:
        """Whether the tests could hand a value to the program."""
        try:
            codec.encode(value, self._to_program, exact=True)
        except (codec.CodecError, RecursionError):
            return False
        return True

    def release(self, number: int) -> None:
        """Note that a stand-in for this number is gone; it is told with the next request."""
        self._released.append(number)

    def _tell(self) -> None:
        """Tell the program, before a request, what changed on this side since the last."""
        capture = (sys.stdout, sys.stderr) != self._streams
        released, self._released = self._released, []
        if not (released or len(self._shared) or capture or self._capturing or self._read):
            return
        try:
            changes = codec.dump(self._shared.changes())
            dropped = self._shared.unheld()
            bound = self._bindings()
        except (codec.CodecError, RecursionError) as error:
            self._refuse(error)
        self.shifted |= changes != b"[]"
        counts = []
        for number in released:
            left = self._alive[number] = self._alive.get(number, 1) - 1
            if left <= 0:
                counts.append([number, self._counts.pop(number, 0)])
                del self._alive[number]
        if counts or dropped or changes != b"[]" or capture or self._capturing or bound != _NONE_BOUND:
            parts = (changes, codec.encode(dropped), codec.encode(counts), codec.encode(capture), bound)
            self.exchange.send(b'["before",' + b",".join(parts) + b"]", answered=False)
        self._capturing = capture

    def _bindings(self) -> bytes:
        """Return the tests' names that the program's functions read, as far as their values are new.

        One that is bound no more comes without a value.
        """
        new: list[tuple[Any, ...]] = []
        for name, before in self._read.items():
            if name not in self._names:
                if before is not None:
                    self._read[name] = None
                    new.append((name,))
                continue
            if isinstance(self._names[name], ModuleType) and name_of(self._names[name]) is None:
                continue
            packed = codec.encode(self._names[name], self._to_program, exact=True)
            if packed != before:
                self.told |= name in self._own and name_of(self._names[name]) is None
                self._read[name] = packed
                new.append((name, self._names[name]))
        return codec.encode(tuple(new), self._to_program, exact=True, known=self._shared.define)

    def _encoded(self, request: list[Any], *, keeps: bool) -> bytes:
        met: set[int] = set()
        repeated: set[int] = set()

        def known(value: Any) -> Any:
            reference = self._shared.reference(value)
            if reference is not None or not keeps:
                return reference
            # a long one may be handed over again and again, and is looked through faster than it is written
            if id(value) in repeated or is_long_and_flat(value) or is_nan(value):
                return self._shared.define(value)
            if id(value) in met:
                repeated.add(id(value))
                raise _Repeated
            met.add(id(value))
            return None

        try:
            while True:
                try:
                    # in a tuple, for a list would count as one of the tests'
                    body = codec.encode(tuple(request), self._to_program, exact=True, known=known, depth=-1)
                    return codec.as_list(body)
                except _Repeated:
                    # once more, with what occurs twice as one thing
                    met.clear()
        except (codec.CodecError, RecursionError) as error:
            self._refuse(error)

    def _refuse(self, error: Exception) -> NoReturn:
        reason = str(error) or f"nested deeper than {codec.MAX_DEPTH}"
        self.exchange.stop(Status.UNSUPPORTED_VALUE, f"the tests hand over what cannot cross: {reason}")

    def _decoded(self, body: bytes) -> list[Any]:
        self.received += codec.footprint(body)
        try:
            parts = self._decode(body)
        except codec.CodecError as error:
            self.exchange.stop(Status.UNSUPPORTED_VALUE, str(error))
        if type(parts) is not list or not parts:
            self.stop_for_no_reply()
        return parts

    def _kept(self, numbers: Any) -> None:
        """Take the numbers of the containers that were handed over with the request, if it has any."""
        if numbers == []:
            return
        if not self._keeps:
            self.exchange.stop(Status.UNSUPPORTED_VALUE, _KEEPS)
        containers = containers_in(self._sent, self._shared.reference)[1:]
        self._shared.bind(numbers, containers)

    def _print(self, printed: Any) -> None:
        match printed:
            case [out, err] if self._capturing and type(out) is type(err) is str:
                sys.stdout.write(out)
                sys.stderr.write(err)
            case _:
                self.stop_for_no_reply()

    @staticmethod
    def _to_program(value: Any) -> Any:
        if isinstance(value, Handle):
            return {"h": value._codesample_id}
        if type(value) is _Numbered:
            return {"h": value.number}
        if isinstance(value, Exception):
            return known_exception(value, lambda item: codec.pack(item, Remote._to_program))
        name = name_of(value)
        if name is not None:
            return {"u": name}
        raise codec.CodecError(f"a {type(value).__name__} is not plain data")

    def _handle(self, content: Any) -> Handle:
        match content:
            case [number, kind, protocols, *rest] if len(rest) <= 1 and rest != [None]:
                data = rest[0] if rest else None
            case _:
                raise codec.CodecError("a malformed handle")
        if type(number) is not int or not 0 <= number < _MOST or not type(kind) is type(protocols) is str:
            raise codec.CodecError("a malformed handle")
        self.handles += 1
        self._counts[number] = self._counts.get(number, 0) + 1
        known = self._known.get(number)
        if known is not None:
            if data is not None and changeable(type(data)):
                self._shared.apply([[number, data]])
            return known
        handle = make(self, number, kind, protocols, data)
        self._alive[number] = self._alive.get(number, 0) + 1
        if data is None or changeable(type(data)):
            self._known[number] = handle
            if data is not None:
                self._shared.watch(number, handle)
        return handle


class _Numbered(NamedTuple):
    """An object of the program by its number alone."""

    number: int
