"""Options that come from the fields of records: names, types, defaults and help are said there, once."""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import wraps
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import typer

from codesample.errors import ParameterError
from codesample.records.fields import Setting, options_of

__all__ = ["Part", "takes_records"]


@dataclass(frozen=True, slots=True)
class Part:
    """Some fields of a record, for commands that have no use for the others."""

    record: type[Any]
    names: tuple[str, ...]


def takes_records(**records: type[Any] | Part) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a command an option for each field of some records, and the records built from them.

    Args:
        **records: By parameter of the command: the record that it is given, or a part of one. The options
            stand on the help page where the parameter stands in the command's signature.
    """
    parts = {
        name: given if isinstance(given, Part) else Part(given, tuple(options_of(given)))
        for name, given in records.items()
    }

    def wrap(command: Callable[..., Any]) -> Callable[..., Any]:
        shown: list[inspect.Parameter] = []
        for own in inspect.signature(command, eval_str=True).parameters.values():
            shown += _parameters(parts[own.name]) if own.name in parts else [own]
        keyword = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in shown]

        @wraps(command)
        def run(**values: Any) -> Any:
            built = {
                name: part.record(**{field: _value(part, field, values.pop(field)) for field in part.names})
                for name, part in parts.items()
            }
            return command(**values, **built)

        vars(run)["__signature__"] = inspect.Signature(keyword)
        run.__annotations__ = {each.name: each.annotation for each in keyword}
        del run.__wrapped__
        return run

    return wrap


def _parameters(part: Part) -> list[inspect.Parameter]:
    hints, settings = get_type_hints(part.record), options_of(part.record)
    defaults: Mapping[str, Any] = {each.name: each.default for each in fields(part.record)}
    return [_parameter(name, hints[name], defaults[name], settings[name]) for name in part.names]


def _parameter(name: str, hint: Any, default: Any, setting: Setting) -> inspect.Parameter:
    kind = _word_type(hint)
    metavar = setting.metavar or ("TEXT" if kind == list[str] else None)
    option = typer.Option(_flag(name, setting), help=setting.help, metavar=metavar)
    return inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        default=list(default) if kind == list[str] else default,
        annotation=Annotated[kind, option],
    )


def _flag(name: str, setting: Setting) -> str:
    return setting.flag or f"--{name.replace('_', '-')}"


def _word_type(hint: Any) -> Any:
    """Return the type that words of the command line are read as; a tuple is a repeatable option."""
    inner = [each for each in get_args(hint) if each is not types.NoneType]
    if get_origin(hint) in (Union, types.UnionType) and len(inner) == 1:
        return _word_type(inner[0]) | None
    return list[str] if get_origin(hint) is tuple else hint


def _value(part: Part, name: str, given: Any) -> Any:
    """Read the words of a repeatable option; other values are read already."""
    if not isinstance(given, list):
        return given
    setting = options_of(part.record)[name]
    try:
        return tuple(setting.parse(word) for word in given)
    except ValueError:
        wanted = setting.metavar or setting.expected
        raise ParameterError(
            f"{_flag(name, setting)} {' '.join(given)}: expected {wanted} each time"
        ) from None
