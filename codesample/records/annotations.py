"""Annotations as types, resolved when first needed, without importing what only a type checker imports."""

from __future__ import annotations

import ast
import builtins
import functools
import inspect
import sys
from collections.abc import Callable
from typing import Any, ForwardRef

__all__ = ["Elsewhere", "field_hints", "hints_of_call", "resolved"]


class Elsewhere:
    """Stands for a type that a module imports for type checkers alone; a subclass names one.

    Attributes:
        module, name: Where the type lives; "" for a name that nothing imports.
    """

    module: str = ""
    name: str = ""

    def __class_getitem__(cls, item: Any) -> type[Elsewhere]:
        return cls

    @classmethod
    def loaded(cls) -> Any:
        """Return the type; None where its module is not loaded, so that nothing can be of it."""
        return getattr(sys.modules.get(cls.module), cls.name, None)


class _Names(dict[str, Any]):
    """What names mean in a module, for `eval`: nothing where the module itself says what."""

    def __init__(self, module: dict[str, Any]) -> None:
        super().__init__()
        self._module = module

    def __missing__(self, name: str) -> Any:
        if name in self._module or hasattr(builtins, name):
            raise KeyError(name)
        home = _imports_for_typing(self._module.get("__name__", "")).get(name, ("", name))
        self[name] = type(name, (Elsewhere,), dict(zip(("module", "name"), home, strict=True)))
        return self[name]


def resolved(hint: Any, module: dict[str, Any]) -> Any:
    """Return the type that an annotation says, Any where it cannot be read.

    Args:
        module: Names of the module in which it was written.
    """
    if isinstance(hint, ForwardRef):
        hint = hint.__forward_arg__
    if not isinstance(hint, str):
        return hint
    try:
        return eval(hint, module, _Names(module))
    except Exception:
        return Any


def hints_of_call(function: Callable[..., Any]) -> dict[str, Any]:
    """Return the types of a function's arguments, by name."""
    written = inspect.unwrap(function)
    names = getattr(written, "__globals__", {})
    hints = getattr(written, "__annotations__", {})
    return {name: resolved(hint, names) for name, hint in hints.items() if name != "return"}


def field_hints(record: type[Any]) -> dict[str, Any]:
    """Return the types of a record's fields, by name; each is read where its class was written."""
    found: dict[str, Any] = {}
    for base in reversed(record.__mro__):
        names = vars(sys.modules[base.__module__]) if base.__module__ in sys.modules else {}
        hints = vars(base).get("__annotations__", {})
        found |= {name: resolved(hint, names) for name, hint in hints.items()}
    return found


@functools.cache
def _imports_for_typing(module: str) -> dict[str, tuple[str, str]]:
    """Return where each name is from that a module imports for type checkers alone, and what it is there."""
    try:
        tree = ast.parse(inspect.getsource(sys.modules[module]))
    except (KeyError, OSError, TypeError, SyntaxError):
        return {}
    return {
        alias.asname or alias.name: (each.module, alias.name)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and ast.unparse(block.test).endswith("TYPE_CHECKING")
        for each in block.body
        if isinstance(each, ast.ImportFrom) and each.module
        for alias in each.names
    }
