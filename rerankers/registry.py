"""Finds rerankers: an object, `file.py:name`, `package.module:name`, an installed name, or several of them.

Installed names come from the entry-point group `codesample.rerankers`, the built-in ones too. Listing them
imports none. `first,second` orders by the first and settles its ties by the second.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from codesample.errors import RerankerError, UnknownNameError
from codesample.rerankers.compose import then
from codesample.rerankers.contract import Reranker

__all__ = ["GROUP", "load_reranker", "reranker_names"]

GROUP = "codesample.rerankers"
_LIST_HINT = "List them: codesample list rerankers; one of your own: --reranker FILE.py:NAME"


def reranker_names() -> list[str]:
    """Return the installed names, sorted.

    Raises:
        RerankerError: two distributions claim one name.
    """
    return sorted(_installed())


def load_reranker(spec: Reranker | str) -> Reranker:
    """Return the reranker that `spec` names.

    Args:
        spec: A reranker; an installed name; `file.py:name`; `package.module:name`; or several of these
            separated by commas: the first decides, each further one settles the ties that are left.

    Raises:
        UnknownNameError: no installed reranker of that name; suggests a near one.
        RerankerError: the file, module or plug-in cannot be loaded, or holds no reranker of that name.
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
    if not colon:
        return _load_installed(parts[0])
    module = _module_from_file(Path(where)) if where.endswith(".py") else _module(where)
    return _reranker_in(module, name, where)


def _installed() -> dict[str, EntryPoint]:
    found: dict[str, EntryPoint] = {}
    for entry in entry_points(group=GROUP):
        other = found.setdefault(entry.name, entry)
        # an editable install can list one distribution twice, with equal values
        if other.value != entry.value:
            raise RerankerError(
                f"two installed rerankers are called {entry.name!r}: {other.value} and {entry.value}; "
                "uninstall one of their packages"
            )
    return found


def _load_installed(name: str) -> Reranker:
    installed = _installed()
    if name not in installed:
        raise UnknownNameError("reranker", name, sorted(installed), hint=_LIST_HINT)
    entry = installed[name]
    try:
        loaded = entry.load()
    except Exception as error:
        package = entry.dist.name if entry.dist else "an unknown package"
        raise RerankerError(
            f"reranker {name!r} ({entry.value}, installed by {package}) could not be loaded: {_said(error)}"
        ) from error
    return _accepted(loaded, f"{name!r} ({entry.value})")


def _module(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except Exception as error:
        raise RerankerError(f"module {name!r} could not be imported: {_said(error)}") from error


def _module_from_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise RerankerError(f"{path}: no such file; expected FILE.py:NAME, such as my_idea.py:score")
    name = f"_codesample_reranker_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # dataclasses and pickling look a class's module up by name
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise RerankerError(f"{path} could not be loaded: {_said(error)}") from error
    return module


def _reranker_in(module: ModuleType, name: str, where: str) -> Reranker:
    if not hasattr(module, name):
        there = [key for key, value in vars(module).items() if isinstance(value, Reranker)]
        raise UnknownNameError("reranker", name, there, hint=f"{where} defines: {', '.join(there) or 'none'}")
    return _accepted(getattr(module, name), f"{where}:{name}")


def _accepted(loaded: Any, label: str) -> Reranker:
    if not isinstance(loaded, Reranker):
        raise RerankerError(
            f"{label} is {type(loaded).__name__}, expected a reranker; decorate it with @codesample.reranker"
        )
    return loaded


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
