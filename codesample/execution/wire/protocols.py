"""Which of Python's protocols an object takes part in, by name: what its stand-in must have as well."""

from __future__ import annotations

from typing import Any

__all__ = ["PROTOCOLS", "RAISABLE", "names_of"]

PROTOCOLS = (
    *("call", "len", "iter", "next", "reversed", "contains", "getitem", "setitem", "delitem", "missing"),
    *("eq", "ne", "lt", "le", "gt", "ge", "hash", "bool", "str", "repr", "format", "get", "enter", "exit"),
    *("instancecheck", "subclasscheck"),
    *("int", "float", "complex", "index", "round", "trunc", "floor", "ceil", "fspath"),
    *("abs", "neg", "pos", "invert", "await", "aiter", "anext"),
    *(
        f"{prefix}{name}"
        for name in (
            *("add", "sub", "mul", "matmul", "truediv", "floordiv", "mod", "divmod", "pow"),
            *("lshift", "rshift", "and", "or", "xor"),
        )
        for prefix in ("", "r", "i")
        if f"{prefix}{name}" != "idivmod"
    ),
)
"""Names of special methods without their underscores."""

RAISABLE = frozenset(
    {
        *("argparse", "asyncio.exceptions", "ast", "binascii", "calendar", "concurrent.futures._base"),
        *("configparser", "copy", "_csv", "dataclasses", "decimal", "email.errors", "enum", "fractions"),
        *("graphlib", "html.parser", "ipaddress", "json.decoder", "locale", "pickle", "_pickle", "queue"),
        *("_queue", "re", "sre_constants", "shlex", "sqlite3", "statistics", "string", "struct", "tokenize"),
        *("urllib.error", "uuid", "xml.parsers.expat", "xml.etree.ElementTree", "zlib", "zoneinfo._common"),
    }
)
"""Modules of the standard library whose exceptions cross as themselves, beside the built-in ones."""


_SPECIAL = tuple((name, f"__{name}__") for name in PROTOCOLS)


def names_of(kind: type, base: type) -> str:
    """Return what a class has and its base has not, or otherwise: protocols, and names of the base."""
    found, before = _members(kind), _members(base)
    own = [name for name, special in _SPECIAL if found.get(special) is not before.get(special)]
    if base is not object:
        own += [
            name for name in dir(base) if not name.startswith("_") and found.get(name) is not before.get(name)
        ]
    return " ".join(own)


def _members(kind: type) -> dict[str, Any]:
    """Return what instances of a class find in it and its bases."""
    found: dict[str, Any] = {}
    for each in reversed(kind.__mro__):
        found.update(vars(each))
    return found
