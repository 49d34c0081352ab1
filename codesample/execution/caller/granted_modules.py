"""Which modules of this installation can be granted to programs."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from importlib.machinery import PathFinder

__all__ = ["missing_modules", "package_folders"]

# what judges a program is never shown to it
_WITHHELD = "codesample"


def package_folders() -> tuple[str, ...]:
    """Return the folders of installed packages that programs may be let into."""
    return tuple(path for path in sys.path if path.endswith("-packages"))


def missing_modules(names: Iterable[str]) -> list[str]:
    """Return those of the `names`, with dots, that programs could not import; imports none of them."""
    return [name for name in names if not _found(name)]


def _found(name: str) -> bool:
    top, *rest = name.split(".")
    if top in sys.stdlib_module_names:
        return True
    if top == _WITHHELD:
        return False
    places: Sequence[str] | None = package_folders()
    for part in (top, *rest):
        spec = PathFinder.find_spec(part, places) if places is not None else None
        if spec is None:
            return False
        places = spec.submodule_search_locations
    return True
