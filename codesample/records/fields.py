"""Fields that users set: what each means is said once, for checks, help and the command line."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, fields
from typing import Any

from codesample.errors import ParameterError
from codesample.records.annotations import field_hints
from codesample.records.arguments import SETTING, taken
from codesample.records.refusal import Taker
from codesample.records.shown_values import shown
from codesample.records.taking import taker_of
from codesample.records.type_words import words_for

__all__ = ["Setting", "check_settings", "check_types", "options_of", "setting"]

_known: dict[type[Any], dict[str, Taker]] = {}


@dataclass(frozen=True, slots=True)
class Setting:
    """What is known of a field beside its name, type and default.

    Attributes:
        help: One sentence for the command line.
        expected: What a value must be, in words, for error messages.
        holds: Whether a value is one of these.
        flag: Spelling on the command line; "" takes the field's name, None keeps it off.
        metavar: Stands for the value on the help page; "" takes the type's.
        parse: Makes one item of a tuple from a word of the command line, and raises ValueError for one
            that is none.
    """

    help: str
    expected: str = ""
    holds: Callable[[Any], bool] = lambda value: True
    flag: str | None = ""
    metavar: str = ""
    parse: Callable[[str], Any] = str


def setting(
    default: Any,
    help: str,
    *,
    expected: str = "",
    holds: Callable[[Any], bool] = lambda value: True,
    flag: str | None = "",
    metavar: str = "",
    parse: Callable[[str], Any] = str,
) -> Any:
    """Declare a field of a frozen dataclass that users set; see `Setting` for the rest."""
    return field(default=default, metadata={SETTING: Setting(help, expected, holds, flag, metavar, parse)})


def check_settings(record: Any) -> None:
    """Check every field of a record that was declared by `setting`; for `__post_init__`.

    Raises:
        ParameterError: a value of another type than the field's, or not what is expected.
    """
    for name, each in _declared(record):
        value = _take(record, name, each.expected)
        if not each.holds(value):
            words = each.expected or words_for(_takers(type(record))[name].hint)
            raise ParameterError(f"{name} = {shown(value)}: expected {words}")


def check_types(record: Any) -> None:
    """Check every field of a dataclass against its annotation; for `__post_init__`.

    Raises:
        WrongTypeError: a value of another type; names the field, the value and what is expected.
    """
    for each in fields(record):
        _take(record, each.name)


def _take(record: Any, name: str, expected: str = "") -> Any:
    """Put what is taken for a field's value in its place, and return it."""
    value = getattr(record, name)
    new = taken(name, value, _takers(type(record))[name], expected)
    if new is not value:
        object.__setattr__(record, name, new)
    return new


def _takers(record: type[Any]) -> dict[str, Taker]:
    if record not in _known:
        _known[record] = {name: taker_of(hint) for name, hint in field_hints(record).items()}
    return _known[record]


def options_of(record: type[Any]) -> dict[str, Setting]:
    """Return the fields of a record that the command line takes, by name, in their order."""
    return {name: each for name, each in _declared(record) if each.flag is not None}


def _declared(record: Any) -> Iterable[tuple[str, Setting]]:
    return [(each.name, each.metadata[SETTING]) for each in fields(record) if SETTING in each.metadata]
