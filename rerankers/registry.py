"""Finds rerankers: an object, `file.py:name`, `package.module:name`, an installed name, or several of them.

Installed names come from the entry-point group `codesample.rerankers`, the built-in ones too. Listing them
imports none. `first,second` orders by the first and settles its ties by the second.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

from codesample.errors import RerankerError, UnknownNameError
from codesample.plugins import PluginKind
from codesample.rerankers.compose import then
from codesample.rerankers.contract import Reranker

__all__ = ["GROUP", "load_reranker", "reranker_names"]

GROUP = "codesample.rerankers"

_PLUGINS = PluginKind(
    kind="reranker",
    group=GROUP,
    error=RerankerError,
    hint="List them: codesample list rerankers; one of your own: --reranker FILE.py:NAME",
)


def reranker_names() -> list[str]:
    """Return the installed names, sorted.

    Raises:
        RerankerError: two distributions claim one name.
    """
    return _PLUGINS.names()


def load_reranker(spec: Reranker | str) -> Reranker:
    """Return the reranker that `spec` names.

    Args:
        spec: A reranker; an installed name; `file.py:name`; `package.module:name`; or several of these
            separated by commas: the first decides, each further one settles the ties that are left.

    Raises:
        UnknownNameError: no installed reranker of that name; suggests a near one.
        RerankerError: the file, module or plug-in cannot be loaded, or holds no reranker of that name; or a
            file alone, whose rerankers are then named.
        ParameterError: a list with the same reranker twice.
    """
    if isinstance(spec, Reranker):
        return spec
    if not isinstance(spec, str):
        raise RerankerError(
            f"{spec!r} is not a reranker; decorate the function with @codesample.reranker, or give a name"
        )
    parts = [part.strip() for part in spec.split(",")]
    if len(parts) > 1:
        return then(*(load_reranker(part) for part in parts))
    where, colon, name = parts[0].rpartition(":")
    if not colon and parts[0].endswith(".py"):
        there = _rerankers_in(_PLUGINS.module(parts[0]))
        named = ", ".join(f"{parts[0]}:{each}" for each in there) or "none; decorate one with @reranker"
        raise RerankerError(f"{parts[0]}: a file, of which one reranker is to be named; it defines: {named}")
    if not colon:
        loaded = _PLUGINS.load(parts[0])
        return _accepted(loaded, f"{parts[0]!r} ({_PLUGINS.installed()[parts[0]].value})")
    return _reranker_in(_PLUGINS.module(where), name, where)


def _reranker_in(module: ModuleType, name: str, where: str) -> Reranker:
    if not hasattr(module, name):
        there = _rerankers_in(module)
        raise UnknownNameError("reranker", name, there, hint=f"{where} defines: {', '.join(there) or 'none'}")
    return _accepted(getattr(module, name), f"{where}:{name}")


def _rerankers_in(module: ModuleType) -> list[str]:
    return [key for key, value in vars(module).items() if isinstance(value, Reranker)]


def _accepted(loaded: Any, label: str) -> Reranker:
    if not isinstance(loaded, Reranker):
        raise RerankerError(
            f"{label} is {type(loaded).__name__}, expected a reranker; decorate it with @codesample.reranker"
        )
    return loaded
