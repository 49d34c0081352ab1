"""Plain data as tagged JSON: all that ever crosses between a program and whoever judges it.

None, bool, int, float, str and list are JSON's own; a JSON object always has one key, the tag:

    t tuple · s set · f frozenset · d dict (list of pairs) · b bytes · a bytearray · c complex
    i integer too long for decimal JSON (hex) · n built-in type (name) · v [name, data] of `library_values.py`

Whoever speaks may agree on further tags, such as one for handles. Subclasses are reduced through the base
class's own methods, so an object that overrides equality, iteration or length arrives as the data it
holds or not at all. Decoding builds nothing but the types above and those of agreed tags, whatever the
bytes say.
"""

from __future__ import annotations

import builtins
import json
import operator
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

from codesample.execution.wire import library_values as values

__all__ = [
    "MAX_DEPTH",
    "MAX_ELEMENTS",
    "CodecError",
    "Decode",
    "as_list",
    "content",
    "decode",
    "decoder",
    "dump",
    "encode",
    "footprint",
    "nothing",
    "pack",
]

MAX_DEPTH = 100
MAX_ELEMENTS = 2_000_000
_ELEMENT_BYTES = 64
_MAX_INT_BITS = 1 << 25
_MOST_COLLIDING = 64
_DECIMAL_BITS = 8_192

_SCALARS = frozenset({type(None), bool, int, float, str})
_SIMPLE = frozenset({type(None), bool, float, str})
_INTEGERS = {int}
_MANY_ITEMS = 16
_TYPES: dict[str, Any] = {
    "NoneType": type(None),
    **{
        name: kind
        for name, kind in vars(builtins).items()
        # what ends an interpreter or makes classes is not to be had from a program
        if isinstance(kind, type)
        and kind is not type
        and not name.startswith("_")
        and (issubclass(kind, Exception) or not issubclass(kind, BaseException))
    },
}
_TYPE_NAMES = {kind: name for name, kind in _TYPES.items()}
# what it is given was made for it, and holds itself nowhere
_ENCODER = json.JSONEncoder(separators=(",", ":"), check_circular=False)


class CodecError(ValueError):
    """A value or a message lies outside what may cross."""


def nothing(value: object) -> Any:
    """Refuse a value that is not plain data; the default for both directions."""
    raise CodecError(f"{type(value).__name__} is not plain data")


class _Rules(NamedTuple):
    """What becomes of values of no built-in type, of those of a subclass, and of containers."""

    opaque: Callable[[Any], Any]
    exact: bool = False
    known: Callable[[Any], Any] | None = None


def encode(
    value: object,
    opaque: Callable[[Any], Any] = nothing,
    *,
    exact: bool = False,
    known: Callable[[Any], Any] | None = None,
    depth: int = 0,
) -> bytes:
    """Return `value` as ASCII JSON.

    Args:
        value: Anything.
        opaque: Called with each value that is not plain data; returns the JSON that stands for it.
        exact: Whether an instance of a subclass goes to `opaque` instead of being reduced to the data it
            holds.
        known: Called with each container that can be changed in place, outermost first, and with each
            number that is not equal to itself; returns the JSON that stands for it, or None to have its
            content written.
        depth: At which the value counts as nested; -1 for a tuple that only wraps it.

    Raises:
        CodecError: too deep, an integer beyond 2**25 bits, or refused by `opaque`.
    """
    try:
        return _ENCODER.encode(_pack(value, depth, _Rules(opaque, exact, known))).encode("ascii")
    except RecursionError:
        raise CodecError(f"nested deeper than {MAX_DEPTH}") from None


def as_list(encoded: bytes) -> bytes:
    """Return an encoded tuple as a list of the same items."""
    return encoded[len(b'{"t":') : -len(b"}")]


def dump(packed: Any) -> bytes:
    """Return ready JSON as the bytes of a message."""
    return _ENCODER.encode(packed).encode("ascii")


def pack(value: Any, opaque: Callable[[Any], Any]) -> Any:
    """Return the JSON of a value, for a part of a message; raises as `encode`, and RecursionError."""
    return _pack(value, 0, _Rules(opaque, exact=True))


def content(value: Any, opaque: Callable[[Any], Any], known: Callable[[Any], Any]) -> Any:
    """Return the JSON of what an instance of plain data or of a subclass holds, whatever it overrides.

    Raises:
        CodecError, RecursionError: as `encode`, for what it holds.
    """
    rules = _Rules(opaque, exact=True, known=known)
    form = values.form_of(type(value)) or values.base_form(type(value))
    packed = None if form is None else _pack_form(value, form, 0, rules)
    if packed is not None:
        return packed
    for base, pack in _BASES:
        if issubclass(type(value), base):
            return pack(value, 0, rules)
    raise CodecError(f"{type(value).__name__} holds no plain data")


def _pack(value: Any, depth: int, rules: _Rules) -> Any:
    kind = type(value)
    if kind in _SIMPLE:
        return value if value == value or rules.known is None else rules.known(value) or value
    if kind is int:
        return value if value.bit_length() <= _DECIMAL_BITS else _pack_int(value)
    if depth >= MAX_DEPTH:
        raise CodecError(f"nested deeper than {MAX_DEPTH}")
    if rules.known is not None and kind in _CHANGEABLE and (stands := rules.known(value)) is not None:
        return stands
    if kind is list:
        return _pack_all(value, depth, rules)
    if kind is tuple:
        return {"t": _pack_all(value, depth, rules)}
    if kind is type and value in _TYPE_NAMES:
        return {"n": _TYPE_NAMES[value]}
    pack = _EXACT.get(kind)
    if pack is not None:
        return pack(value, depth, rules)
    return _pack_other(value, kind, depth, rules)


def _pack_other(value: Any, kind: type, depth: int, rules: _Rules) -> Any:
    """Pack a value of no built-in container or number type."""
    form = values.form_of(kind)
    if form is not None:
        if rules.known is not None and form.name in values.CONTAINERS and form.take(value) is not None:
            stands = rules.known(value)
            if stands is not None:
                return stands
        packed = _pack_form(value, form, depth, rules)
        if packed is not None:
            return packed
    if not rules.exact:
        for base, pack in _BASES:
            if issubclass(kind, base):
                return pack(value, depth, rules)
        form = form or values.base_form(kind)
        if form is not None:
            packed = _pack_form(value, form, depth, rules)
            if packed is not None:
                return packed
    return rules.opaque(value)


def _pack_form(value: Any, form: values.Form, depth: int, rules: _Rules) -> Any:
    try:
        data = form.take(value)
    except Exception as error:
        raise CodecError(f"a {form.name} that cannot be read: {str(error)[:100]}") from None
    if data is None:
        return None
    if form.live:
        return {"v": [form.name, _pack_all([data], depth, rules)[0]]}
    if form.nested:
        packed: Any = [_pack_own(part, depth + 1, rules) for part in data]
    else:
        packed = _pack_own(data, depth, rules)
    return {"v": [form.name, packed]}


def _pack_own(data: Any, depth: int, rules: _Rules) -> Any:
    """Pack a list or dict that was made to be packed: only what it holds may be known to others."""
    if type(data) is list:
        return _pack_all(data, depth, rules)
    if type(data) is dict:
        return _pack_dict(data, depth, rules)
    return _pack(data, depth + 1, rules)


def _pack_all(items: Any, depth: int, rules: _Rules) -> list[Any]:
    # a copy, so that each item is held by one list more than before, whatever held it: see `child/server.py`
    copied: list[Any] = [*items]
    if len(copied) >= _MANY_ITEMS:
        kinds = set(map(type, copied))
        if kinds <= _SIMPLE:
            if rules.known is None or float not in kinds or all(map(operator.eq, copied, copied)):
                return copied
        elif kinds == _INTEGERS and max(map(int.bit_length, copied)) <= _DECIMAL_BITS:
            return copied
    return [_pack(item, depth + 1, rules) for item in copied]


def _pack_int(value: int) -> Any:
    bits = int.bit_length(value)
    if bits > _MAX_INT_BITS:
        raise CodecError(f"an integer of {bits} bits; at most {_MAX_INT_BITS} may cross")
    return {"i": int.__format__(value, "x")}


def _pack_whole(value: int, depth: int, rules: _Rules) -> Any:
    return _pack(int.__pos__(value), depth, rules)


def _pack_dict(value: dict[Any, Any], depth: int, rules: _Rules) -> Any:
    keys = _pack_all(dict.keys(value), depth + 1, rules)
    return {"d": [*map(list, zip(keys, _pack_all(dict.values(value), depth + 1, rules), strict=True))]}


# bool cannot be subclassed; str before bytes and so on does not matter, for no type has two such bases
_BASES: tuple[tuple[type, Callable[..., Any]], ...] = (
    (str, lambda v, d, r: str.__str__(v)),
    (int, _pack_whole),
    (float, lambda v, d, r: float.__pos__(v)),
    (list, lambda v, d, r: _pack_all(list.__iter__(v), d, r)),
    (tuple, lambda v, d, r: {"t": _pack_all(tuple.__iter__(v), d, r)}),
    (dict, _pack_dict),
    (set, lambda v, d, r: {"s": _pack_all(set.__iter__(v), d, r)}),
    (frozenset, lambda v, d, r: {"f": _pack_all(frozenset.__iter__(v), d, r)}),
    (bytes, lambda v, d, r: {"b": bytes.hex(v)}),
    (bytearray, lambda v, d, r: {"a": bytearray.hex(v)}),
    (complex, lambda v, d, r: {"c": [complex.__pos__(v).real, complex.__pos__(v).imag]}),
)
_EXACT: dict[type, Callable[..., Any]] = dict(_BASES)
_CHANGEABLE = frozenset({list, dict, set, bytearray})


def footprint(raw: bytes) -> int:
    """Estimate, on the high side, how many bytes of memory the decoded `raw` takes."""
    return len(raw) + _ELEMENT_BYTES * _elements(raw)


def _elements(raw: bytes) -> int:
    """Count what may separate or open elements: no fewer than there are, more where texts hold such marks."""
    return raw.count(b",") + raw.count(b"[") + raw.count(b"{")


def decode(
    raw: bytes, agreed: Mapping[str, Callable[[Any], Any]] | None = None, *, trusted: bool = False
) -> Any:
    """Return the value that `raw` encodes; see `decoder`.

    Args:
        raw: Bytes from anywhere, hostile ones too.
        agreed: See `decoder`.
        trusted: Whether the bytes come from our own side, which bounds them itself: tests, the
            arguments of calls, a worker's reply. Any number of elements is then right.

    Raises:
        CodecError: as `decoder`.
    """
    return decoder(agreed)(raw, trusted=trusted)


class Decode(Protocol):
    """Decodes one message after another."""

    def __call__(self, raw: bytes, *, trusted: bool = False) -> Any:
        """Return the value that `raw` encodes; see `decode`."""
        ...


def decoder(agreed: Mapping[str, Callable[[Any], Any]] | None = None) -> Decode:
    """Return a function that decodes messages: to make one takes as long as to use it.

    Args:
        agreed: Further tags, each with a function from its content to what stands for it.

    Raises:
        CodecError: a message is no JSON, has an unknown tag, a wrong content, is too deep or of too many
            elements.
    """
    tags = {**_UNPACK, **agreed} if agreed else _UNPACK

    def untag(pairs: list[tuple[str, Any]]) -> Any:
        if len(pairs) != 1:
            raise CodecError(f"an object with {len(pairs)} keys; expected one tag")
        tag, content = pairs[0]
        unpack = tags.get(tag)
        if unpack is None:
            raise CodecError(f"unknown tag {tag[:20]!r}")
        return unpack(content)

    # by itself it has one object for all that are no numbers, and an object counts in lists of them
    read = json.JSONDecoder(object_pairs_hook=untag, parse_constant=float).decode

    def decode_one(raw: bytes, *, trusted: bool = False) -> Any:
        if not trusted and _elements(raw) > MAX_ELEMENTS:
            raise CodecError(f"more than {MAX_ELEMENTS} elements")
        try:
            return read(raw.decode("utf-8", "surrogatepass"))
        except CodecError:
            raise
        except RecursionError:
            raise CodecError("nested too deep") from None
        except (ValueError, TypeError, KeyError) as error:
            raise CodecError(f"malformed message: {str(error)[:100]}") from None

    return decode_one


def _unpack_list(content: Any) -> list[Any]:
    if type(content) is not list:
        raise CodecError(f"a container of {type(content).__name__}; expected a list")
    return content


def _unpack_set(content: Any) -> set[Any]:
    return set(_spread(_unpack_list(content)))


def _unpack_dict(content: Any) -> dict[Any, Any]:
    pairs = [(key, value) for key, value in _unpack_list(content)]
    _spread([key for key, _ in pairs])
    return dict(pairs)


def _spread(keys: list[Any]) -> list[Any]:
    """Return keys as they are, unless they are chosen to collide: those would take quadratic time."""
    if len(keys) > _MOST_COLLIDING:
        counts: dict[int, int] = {}
        for key in keys:
            known = hash(key)
            counts[known] = counts.get(known, 0) + 1
        if max(counts.values()) > _MOST_COLLIDING:
            raise CodecError("keys of one hash, chosen to collide")
    return keys


def _unpack_int(content: Any) -> int:
    if type(content) is not str or len(content) > _MAX_INT_BITS // 4 + 2:
        raise CodecError("a long integer must be a short enough hex string")
    return int(content, 16)


def _unpack_complex(content: Any) -> complex:
    real, imag = _unpack_list(content)
    if type(real) is not float or type(imag) is not float:
        raise CodecError("a complex number must hold two floats")
    return complex(real, imag)


def _unpack_value(content: Any) -> Any:
    name, data = _unpack_list(content)
    try:
        return values.build(name, data)
    except RecursionError:
        raise
    except Exception as error:
        raise CodecError(f"no {str(name)[:40]}: {str(error)[:100]}") from None


_UNPACK: dict[str, Callable[[Any], Any]] = {
    "t": lambda content: tuple(_unpack_list(content)),
    "s": lambda content: _unpack_set(content),
    "f": lambda content: frozenset(_unpack_set(content)),
    "d": lambda content: _unpack_dict(content),
    "b": bytes.fromhex,
    "a": bytearray.fromhex,
    "c": _unpack_complex,
    "i": _unpack_int,
    "n": lambda content: _TYPES[content],
    "v": _unpack_value,
}
