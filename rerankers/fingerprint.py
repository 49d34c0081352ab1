"""What tells one reranker from another of its name: its source, what it imports of its own, its parameters.

Two fingerprints are equal only where scores would be, as far as code and parameters settle them; where
something cannot be told from others for good, such as a loaded model in a closure, no two are.
"""

from __future__ import annotations

import functools
import hashlib
import inspect
import os
import sys
import types
import uuid
from collections.abc import Mapping
from enum import Enum
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

__all__ = ["fingerprint_of"]

_PLAIN = (type(None), bool, int, float, complex, str, bytes, type(...))
_DEEPEST = 12
_OF_EVERY_CLASS = frozenset(
    {"__dict__", "__weakref__", "__doc__", "__module__", "__firstlineno__", "__static_attributes__"}
)
_INSTALLED = {"site-packages", "dist-packages"}
_STANDARD = Path(types.__file__).parent


def fingerprint_of(*parts: Any) -> str:
    """Return a short text that is the same for the same parts: functions, rerankers, plain values."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(repr(_told(part, 0)).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()[:32]


def _told(value: Any, depth: int) -> Any:
    """Return something whose `repr` tells a value from others, in this and in other processes."""
    if depth > _DEEPEST:
        return _unlike_any()
    deeper = depth + 1
    if isinstance(value, Enum):
        return type(value).__qualname__, value.name
    if isinstance(value, _PLAIN):
        return type(value).__name__, value
    if isinstance(value, list | tuple):
        return type(value).__name__, [_told(each, deeper) for each in value]
    if isinstance(value, set | frozenset):
        return "set", sorted(repr(_told(each, deeper)) for each in value)
    if isinstance(value, dict):
        return "dict", [(_told(key, deeper), _told(item, deeper)) for key, item in value.items()]
    if isinstance(value, functools.partial):
        return "partial", [_told(each, deeper) for each in (value.func, value.args, value.keywords)]
    if isinstance(value, types.FunctionType):
        return _function(value, deeper)
    if isinstance(value, types.MethodType):
        return "method", _told(value.__func__, deeper), _told(value.__self__, deeper)
    if isinstance(value, types.BuiltinFunctionType):
        return "builtin", value.__module__, value.__qualname__
    if isinstance(value, types.ModuleType):
        return _module(value)
    if isinstance(value, type):
        return _type(value, deeper)
    return _object(value, deeper)


def _function(function: types.FunctionType, depth: int) -> Any:
    cells = [cell.cell_contents for cell in function.__closure__ or () if _filled(cell)]
    settings = [function.__defaults__, function.__kwdefaults__, cells]
    names = _names(function.__code__)
    used = {name: function.__globals__[name] for name in sorted(names & function.__globals__.keys())}
    file = _plain_file(function.__code__.co_filename)
    if file is None:
        # written into a notebook or at a prompt: nothing but what it uses tells what it is
        meant: Any = [_code(function.__code__), {name: _told(each, depth) for name, each in used.items()}]
    else:
        # numbers and texts that its module was given since it was read count too
        plain = {name: each for name, each in used.items() if isinstance(each, _PLAIN)}
        sources = _sources(function.__module__, file, function.__globals__, {})
        meant = [sorted(sources.items()), _told(plain, depth)]
    return "function", function.__qualname__, meant, [_told(each, depth) for each in settings]


def _object(value: Any, depth: int) -> Any:
    """Tell an object by its class and by what it holds, where that is all that it is."""
    kind = type(value)
    own = getattr(value, "fingerprint", None)
    if isinstance(own, str):
        return "object", kind.__qualname__, own
    if kind is object or not all(map(_is_written, kind.__mro__[:-1])):
        return _unlike_any()
    slots = [name for each in kind.__mro__ for name in _slots(each) if hasattr(value, name)]
    held = {**getattr(value, "__dict__", {}), **{name: getattr(value, name) for name in slots}}
    return "object", _told(kind, depth), _told(held, depth)


def _is_written(kind: type[Any]) -> bool:
    """Whether a class is written in Python, so that its objects are what they hold."""
    return kind.__module__ == "__main__" or _file(sys.modules.get(kind.__module__)) is not None


def _type(kind: type[Any], depth: int) -> Any:
    module = sys.modules.get(kind.__module__)
    if kind.__module__ != "__main__":
        told = kind.__module__ if module is None or _file(module) is None else _module(module)
        return "type", kind.__qualname__, told
    bases = [_told(each, depth) for each in kind.__bases__ if each is not object]
    members = {name: _member(each) for name, each in vars(kind).items() if name not in _OF_EVERY_CLASS}
    return "type", kind.__qualname__, bases, _told(members, depth)


def _member(value: Any) -> Any:
    """Return what a class statement was given, out of what it made of it."""
    if isinstance(value, staticmethod | classmethod):
        return value.__func__
    return [value.fget, value.fset, value.fdel] if isinstance(value, property) else value


def _slots(kind: type[Any]) -> tuple[str, ...]:
    slots = kind.__dict__.get("__slots__", ())
    return (slots,) if isinstance(slots, str) else tuple(slots)


def _filled(cell: types.CellType) -> bool:
    try:
        _ = cell.cell_contents
    except ValueError:
        return False
    return True


def _names(code: types.CodeType) -> set[str]:
    """Return the names of globals that code may use, with those of functions inside of it."""
    inner = [each for each in code.co_consts if isinstance(each, types.CodeType)]
    return set(code.co_names).union(*map(_names, inner)) if inner else set(code.co_names)


def _code(code: types.CodeType) -> Any:
    constants = [_code(each) if isinstance(each, types.CodeType) else repr(each) for each in code.co_consts]
    return code.co_code, code.co_names, code.co_varnames, code.co_freevars, constants


def _module(module: types.ModuleType) -> Any:
    """Tell a module by its source and by that of the modules of one's own that it uses.

    Of an installed distribution, its version and the module's own source stand for all of it.
    """
    file = _file(module)
    if file is None:
        return "module", module.__name__
    return "module", sorted(_sources(module.__name__, file, vars(module), {}).items())


def _sources(name: str, file: Path, names: Mapping[str, Any], found: dict[str, str]) -> dict[str, str]:
    """Add what tells a module, and those of one's own that its names lead to."""
    if name in found or (_STANDARD in file.parents and not _INSTALLED.intersection(file.parts)):
        return found
    found[name] = _digest(file)
    if _is_installed(name, file):
        found[f"{name} version"] = _version(name.partition(".")[0])
        return found
    for each in list(names.values()):
        other = each if isinstance(each, types.ModuleType) else sys.modules.get(_home(each))
        place = _file(other)
        if other is not None and place is not None and not _is_installed(other.__name__, place):
            _sources(other.__name__, place, vars(other), found)
    return found


def _home(value: Any) -> str:
    is_code = isinstance(value, types.FunctionType | type)
    return str(getattr(value, "__module__", "")) if is_code else ""


def _is_installed(name: str, file: Path) -> bool:
    ours = name.partition(".")[0] == __name__.partition(".")[0]
    return ours or bool(_INSTALLED.intersection(file.parts))


def _file(module: types.ModuleType | None) -> Path | None:
    try:
        found = None if module is None else inspect.getsourcefile(module)
    except TypeError:
        return None
    return None if found is None else _plain_file(found)


def _plain_file(name: str) -> Path | None:
    return Path(name) if os.path.isfile(name) else None


def _digest(file: Path) -> str:
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError:
        return _unlike_any()


@functools.cache
def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _unlike_any() -> str:
    return f"like no other: {uuid.uuid4().hex}"
