"""Stand-ins for a program's objects, for tests that run in another process than the program.

A stand-in has the name of the object's class and the protocols that it takes part in, and asks the program
for what they give. What would let an object claim to be whatever the tests compare it with is not believed:
where the program says that its object equals another, the tests' outcome proves nothing, and that is noted
in `Remote.met_opaque`. That it does *not* equal another is believed, for any object can say so; but then the
program was told what the tests look for, and nothing it says from there on is: see `Remote.told`.

An instance of a subclass of plain data, such as a named tuple, is a stand-in that is that data as well.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Callable
from typing import Any

from codesample.execution.wire import codec
from codesample.execution.wire.protocols import PROTOCOLS
from codesample.execution.wire.shared import changeable
from codesample.execution.worker.stepping import all_at_once, next_item

__all__ = ["Handle", "described", "make"]

_STOPPING = frozenset({"send", "throw"})
_CHANGING = ("setitem", "delitem", "iadd", "imul", "isub", "ior", "iand", "ixor")
"""What changes a container: always asked of the program."""
_MAKING = ("add", "radd", "sub", "mul", "and", "or")
"""What makes another container of the same class, of those that do: likewise."""
_FUNCTIONS: dict[Any, Any] = {}
"""Classes of stand-ins for functions, which every program has; they are as they were made."""
_MOST_FUNCTIONS = 16
_PLAIN = (list, set, bytearray, dict)


class Handle:
    """A value that stays in the program, usable only by asking it.

    The same object of the program is the same handle for as long as the tests hold it.
    """

    __slots__ = ()

    # by comment, for tests may ask for the annotations of the program's object
    _codesample_remote = None  # type: Any
    _codesample_id = 0
    _codesample_items = None  # type: Any

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_codesample"):
            raise AttributeError(name)
        if name in _STOPPING and hasattr(type(self), "__next__"):
            return _asked_method(name, stops=True).__get__(self)
        return self._codesample_remote.perform("attribute", self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        self._codesample_remote.perform("set attribute", self, name, value)

    def __delattr__(self, name: str) -> None:
        self._codesample_remote.perform("delete attribute", self, name)

    def __reduce_ex__(self, protocol: Any) -> Any:
        self._codesample_remote.met_opaque = True
        raise TypeError(f"{described(self)} cannot be copied for the tests")

    def __del__(self) -> None:
        remote = self._codesample_remote
        if remote is not None:
            remote.release(self._codesample_id)


class _Opaque(Handle):
    __slots__ = ("__weakref__", "_codesample_id", "_codesample_items", "_codesample_remote")


def described(value: Any) -> str:
    """Describe a stand-in in a few words, without asking the program."""
    return f"<{type(value).__name__[:40]} in the program>"


def make(remote: Any, number: int, kind: str, protocols: str, data: Any = None) -> Handle:
    """Return a stand-in for the program's object `number`.

    Args:
        remote: Answers for the program.
        number: By which it is asked for.
        kind: Name of the object's class.
        protocols: See `protocols.names_of`.
        data: What plain data it holds, if it is an instance of a subclass of such.

    Raises:
        CodecError: it can be no such thing.
    """
    base = None if data is None else type(data)
    key = (kind, protocols, base)
    try:
        made = remote.classes.get(key) or _FUNCTIONS.get(key)
        if made is None:
            made = _class(kind, protocols.split(" "), base)
            common = kind == "builtins:function" and base is None and len(_FUNCTIONS) < _MOST_FUNCTIONS
            (_FUNCTIONS if common else remote.classes)[key] = made
        value: Handle = made.__new__(made) if base is None else _filled(made, base, data)
    except Exception as error:
        raise codec.CodecError(f"a malformed object: {str(error)[:80]}") from None
    put = object.__setattr__
    put(value, "_codesample_remote", remote)
    put(value, "_codesample_id", number)
    put(value, "_codesample_items", None)
    return value


def _filled(made: Any, base: Any, data: Any) -> Any:
    if base in _PLAIN:
        value = base.__new__(made)
        (base.extend if hasattr(base, "extend") else base.update)(value, data)
        return value
    if base.__name__ == "array":
        return base.__new__(made, data.typecode, data)
    if changeable(base):
        value = base.__new__(made)
        if base.__name__ == "deque":
            base.__init__(value, data, data.maxlen)
        elif base.__name__ == "defaultdict":
            base.__init__(value, data.default_factory, data)
        else:
            # an OrderedDict and a Counter would fill themselves by methods that a subclass has
            for key, item in base.items(data):
                base.__setitem__(value, key, item)
        return value
    if base.__name__ == "Fraction":
        value = object.__new__(made)
        # setting an attribute would ask the program
        object.__setattr__(value, "_numerator", data.numerator)
        object.__setattr__(value, "_denominator", data.denominator)
        return value
    return base.__new__(made, data)


def _class(kind: str, protocols: list[str], base: Any) -> Any:
    module, _, short = kind.rpartition(":")
    members: dict[str, Any] = {
        "__doc__": _asked_attribute("__doc__"),
        "__module__": _asked_attribute("__module__"),
    }
    if module and (found := _library_class(module, short)) is not None:
        members["__class__"] = property(lambda self: found)
    if base is None:
        members["__slots__"] = ()
    else:
        members["_codesample_base"] = base
    for name in protocols:
        if name in _MEMBERS:
            members[f"__{name}__"] = _MEMBERS[name]
        elif name and not name.startswith("_") and name not in PROTOCOLS:
            members[name] = _asked_attribute(name)
    if "next" in protocols:
        members["__length_hint__"] = all_at_once
    if "missing" in protocols:
        members["__getitem__"] = _MEMBERS["getitem"]
    if base is not None and changeable(base):
        for name in dir(base):
            if not name.startswith("_") and callable(getattr(base, name)):
                members[name] = _asked_method(name)
        for name in _CHANGING if base in _PLAIN else (*_CHANGING, *_MAKING):
            if hasattr(base, f"__{name}__"):
                members[f"__{name}__"] = _MEMBERS[name]
        if base.__name__ == "defaultdict":
            members["__getitem__"] = _MEMBERS["getitem"]
    if base is not None and "hash" not in protocols:
        members["__hash__"] = base.__hash__
    bases = (_Opaque,) if base is None else (Handle, base)
    return type(short[:80] or "_", bases, members)


def _library_class(module: str, name: str) -> Any:
    """Return a class of the standard library, for isinstance; one that is not here yet is not asked about."""
    found = getattr(sys.modules.get(module), name, None)
    if not isinstance(found, type):
        found = _UNNAMED.get(name) if module == "builtins" else None
    return found


_UNNAMED = {each.__name__: each for each in vars(types).values() if isinstance(each, type)}


def _asked_attribute(name: str) -> Any:
    return property(lambda self: self._codesample_remote.perform("attribute", self, name))


def _asked_method(name: str, *, stops: bool = False) -> Any:
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        given = (args, kwargs) if kwargs else (args,)
        return self._codesample_remote.perform("method", self, name, *given, stops=stops)

    return method


def _hash(self: Any) -> int:
    # the object's own would be the program's word for which others it equals
    self._codesample_remote.met_opaque |= not self._codesample_remote.busy
    return hash(self._codesample_id)


def _call(self: Any, *args: Any, **kwargs: Any) -> Any:
    remote = self._codesample_remote
    return remote.perform("call", self, args, kwargs) if kwargs else remote.perform("call", self, args)


def _length(self: Any) -> int:
    length = self._codesample_remote.perform("length", self)
    if type(length) is not int or length < 0:
        raise TypeError("the program's object has no length")
    return length


def _iterate(self: Any) -> Any:
    found = self._codesample_remote.perform("iterate", self)
    return found if isinstance(found, Handle) else iter(found)


def _contains(self: Any, item: object) -> bool:
    remote = self._codesample_remote
    found = remote.perform("operate", "contains", self, item, keeps=False)
    remote.told |= _tells(item)
    if found is not False:
        # it could claim to hold anything
        remote.met_opaque = True
    return found is True


def _tells(other: Any) -> bool:
    """Whether a program that is asked about this learns what it could not have guessed."""
    return not (other is None or isinstance(other, (bool, Handle)))


def _judged(name: str, *, trusted: Any) -> Callable[[Any, Any], Any]:
    def compare(self: Any, other: Any) -> Any:
        remote = self._codesample_remote
        if self is other and name == "eq":
            return True
        if remote.busy or remote.over or not remote.can_cross(other):
            remote.met_opaque = True
            return NotImplemented
        # first, for what it holds may be what it is compared with as soon as it is told that
        by_data = _by_data(self, name, (other,))
        found = remote.perform("operate", name, self, other, keeps=False)
        if found is not trusted and found is not by_data:
            remote.met_opaque = True
        known = name in ("eq", "ne") and found is by_data is not NotImplemented and found is not trusted
        remote.told |= _tells(other) and not known
        return found

    return compare


def _checked(self: Any, other: object) -> bool:
    # which objects are of a class of the program's is its own word
    self._codesample_remote.met_opaque = True
    return False


def _truth(self: Any) -> bool:
    return self._codesample_remote.perform("operate", "bool", self) is True


def _operator(name: str) -> Callable[..., Any]:
    reflected, in_place = (name[0] == mark and name[1:] in _BINARY for mark in "ri")
    operation = name[1:] if reflected else name
    binary = reflected or in_place or name in _BINARY
    compares = (name[1:] if reflected or in_place else name) in _COMPARING

    def operate(self: Any, *others: Any) -> Any:
        remote = self._codesample_remote
        operands = (*others[:1], self, *others[1:]) if reflected else (self, *others)
        if not binary or isinstance(others[0], Handle):
            return remote.perform("operate", operation, *operands)
        # it is told what it is computed with, and may choose what suits that
        changes_it = in_place and changeable(getattr(type(self), "_codesample_base", object))
        by_data = _by_data(self, name, others)
        found = remote.perform("operate", operation, *operands, keeps=changes_it)
        if not _same(by_data, found):
            remote.met_opaque = True
        remote.told |= compares and _tells(others[0]) and not changes_it
        return found

    return operate


def _by_data(self: Any, name: str, others: tuple[Any, ...]) -> Any:
    """Return what an operator gives for the data that a stand-in is; NotImplemented where it is none."""
    base: Any = getattr(type(self), "_codesample_base", None)
    in_place = name[0] == "i" and name[1:] in _BINARY
    operator = None
    if in_place and not hasattr(base, f"__{name}__"):
        operator = getattr(base, f"__{name[1:]}__", None)
    elif base is not None:
        operator = getattr(base, f"__{name}__", None)
    if operator is None:
        return NotImplemented
    try:
        return operator(_filled(base, base, self) if in_place and changeable(base) else self, *others)
    except Exception:
        # the program's own may do better
        return NotImplemented


def _same(plain: Any, found: Any) -> bool:
    """Whether plain data are what a program's operator gave, compared as data."""
    base: Any = getattr(type(found), "_codesample_base", type(found))
    kind: Any = type(plain)
    return kind is base and kind.__eq__(plain, found) is True


def _of_type(name: str, kind: type) -> Callable[..., Any]:
    def convert(self: Any, *others: Any) -> Any:
        found = self._codesample_remote.perform("operate", name, self, *others)
        if not isinstance(found, kind) or isinstance(found, Handle):
            raise TypeError(f"__{name}__ returned no {kind.__name__}")
        return found

    return convert


def _enter(self: Any) -> Any:
    return self._codesample_remote.perform("method", self, "__enter__")


def _exit(self: Any, *why: Any) -> Any:
    return self._codesample_remote.perform("method", self, "__exit__", why)


def _set_item(self: Any, key: Any, value: Any) -> None:
    self._codesample_remote.perform("set item", self, key, value)


def _delete_item(self: Any, key: Any) -> None:
    self._codesample_remote.perform("delete item", self, key)


_BINARY = (
    *("add", "sub", "mul", "matmul", "truediv", "floordiv", "mod", "divmod", "pow"),
    *("lshift", "rshift", "and", "or", "xor"),
)
_COMPARING = frozenset({"sub", "truediv", "xor"})
"""Operators by which tests compare what they have with what they expect."""
_MEMBERS: dict[str, Any] = {
    "call": _call,
    "len": _length,
    "iter": _iterate,
    "next": next_item,
    "contains": _contains,
    "getitem": lambda self, key: self._codesample_remote.perform("item", self, key),
    "setitem": _set_item,
    "delitem": _delete_item,
    "bool": _truth,
    "hash": _hash,
    "instancecheck": _checked,
    "subclasscheck": _checked,
    "enter": _enter,
    "exit": _exit,
    **{name: _judged(name, trusted=False) for name in ("eq", "lt", "le", "gt", "ge")},
    "ne": _judged("ne", trusted=True),
    **{name: _of_type(name, str) for name in ("str", "repr", "format")},
    **{name: _of_type(name, int) for name in ("int", "index")},
    "float": _of_type("float", float),
    "complex": _of_type("complex", complex),
    **{
        name: _operator(name)
        for name in ("round", "trunc", "floor", "ceil", "abs", "neg", "pos", "invert", "reversed")
    },
    **{name: _operator(name) for name in _BINARY},
    **{f"r{name}": _operator(f"r{name}") for name in _BINARY},
    **{f"i{name}": _operator(f"i{name}") for name in _BINARY if name != "divmod"},
}
