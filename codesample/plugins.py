"""What can be plugged in: names in an entry-point group, listed without importing anything.

The built-in engines, tasks and rerankers come through the same groups as those of other distributions.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
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
        found: dict[str, EntryPoint] = {}
        for entry in entry_points(group=self.group):
            other = found.setdefault(entry.name, entry)
            # an editable install can list one distribution twice, with equal values
            if other.value != entry.value:
                raise self.error(
                    f"two installed {self.kind}s are called {entry.name!r}: {other.value} and {entry.value}; "
                    "uninstall one of their packages"
                )
        return found

    def names(self) -> list[str]:
        """Return the installed names, sorted; raises as `installed`."""
        return sorted(self.installed())

    def load(self, name: str) -> Any:
        """Import what `name` stands for and return it.

        Raises:
            UnknownNameError: nothing of that name is installed; suggests a near one.
            CodesampleError: it cannot be imported, or as `installed`; names the distribution.
        """
        installed = self.installed()
        if name not in installed:
            raise UnknownNameError(self.kind, name, sorted(installed), hint=self.hint)
        entry = installed[name]
        try:
            return entry.load()
        except Exception as error:
            package = entry.dist.name if entry.dist else "an unknown package"
            raise self.error(
                f"{self.kind} {name!r} ({entry.value}, installed by {package}) could not be loaded: "
                f"{type(error).__name__}: {error}"
            ) from error
