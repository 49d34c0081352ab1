"""Steps through an iterator of the program: item by item, and in lots where nobody sees the difference."""

from __future__ import annotations

from typing import Any

__all__ = ["all_at_once", "next_item"]

_SINGLY = 512
"""Items that are taken one by one before the first lot."""
_MOST = 1_024


def next_item(self: Any) -> Any:
    """Return the next item.

    Items come one by one; and in lots where all are taken at once, or many were taken and nothing else was
    done meanwhile. Whatever is then done before the lot is used up finds a program that ran ahead.
    """
    remote = self._codesample_remote
    ending: Any
    taken, items, ending, place = self._codesample_items or (0, [], None, None)
    if not items:
        if ending is not None:
            object.__setattr__(self, "_codesample_items", None)
            raise ending
        if place != remote.place:
            taken = min(taken, 0)
        most = 1 if 0 <= taken < _SINGLY else min(abs(taken) + 1, _MOST)
        found = remote.perform("next", self, most)
        match found:
            case (items, True, value) if type(items) is list and len(items) <= most:
                ending = StopIteration() if value is None else StopIteration(value)
            case (items, False, None | Exception() as error) if (
                type(items) is list and 0 < len(items) <= most
            ):
                ending = error and remote.raised_later(error)
            case _:
                remote.stop_for_no_reply()
        if not items:
            object.__setattr__(self, "_codesample_items", None)
            raise ending
        items.reverse()
        if remote.shifted and taken >= 0:
            remote.ran_ahead |= taken >= _SINGLY
            taken = 0
        taken += len(items) if taken >= 0 else -len(items)
        object.__setattr__(self, "_codesample_items", (taken, items, ending, remote.place))
        remote.ahead = items
    return items.pop()


def all_at_once(self: Any) -> Any:
    """Note that whoever asks takes all items before anything else happens, as list() does."""
    object.__setattr__(self, "_codesample_items", self._codesample_items or (-1, [], None, None))
    return NotImplemented
