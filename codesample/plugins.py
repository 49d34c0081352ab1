"""What can be plugged in: names in an entry-point group, listed without importing anything, or a file's.

The built-in engines, tasks and rerankers come through the same groups as those of other distributions.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from codesample.errors import CodesampleError, UnknownNameError

__all__ = ["PluginKind"]


@dataclass(frozen=True, slots=True)
class PluginKind:
    """One kind of plug-in.

    Attributes:
        kind: What one is called in messages, such as "reranker".
        group: The entry-point group, such as "codesample.rerankers".
        error: Raised for a plug-in that cannot be used.
        hint: What to do about an unknown name.
    """

    kind: str
    group: str
    error: type[CodesampleError]
    hint: str

    def installed(self) -> dict[str, EntryPoint]:
        """Return the entry points by name; imports none.

        Raises:
            CodesampleError: two distributions claim one name; of the class `error`.
        """
        found: dict[str, list[EntryPoint]] = {}
        for entry in entry_points(group=self.group):
            found.setdefault(entry.name, []).append(entry)
        return {name: self._only(entries) for name, entries in found.items()}

    def _only(self, entries: Sequence[EntryPoint]) -> EntryPoint:
        """Return the one entry point of a name."""
        first = entries[0]
        for other in entries[1:]:
            # an editable install can list one distribution twice, with equal values
            if other.value != first.value:
                raise self.error(
                    f"two installed {self.kind}s are called {first.name!r}: {first.value} and {other.value}; "
                    f"uninstall {_distribution(first)} or {_distribution(other)}"
                )
        return first

    def names(self) -> list[str]:
        """Return the installed names, sorted; raises as `installed`."""
        return sorted(self.installed())

    def expect(self, name: str) -> EntryPoint:
        """Return the entry point of that name; imports nothing.

        Raises:
            UnknownNameError: nothing of that name is installed; suggests a near one.
            CodesampleError: two distributions claim this name; what else they claim is no matter.
        """
        named = [entry for entry in entry_points(group=self.group) if entry.name == name]
        if not named:
            known = {entry.name for entry in entry_points(group=self.group)}
            raise UnknownNameError(self.kind, name, sorted(known), hint=self.hint)
        return self._only(named)

    def load(self, name: str) -> Any:
        """Import what `name` stands for and return it.

        Raises:
            UnknownNameError: as `expect`.
            CodesampleError: it cannot be imported, or as `installed`; names the distribution.
        """
        entry = self.expect(name)
        try:
            return entry.load()
        except Exception as error:
            package = _distribution(entry)
            raise self.error(
                f"{self.kind} {name!r} ({entry.value}, installed by {package}) could not be loaded: "
                f"{_said(error)}"
            ) from error

    def module(self, where: str) -> ModuleType:
        """Import the module that one's own plug-in stands in.

        Args:
            where: A file, such as "my_idea.py", read anew each time; or the dotted name of a module.

        Raises:
            CodesampleError: no such file, or it cannot be imported; of the class `error`.
        """
        if where.endswith(".py"):
            return self._module_from_file(Path(where))
        try:
            return importlib.import_module(where)
        except Exception as error:
            raise self.error(f"module {where!r} could not be imported: {_said(error)}") from error

    def _module_from_file(self, path: Path) -> ModuleType:
        if not path.is_file():
            raise self.error(f"{path}: no such file; expected FILE.py:NAME, such as my_idea.py:score")
        name = f"_codesample_{self.kind}_{path.stem}"
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
            raise self.error(f"{path} could not be loaded: {_said(error)}") from error
        return module


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _distribution(entry: EntryPoint) -> str:
    return entry.dist.name if entry.dist else "an unknown package"
