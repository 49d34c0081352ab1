"""Which modules of this installation can be granted to programs."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from importlib.machinery import PathFinder

__all__ = ["missing_modules", "package_folders", "state_of_packages"]

# what judges a program is never shown to it
_WITHHELD = "codesample"


def package_folders() -> tuple[str, ...]:
    """Return the folders of installed packages that programs may be let into."""
    return tuple(path for path in sys.path if path.endswith("-packages"))


def missing_modules(names: Iterable[str]) -> list[str]:
    """Return those of the `names`, with dots, that programs could not import; imports none of them."""
    return [name for name in names if not _found(name)]


def state_of_packages(names: Iterable[str], folders: Sequence[str]) -> bytes | None:
    """Name what is installed, for modules that programs are granted; another version is another name.

    Whatever a module imports may come from any package, so all of them count.

    Args:
        names: Of the modules, with dots.
        folders: Of packages; from `package_folders`.

    Returns: None where a module may change without an installation: in a folder of its own, or for editing.
    """
    tops = {name.partition(".")[0] for name in names} - sys.stdlib_module_names
    for top in tops:
        spec = PathFinder.find_spec(top, folders)
        places = [spec.origin, *(spec.submodule_search_locations or ())] if spec else [None]
        if not all(place and _lies_in(place, folders) for place in places):
            return None
    lines = []
    for folder in folders:
        with suppress(OSError), os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.endswith((".pth", ".egg-link")):
                    # points out of the folder, to what may be edited
                    lines.append(f"{entry.path} {entry.stat().st_mtime_ns}")
                elif entry.name.endswith((".dist-info", ".egg-info")):
                    lines.append(f"{entry.path} {entry.stat().st_mtime_ns}")
    return "\n".join(sorted(lines)).encode("utf-8", "surrogateescape")


def _lies_in(place: str, folders: Sequence[str]) -> bool:
    """Whether a file or folder is in one of the `folders` where links are followed."""
    found = os.path.realpath(place)
    return any(os.path.commonpath([found, real]) == real for real in map(os.path.realpath, folders))


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
