"""Containers that tests and program both hold: one object to each side, kept equal by what crosses.

A list that is passed by value to the other side would be two lists. Most are never looked at again, and
stay by value. What both sides keep is shared: each side numbers it, and with each message sends the
contents of those that changed since the last one. For a program that sorts in place:

    worker -> child   ["call",{"h":1},{"t":[[3,1,2]]},...]                  a list by value
    child -> worker   ["value",{"k":[7]},null,[[7,[1,2,3]]],null]           it is number 7, and was changed
    worker -> child   ["call",{"h":1},{"t":[{"o":[7]}]},...]                the same list again
"""

from __future__ import annotations

import marshal
import sys
from collections.abc import Callable, Iterable
from typing import Any

from codesample.execution.wire import codec
from codesample.execution.wire import library_values as values

__all__ = ["SharedTable", "changeable", "containers_in", "is_long_and_flat", "is_nan"]

_MARSHAL = 2
"""A version that writes equal data alike, however often an object occurs in it."""

_PLAIN = (list, dict, set, bytearray)
_MANY = _MOST = sys.maxsize


def changeable(kind: type) -> bool:
    """Whether values of exactly this type are containers that can be changed in place, and can cross."""
    if kind in _PLAIN:
        return True
    form = values.form_of(kind)
    return form is not None and form.name in values.CONTAINERS


def is_nan(value: Any) -> bool:
    """Whether a value is the float that is not equal to itself."""
    return type(value) is float and value != value


def containers_in(
    value: Any, known: Callable[[Any], Any] = lambda value: None, most: int = _MANY
) -> list[Any]:
    """List the containers in plain data that can be changed, outermost first, as a message holds them.

    Args:
        value: Plain data.
        known: Containers for which it returns anything but None are left out, with all that they hold.
        most: How many there can be; nothing is searched once they are found.
    """
    found: list[Any] = []
    pending = [iter((value,))]
    while pending and len(found) < most:
        for item in pending[-1]:
            kind = type(item)
            if kind in _SCALAR:
                continue
            if changeable(kind):
                if known(item) is not None:
                    continue
                found.append(item)
            inner = _inner(item, kind)
            if inner is not None:
                pending.append(inner)
                break
        else:
            pending.pop()
    return found


def is_long_and_flat(value: Any) -> bool:
    """Whether a list, dict or set has very many items, and no containers among them."""
    if type(value) not in _PLAIN or len(value) < _LONG or type(value) is bytearray:
        return False
    inner = value.values() if type(value) is dict else ()
    return _SCALAR.issuperset(map(type, value)) and _SCALAR.issuperset(map(type, inner))


_LONG = 10_000
_SCALAR = frozenset({int, float, str, bool, type(None), bytes, complex})


def _inner(item: Any, kind: type) -> Any:
    """Iterate over what a container of plain data holds, in the order in which it is written."""
    if kind is list or kind is tuple:
        return iter(item)
    if kind is dict:
        return _inner_of_pairs(item)
    form = values.form_of(kind)
    if form is None or form.name in _WITHOUT_ITEMS:
        return None
    if kind is slice:
        return iter((item.start, item.stop, item.step))
    if form.live:
        return iter((form.take(item),))
    if form.name in _OF_PAIRS:
        return _inner_of_pairs(item)
    return iter(item)


def _inner_of_pairs(item: Any) -> Any:
    # keys first, as they are written
    return iter((*item, *item.values()))


_OF_PAIRS = frozenset(
    {
        "collections.OrderedDict",
        "collections.Counter",
        "collections.defaultdict",
    }
)
_WITHOUT_ITEMS = frozenset(
    {
        "builtins.range",
        "builtins.memoryview",
        "builtins.ellipsis",
        "builtins.NotImplementedType",
        "array.array",
    }
    | {name for name in values.NAMES if not name.startswith(("builtins.", "collections."))}
)


class SharedTable:
    """One side's numbers for shared containers."""

    def __init__(self, step: int, opaque: Callable[[Any], Any]) -> None:
        """Begin with none.

        Args:
            step: 1 or -1, another for each side, so that both can give numbers.
            opaque: What stands in a message for values that are no plain data; see `codec.encode`.
        """
        self._step = step
        self._next = 0
        self._opaque = opaque
        self._objects: dict[int, Any] = {}
        self._numbers: dict[int, int] = {}
        self._states: dict[int, Any] = {}

    def __len__(self) -> int:
        return len(self._objects)

    def number(self) -> int:
        """Return a number that this side has not given yet."""
        self._next += self._step
        return self._next

    def reference(self, value: Any) -> Any:
        """Return what stands for a container that is shared already, else None."""
        number = self._numbers.get(id(value))
        return None if number is None else {"o": [number]}

    def define(self, value: Any) -> Any:
        """Share a container, with all containers that it holds; return what stands for it in a message.

        A number that is not equal to itself is shared likewise, for containers find it by its identity.

        Raises:
            CodecError, RecursionError: it holds itself, or what cannot cross.
        """
        known = self.reference(value)
        if known is not None:
            return known
        number = self.number()
        # known only afterwards: one that holds itself cannot be written
        body = codec.content(value, self._opaque, self.define)
        self._keep(number, value)
        return {"o": [number, body]}

    def share(self, containers: Iterable[Any]) -> list[int]:
        """Share containers that the other side has by value; return their numbers."""
        numbers = []
        for value in containers:
            known = self._numbers.get(id(value))
            if known is None:
                known = self.number()
                self._enter(known, value)
            numbers.append(known)
        return numbers

    def settle(self, numbers: Iterable[int]) -> None:
        """Take the state of those as what both sides know."""
        for number in numbers:
            self._states[number] = self._state(self._objects[number])

    def received(self, content: Any) -> Any:
        """Return the container that the content of the tag "o" stands for.

        Raises:
            CodecError: it is no such content.
        """
        match content:
            case [int(number)]:
                if number in self._objects:
                    return self._objects[number]
            case [number, value] if (changeable(type(value)) or is_nan(value)) and self._is_new(
                number, value
            ):
                self._keep(number, value)
                return value
        raise codec.CodecError("a malformed reference")

    def bind(self, numbers: Any, containers: list[Any]) -> None:
        """Take the numbers that the other side gave to containers which it has by value.

        Raises:
            CodecError: other numbers than that.
        """
        if type(numbers) is not list or len(numbers) != len(containers):
            raise codec.CodecError("malformed numbers of arguments")
        for number, value in zip(numbers, containers, strict=True):
            if not self._is_new(number, value):
                raise codec.CodecError("malformed numbers of arguments")
            self._keep(number, value)

    def changes(self) -> list[Any]:
        """Return the JSON of numbers with contents, of all that changed since the last message.

        Raises:
            CodecError, RecursionError: a container holds what cannot cross.
        """
        changed = []
        for number, value in list(self._objects.items()):
            state = self._state(value)
            if state != self._states.get(number):
                changed.append([number, codec.content(value, self._opaque, self.define)])
                self._states[number] = self._state(value)
        return changed

    def apply(self, changes: Any) -> None:
        """Give shared containers the contents that the other side sent.

        Raises:
            CodecError: it sent something else.
        """
        if type(changes) is not list:
            raise codec.CodecError("malformed changes")
        for change in changes:
            match change:
                case [int(number), content] if number in self._objects:
                    _replace(self._objects[number], content)
                case _:
                    raise codec.CodecError("malformed changes")
        for change in changes:
            self._states[change[0]] = self._state(self._objects[change[0]])

    def watch(self, number: int, value: Any) -> None:
        """Keep the contents of an object equal that goes by another tag than "o", under its number there."""
        self._keep(number, value)

    def unheld(self) -> list[int]:
        """Forget containers that nothing else holds here, and return their numbers."""
        gone: list[int] = []
        while found := [number for number, count in _counts(self._objects) if count <= _HELD_ONCE]:
            self.drop(found)
            gone += found
        return gone

    def drop(self, numbers: Iterable[int]) -> None:
        """Forget these containers, as far as they are known."""
        for number in numbers:
            value = self._objects.pop(number, None)
            self._states.pop(number, None)
            if value is not None:
                self._numbers.pop(id(value), None)

    def _is_new(self, number: Any, value: Any) -> bool:
        """Whether the other side may give this number to this container."""
        return (
            type(number) is int
            and 0 < -self._step * number < _MOST
            and number not in self._objects
            and id(value) not in self._numbers
        )

    def _keep(self, number: int, value: Any) -> None:
        self._enter(number, value)
        self._states[number] = self._state(value)

    def _enter(self, number: int, value: Any) -> None:
        self._objects[number] = value
        self._numbers[id(value)] = number

    def _state(self, value: Any) -> Any:
        try:
            return marshal.dumps(value, _MARSHAL)
        except ValueError:
            return codec.content(value, self._opaque, self._peek)

    def _peek(self, value: Any) -> Any:
        """Stand for a container inside another whose state is taken."""
        return self.reference(value) or {"o": [0, id(value)]}


def _counts(objects: dict[int, Any]) -> list[tuple[int, int]]:
    """Return keys with how many references their values have, those of this function included."""
    return [(number, sys.getrefcount(value)) for number, value in objects.items()]


_HELD_ONCE = _counts({0: []})[0][1]


def _replace(value: Any, content: Any) -> None:
    """Put what one container holds into another, without any method of a subclass."""
    if not changeable(type(content)):
        raise codec.CodecError("malformed changes")
    if isinstance(value, list) and isinstance(content, list):
        list.__setitem__(value, slice(None), content)
    elif isinstance(value, dict) and isinstance(content, dict):
        # an OrderedDict keeps an order of its own
        base: Any = next(
            kind for kind in type(value).__mro__ if kind is dict or kind.__name__ == "OrderedDict"
        )
        base.clear(value)
        for key, item in content.items():
            base.__setitem__(value, key, item)
    elif isinstance(value, set) and isinstance(content, set):
        set.clear(value)
        set.update(value, content)
    elif isinstance(value, bytearray) and isinstance(content, bytearray):
        bytearray.__setitem__(value, slice(None), content)
    elif _is_array(value):
        if not _is_array(content) or content.typecode != value.typecode:
            raise codec.CodecError("malformed changes")
        value[:] = content
    else:
        base = _deque(value)
        if base is None or _deque(content) is not base:
            raise codec.CodecError("malformed changes")
        base.clear(value)
        base.extend(value, content)


def _is_array(value: Any) -> bool:
    form = values.form_of(type(value))
    return form is not None and form.name == "array.array"


def _deque(value: Any) -> Any:
    """Return the class deque where a value is one."""
    form = values.form_of(type(value)) or values.base_form(type(value))
    return form.kind if form is not None and form.name == "collections.deque" else None
