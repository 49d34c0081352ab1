"""The program's objects that were handed out: what stands for each in a message."""

from __future__ import annotations

import json
import sys
from typing import Any

from codesample.execution.child.exceptions import describe
from codesample.execution.wire import codec
from codesample.execution.wire import library_values as values
from codesample.execution.wire.protocols import names_of
from codesample.execution.wire.shared import SharedTable, changeable

__all__ = ["Callable", "Objects"]

_LIBRARY = sys.stdlib_module_names | {"builtins"}
_PROTOCOLS: dict[tuple[type, type], str] = {}
_BASES = (str, int, float, complex, tuple, frozenset, bytes, list, dict, set, bytearray)


class Callable:
    """Something callable that goes by handle even where it is plain data, as a built-in type is."""

    def __init__(self, itself: Any) -> None:
        self.itself = itself


class Objects:
    """Objects by number, and those that the other side has released again."""

    def __init__(self) -> None:
        """Begin with none."""
        self.shared = SharedTable(1, self.opaque)
        self._objects: dict[int, Any] = {}
        self._numbers: dict[int, int] = {}
        self._sent: dict[int, int] = {}

    def opaque(self, value: Any) -> Any:
        """Return the JSON that stands for a value which is no plain data."""
        plain = _scalar(value)
        if plain is not None:
            return plain
        if isinstance(value, Exception):
            return {"e": describe(value, self.opaque, self._number, lasting=True)}
        if type(value) is Callable:
            value = value.itself
        kind = type(value)
        data, base = self._data(value, kind)
        number = self._number(value)
        self._sent[number] = self._sent.get(number, 0) + 1
        protocols = _PROTOCOLS.get((kind, base))
        if protocols is None:
            protocols = _PROTOCOLS[kind, base] = names_of(kind, base)
        module = kind.__module__.partition(".")[0] if type(kind.__module__) is str else ""
        name = f"{kind.__module__}:{kind.__name__}" if module in _LIBRARY else kind.__name__
        parts = [number, name, protocols]
        if data is None:
            return {"h": parts}
        if changeable(base):
            self.shared.watch(number, value)
        return {"h": [*parts, data]}

    def raised(self, error: Exception) -> Any:
        """Return the JSON that stands for an exception which was raised."""
        return {"e": describe(error, self.opaque, self._number)}

    def numbered(self, content: Any) -> Any:
        """Return the object that the content of the tag "h" stands for."""
        return self._objects[content]

    def release(self, counts: list[list[int]]) -> None:
        """Forget objects that the other side holds no more, unless they were sent again meanwhile."""
        for number, count in counts:
            if self._sent.get(number, 0) == count:
                value = self._objects.pop(number, None)
                self._sent.pop(number, None)
                self._numbers.pop(id(value), None)
                self.shared.drop([number])

    def _number(self, value: Any) -> int:
        number = self._numbers.get(id(value))
        if number is None:
            number = self._numbers[id(value)] = self.shared.number()
            self._objects[number] = value
        return number

    def _data(self, value: Any, kind: type) -> tuple[Any, type]:
        """Return the data of an instance of a subclass of plain data, and the class of that data."""
        if isinstance(value, type):
            return None, object
        form = values.base_form(kind)
        base = (
            form.kind if form is not None else next((each for each in _BASES if issubclass(kind, each)), None)
        )
        if base is None:
            return None, object
        return codec.content(value, self.opaque, self.shared.define), base


def _scalar(value: Any) -> Any:
    """Return the JSON of a numpy scalar as of the number that it is; None for anything else."""
    numpy = sys.modules.get("numpy")
    if numpy is not None and isinstance(value, numpy.generic):
        plain = value.item()
        if type(plain) in (bool, int, float, complex, str, bytes):
            return json.loads(codec.encode(plain))
    return None
