"""Values of the standard library that cross as themselves: how each is taken apart, and built again.

A value is recognised by its very type; what is built again is of that type and of no other. Nothing is
imported to take a value apart: where a module was never loaded, no value of it exists.
"""

from __future__ import annotations

import gc
import importlib
import operator
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any, NamedTuple

__all__ = ["CONTAINERS", "NAMES", "Form", "base_form", "build", "form_of", "name_of", "named"]


class Form(NamedTuple):
    """One type: how a value becomes plain data, and how that data becomes a value.

    Attributes:
        take: Returns plain data, or None for a value that cannot cross.
        make: Builds a value from the type and that data; may raise anything where the data is not what `take`
            gives.
        base: Whether an instance of a subclass may stand for its data of this type.
        nested: Whether lists and dicts in that data are made by `take`, and not the value's own.
        live: Whether that data is a dict which the value shows, and goes on showing as it changes.
        parts: Of which very types that data is, or each part of it where it is a list; any where empty. What
            could be iterated for ever, or asks a program, is no part.
        name: Module and name, such as "decimal.Decimal".
        kind: The type itself; None while it was not looked for.
    """

    take: Callable[[Any], Any]
    make: Callable[[Any, Any], Any]
    base: bool = False
    nested: bool = False
    live: bool = False
    parts: tuple[type, ...] = ()
    name: str = ""
    kind: Any = None


_MOST_FRACTION_BITS = 1 << 19
_EMPTY: dict[Any, Any] = {}
_KEYS, _VALUES, _ITEMS = type(_EMPTY.keys()), type(_EMPTY.values()), type(_EMPTY.items())
_FACTORIES: dict[str, Any] = {
    kind.__name__: kind for kind in (int, float, str, list, tuple, dict, set, bool, complex)
}


def _take_moment(value: Any) -> Any:
    return [value.hour, value.minute, value.second, value.microsecond, value.fold, value.tzinfo]


def _make_time(kind: Any, data: Any) -> Any:
    hour, minute, second, microsecond, fold, zone = data
    return kind(hour, minute, second, microsecond, zone, fold=fold)


def _make_datetime(kind: Any, data: Any) -> Any:
    year, month, day, hour, minute, second, microsecond, fold, zone = data
    return kind(year, month, day, hour, minute, second, microsecond, zone, fold=fold)


def _take_zone(value: Any) -> Any:
    offset, *name = value.__getinitargs__()
    return [offset, *name]


def _take_counted(value: Any) -> Any:
    factory = value.default_factory
    name = None if factory is None else getattr(factory, "__name__", "")
    if name is not None and _FACTORIES.get(name) is not factory:
        return None
    return [name, dict(dict.items(value))]


def _make_counted(kind: Any, data: Any) -> Any:
    name, content = data
    return kind(None if name is None else _FACTORIES[name], content)


def _make_fraction(kind: Any, data: Any) -> Any:
    above, below = data
    if above.bit_length() + below.bit_length() > _MOST_FRACTION_BITS:
        # it is reduced once more, in quadratic time
        raise ValueError(f"more than {_MOST_FRACTION_BITS} bits")
    return kind.__new__(kind, above, below)


def _take_shown(value: Any) -> Any:
    """Return the dict itself that a view shows: a copy would not follow its changes."""
    return next((each for each in gc.get_referents(value) if isinstance(each, dict)), None)


def _make_proxy(kind: Any, data: Any) -> Any:
    if not isinstance(data, dict):
        raise TypeError("it shows no dict")
    return kind(data)


def _plain_dict(value: Any) -> Any:
    return dict(dict.items(value))


def _take_ordered(value: Any) -> Any:
    # the order is its own: that of the dict in it does not follow
    return dict(sys.modules["collections"].OrderedDict.items(value))


_ALL: dict[str, Form] = {
    "builtins.range": Form(
        lambda value: [value.start, value.stop, value.step], lambda kind, data: kind(*data), parts=(int,)
    ),
    "builtins.slice": Form(
        lambda value: [value.start, value.stop, value.step], lambda kind, data: kind(*data)
    ),
    "builtins.ellipsis": Form(lambda value: 0, lambda kind, data: Ellipsis),
    "builtins.NotImplementedType": Form(lambda value: 0, lambda kind, data: NotImplemented),
    "builtins.memoryview": Form(
        # what can be written through is asked for item by item
        lambda value: value.tobytes() if value.readonly and value.format == "B" and value.ndim == 1 else None,
        lambda kind, data: kind(data),
        parts=(bytes,),
    ),
    "builtins.dict_keys": Form(_take_shown, lambda kind, data: dict.keys(data), live=True),
    "builtins.dict_values": Form(_take_shown, lambda kind, data: dict.values(data), live=True),
    "builtins.dict_items": Form(_take_shown, lambda kind, data: dict.items(data), live=True),
    "builtins.mappingproxy": Form(_take_shown, _make_proxy, live=True),
    "decimal.Decimal": Form(
        lambda value: sys.modules["decimal"].Decimal.__str__(value),
        lambda kind, data: kind.__new__(kind, data),
        base=True,
        parts=(str,),
    ),
    "fractions.Fraction": Form(
        lambda value: [value.numerator, value.denominator], _make_fraction, base=True, parts=(int,)
    ),
    "datetime.date": Form(
        lambda value: [value.year, value.month, value.day], lambda kind, data: kind(*data), parts=(int,)
    ),
    "datetime.time": Form(_take_moment, _make_time),
    "datetime.datetime": Form(
        lambda value: [value.year, value.month, value.day, *_take_moment(value)], _make_datetime
    ),
    "datetime.timedelta": Form(
        lambda value: [value.days, value.seconds, value.microseconds],
        lambda kind, data: kind(*data),
        parts=(int,),
    ),
    "datetime.timezone": Form(_take_zone, lambda kind, data: kind(*data)),
    "collections.deque": Form(
        lambda value: [list(_deque_items(value)), value.maxlen],
        lambda kind, data: kind(*data),
        base=True,
        nested=True,
        parts=(list, int, type(None)),
    ),
    "collections.OrderedDict": Form(_take_ordered, lambda kind, data: kind(data), base=True, parts=(dict,)),
    "collections.Counter": Form(_plain_dict, lambda kind, data: kind(data), base=True, parts=(dict,)),
    "collections.defaultdict": Form(
        _take_counted, _make_counted, base=True, nested=True, parts=(str, type(None), dict)
    ),
    "uuid.UUID": Form(lambda value: value.hex, lambda kind, data: kind(data), parts=(str,)),
    "array.array": Form(
        lambda value: [value.typecode, value.tolist()],
        lambda kind, data: kind(*data),
        nested=True,
        parts=(str, list),
    ),
    "re.Pattern": Form(
        lambda value: [value.pattern, int(value.flags)],
        lambda kind, data: _pattern(*data),
        parts=(str, bytes, int),
    ),
    **{
        f"pathlib.{name}": Form(str, lambda kind, data: kind(data), parts=(str,))
        for name in ("PurePosixPath", "PureWindowsPath", "PosixPath")
    },
}
_UNNAMED: dict[Any, str] = {
    _KEYS: "builtins.dict_keys",
    _VALUES: "builtins.dict_values",
    _ITEMS: "builtins.dict_items",
    type(Ellipsis): "builtins.ellipsis",
    type(NotImplemented): "builtins.NotImplementedType",
    type(type.__dict__): "builtins.mappingproxy",
}
_TYPES = {name: kind for kind, name in _UNNAMED.items()}

NAMES = frozenset(_ALL)
"""All that there are."""

CONTAINERS = frozenset(
    {"array.array", *(f"collections.{name}" for name in ("deque", "OrderedDict", "Counter", "defaultdict"))}
)
"""Those that can be changed in place."""

_LIBRARY = sys.stdlib_module_names | {"builtins"}
_BUILT_IN = frozenset(
    {list, tuple, dict, set, frozenset, bytearray, bytes, str, int, float, bool, type(None)}
)
_FORMS: dict[Any, Form] = {}
_NAMED: dict[str, Form] = {}


def form_of(kind: Any) -> Form | None:
    """Return how values of exactly this type cross; None for every other type."""
    known = _FORMS.get(kind)
    if known is not None or kind in _BUILT_IN:
        return known
    name = _UNNAMED.get(kind)
    if name is None:
        module, short = getattr(kind, "__module__", None), getattr(kind, "__qualname__", None)
        # what is pathlib's may live in a module of its package
        module = module.partition(".")[0] if type(module) is str else None
        name = f"{module}.{short}"
        if name not in _ALL or getattr(sys.modules.get(str(module)), str(short), None) is not kind:
            return None
    return _form(name, kind)


def base_form(kind: Any) -> Form | None:
    """Return how the first base of a type crosses that has a form; its own is none of them."""
    for base in kind.__mro__[1:]:
        form = form_of(base)
        if form is not None:
            return form if form.base else None
    return None


def build(name: Any, data: Any) -> Any:
    """Build the value that a form's data says; raises whatever its type raises, KeyError for no form."""
    form = _NAMED.get(name)
    if form is None:
        _ALL[name]
        module, _, short = name.rpartition(".")
        form = _form(name, _TYPES.get(name) or named(module, short))
    if form.parts:
        for part in data if type(data) is list else (data,):
            if type(part) not in form.parts:
                raise TypeError(f"{name} is not made of {type(part).__name__}")
    return form.make(form.kind, data)


def name_of(value: Any) -> list[str] | None:
    """Return by which names the standard library has a module, function or class; None for anything else."""
    if isinstance(value, ModuleType):
        return [value.__name__, ""] if value.__name__ in _LIBRARY else None
    owner = getattr(value, "__objclass__", value)
    module, path = getattr(owner, "__module__", None), getattr(value, "__qualname__", None)
    if type(path) is not str or type(module) is not str or module.partition(".")[0] not in _LIBRARY:
        return None
    found: Any = sys.modules.get(module)
    for part in path.split("."):
        found = getattr(found, part, None)
    return [module, path] if found is value else None


def named(module: str, path: str) -> Any:
    """Return what the standard library has by these names.

    Raises:
        ImportError, AttributeError: it has nothing there.
    """
    if module.partition(".")[0] not in _LIBRARY:
        raise ImportError(f"{module} is not of the standard library")
    found: Any = importlib.import_module(module)
    return operator.attrgetter(path)(found) if path else found


def _form(name: str, kind: Any) -> Form:
    form = _FORMS[kind] = _NAMED[name] = _ALL[name]._replace(name=name, kind=kind)
    return form


def _deque_items(value: Any) -> Any:
    # a subclass may have an iterator of its own
    base: Any = next(base for base in type(value).__mro__ if base.__module__ == "collections")
    return base.__iter__(value)


def _pattern(text: Any, flags: Any) -> Any:
    import re

    return re.compile(text, flags & ~re.LOCALE if isinstance(text, str) else flags)
