"""Stores of what is made once, and in them what the programs of a problem did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from codesample.execution.questions import Did
from codesample.runs.artefacts import artefact_key

__all__ = ["InMemory", "KeptRows", "Store"]


class Store(Protocol):
    """Keeps what is made once, as plain JSON data; `codesample.runs.artefacts.Artefacts` is one."""

    def get(self, key: str) -> Any:
        """Return what was put under a key, or None."""
        ...

    def put(self, key: str, value: Any) -> None:
        """Keep plain JSON data under a key; what is there already stays."""
        ...


class InMemory:
    """A store that is gone with its process, for calls that have no run folder."""

    def __init__(self) -> None:
        self._known: dict[str, Any] = {}

    def get(self, key: str) -> Any:
        """Return what was put under a key, or None."""
        return self._known.get(key)

    def put(self, key: str, value: Any) -> None:
        """Keep data under a key."""
        self._known.setdefault(key, value)


class KeptRows:
    """What is known of the programs of one problem, by hash; kept as one line for each call that ran some.

    Harness failures are not kept: they are to be tried again.
    """

    def __init__(self, store: Store, base: Sequence[Any]) -> None:
        self._store, self._base, self._lines = store, base, 0
        self.rows: dict[str, Did | None] = {}
        self.seconds: dict[str, float] = {}
        while (line := store.get(self._key())) is not None:
            texts = line["texts"]
            for name, values, held in line["rows"]:
                self.rows[name] = Did(
                    tuple(None if at is None else texts[at] for at in values),
                    tuple(mark == "1" for mark in held),
                )
                self.seconds[name] = line["seconds"]
            self._lines += 1

    def add(self, found: Mapping[str, Did | None], seconds: float) -> None:
        """Keep what programs did, each of them in so many seconds."""
        self.rows.update(found)
        self.seconds.update(dict.fromkeys(found, seconds))
        whole = {name: did for name, did in found.items() if did is not None}
        texts = list(dict.fromkeys(text for did in whole.values() for text in did.values if text is not None))
        places = {text: at for at, text in enumerate(texts)}
        rows = [
            [name, [None if text is None else places[text] for text in did.values], _marks(did.held)]
            for name, did in whole.items()
        ]
        if rows:
            self._store.put(self._key(), {"texts": texts, "rows": rows, "seconds": round(seconds, 6)})
            self._lines += 1

    def _key(self) -> str:
        return artefact_key(*self._base, self._lines)


def _marks(held: Sequence[bool]) -> str:
    return "".join("1" if each else "0" for each in held)
