"""Fields that users set: what each means is said once, for checks, help and the command line."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, fields
from typing import Any

from codesample.errors import ParameterError
from codesample.records.types import fits, hints_of, words_for

__all__ = ["Setting", "check_settings", "options_of", "setting"]

_KEY = "setting"


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
    return field(default=default, metadata={_KEY: Setting(help, expected, holds, flag, metavar, parse)})


def check_settings(record: Any) -> None:
    """Check every field of a record that was declared by `setting`; for `__post_init__`.

    Raises:
        ParameterError: a value of another type than the field's, or not what is expected.
    """
    hints = hints_of(type(record))
    for name, each in _declared(record):
        value = getattr(record, name)
        if not fits(value, hints[name]) or not each.holds(value):
            raise ParameterError(f"{name} = {value!r}: expected {each.expected or words_for(hints[name])}")


def options_of(record: type[Any]) -> dict[str, Setting]:
    """Return the fields of a record that the command line takes, by name, in their order."""
    return {name: each for name, each in _declared(record) if each.flag is not None}


def _declared(record: Any) -> Iterable[tuple[str, Setting]]:
    return [(each.name, each.metadata[_KEY]) for each in fields(record) if _KEY in each.metadata]
