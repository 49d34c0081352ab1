"""Versions of installed distributions, told without importing them."""

from __future__ import annotations

import platform
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version

__all__ = ["versions_of"]


def versions_of(names: Iterable[str]) -> dict[str, str | None]:
    """Return the version of Python and of each distribution; None where one is missing."""
    found: dict[str, str | None] = {"python": platform.python_version()}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    return found
