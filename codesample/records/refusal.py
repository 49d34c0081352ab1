"""What tells values of a type, and what is raised for one that is none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, get_args, get_origin

from codesample.errors import WrongTypeError
from codesample.records.shown_values import shown
from codesample.records.type_words import note_on, unwrapped, words_for

__all__ = ["Refused", "Taker", "anything"]


class Refused(WrongTypeError):
    """A value is not taken; whoever knows what it is called says so, see `told`.

    One of several alternatives refuses what another one takes, so words are found when asked for.

    Attributes:
        value: It, or the item of it that is at fault.
        hint: The type of which it is not.
        words: What is taken there; "" takes those of the type.
        place: Where the item stands, such as "[3]"; "" for the value itself.
        note: What to write instead, in brackets; None finds it by the type.
    """

    def __init__(
        self, value: Any, words: str = "", *, hint: Any = Any, place: str = "", note: str | None = None
    ) -> None:
        super().__init__()
        self.value, self.words, self.hint, self.place, self.note = value, words, hint, place, note

    def __str__(self) -> str:
        return self.told("item")

    @property
    def advice(self) -> str:
        """What to write instead, in brackets, or ""."""
        return note_on(self.value, self.hint) if self.note is None else self.note

    def told(self, name: str, expected: str = "") -> str:
        """Return the message for a value of that name, which must be what is `expected` in words."""
        words = expected if expected and not self.place else self.words or words_for(self.hint)
        return f"{name}{self.place} = {shown(self.value)}: expected {words}{self.advice}"

    def at(self, place: str) -> Refused:
        """Return the same of what holds the value, at a place of it."""
        return Refused(self.value, self.words, hint=self.hint, place=f"{place}{self.place}", note=self.note)


class Taker(NamedTuple):
    """How values of a type are told.

    Attributes:
        hint: The type, as an annotation says it.
        quick: Classes whose direct instances are taken as they are, without a look at them.
        take: Returns what is taken for a value, the value itself where it is of the type; raises `Refused`.
    """

    hint: Any
    quick: frozenset[type[Any]]
    take: Callable[[Any], Any]

    @property
    def takes_all(self) -> bool:
        """Whether there is nothing to tell."""
        return self.take is anything

    @property
    def takes_pairs(self) -> bool:
        """Whether values are tuples of two."""
        hint = unwrapped(self.hint)
        return get_origin(hint) is tuple and len(get_args(hint)) == 2 and Ellipsis not in get_args(hint)


def anything(value: Any) -> Any:
    """Take whatever it is."""
    return value
