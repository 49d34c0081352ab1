"""Finds rerankers: an object, `file.py:name`, `package.module:name`, an installed name, or an expression.

Installed names come from the entry-point group `codesample.rerankers`, the built-in ones too. Listing them
imports none. What is made of several is described in `codesample.rerankers.expression`.
"""

from __future__ import annotations

import os
from pathlib import Path
from types import ModuleType
from typing import Any

from codesample.errors import CodesampleError, RerankerError, UnknownNameError
from codesample.plugins import PluginKind
from codesample.rerankers.compose import filtered, then, weighted, within
from codesample.rerankers.contract import Reranker
from codesample.rerankers.expression import (
    Chain,
    Expression,
    Filter,
    Named,
    TakesNone,
    Weighted,
    Within,
    parse,
)
from codesample.rerankers.fitted import load_fitted

__all__ = ["GROUP", "expect_own_name", "load_reranker", "reranker_names"]

GROUP = "codesample.rerankers"

_OVER_ONE = ("z", "rank")

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
        spec: A reranker; an installed name; `file.py:name`; `package.module:name`; a file that `codesample
            rerankers fit` wrote, `file.json`; one of these with
            parameters, `name(window=16)`; or an expression of several, such as "executable > mean_logprob",
            "public_examples | 0.7*z(mean_logprob) + 0.3*rank(codet)" (see
            `codesample.rerankers.expression`); `>` and `,` are the same.

    Raises:
        UnknownNameError: no installed reranker of that name; suggests a near one.
        RerankerError: the file, module or plug-in cannot be loaded, or holds no reranker of that name; or a
            file alone, whose rerankers are then named.
        ParameterError: no expression, with the place marked; the same reranker twice in a chain; or a
            parameter that the reranker does not take so.
    """
    if isinstance(spec, Reranker):
        return spec
    if not isinstance(spec, str):
        raise RerankerError(
            f"{spec!r} is not a reranker; decorate the function with @codesample.reranker, or give a name"
        )
    # a path may hold any sign of an expression
    where, _, name = spec.strip().rpartition(":")
    is_place = where.endswith(".py") and name.isidentifier() and os.path.isfile(where)
    is_file = spec.strip().endswith(".json") and os.path.isfile(spec.strip())
    try:
        return _made(Named(spec.strip()) if is_place or is_file else parse(spec))
    except TakesNone as error:
        if error.name in (known := reranker_names()) or ":" in error.name:
            raise
        hint = "z(...) and rank(...) alone take a reranker"
        raise UnknownNameError("reranker", error.name, [*_OVER_ONE, *known], hint=hint) from error


def expect_own_name(loaded: Reranker) -> None:
    """Refuse a reranker that is called as an installed one, whose scores it would pass its own off as.

    Raises:
        RerankerError: names both.
    """
    for part in loaded.parts:
        expect_own_name(part)
    name = loaded.plain_name
    if loaded.parts or (entry := _PLUGINS.installed().get(name)) is None:
        return
    try:
        is_itself = loaded.stands_for(_PLUGINS.load(name))
    except (CodesampleError, AttributeError):
        is_itself = False
    if not is_itself:
        raise RerankerError(
            f"reranker {name!r} of {loaded.place or 'this process'} is called as the installed one "
            f"({entry.value}), and their scores could not be told apart; rename it with @reranker(NAME)"
        )


def _made(tree: Expression) -> Reranker:
    match tree:
        case Named():
            found = _found(tree.name)
            return found.with_parameters(**dict(tree.parameters)) if tree.parameters else found
        case Within():
            return within(tree.kind, _made(tree.of))
        case Weighted():
            return weighted(*((weight, _made(term)) for weight, term in tree.terms))
        case Chain():
            return then(*map(_made, tree.parts))
        case Filter():
            return filtered(_made(tree.by), _made(tree.then))


def _found(name: str) -> Reranker:
    """Return a reranker by its name or place."""
    where, colon, inside = name.rpartition(":")
    if name.endswith(".json"):
        return load_fitted(Path(name), load_reranker)
    if not colon and name.endswith(".py"):
        there = _rerankers_in(_PLUGINS.module(name))
        named = ", ".join(f"{name}:{each}" for each in there) or "none; decorate one with @reranker"
        raise RerankerError(f"{name}: a file, of which one reranker is to be named; it defines: {named}")
    if not colon:
        loaded = _PLUGINS.load(name)
        return _accepted(loaded, f"{name!r} ({_PLUGINS.installed()[name].value})")
    return _reranker_in(_PLUGINS.module(where), inside, where)


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
