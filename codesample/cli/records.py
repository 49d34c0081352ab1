"""Options that come from the fields of records: names, types, defaults and help are said there, once."""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import wraps
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import typer

from codesample.cli.completions import model_words
from codesample.errors import ParameterError
from codesample.records.fields import Setting, options_of
from codesample.records.type_words import words_for

__all__ = ["Part", "Several", "takes_records"]

# what the shell offers for the value of an option
_WORDS = {"model": model_words}


@dataclass(frozen=True, slots=True)
class Part:
    """Some fields of a record, for commands that have no use for the others."""

    record: type[Any]
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Several:
    """A record for each value of one of its fields, whose option is repeatable; the others they share."""

    record: type[Any]
    varied: str


def takes_records(
    **records: type[Any] | Part | Several,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a command an option for each field of some records, and the records built from them.

    Args:
        **records: By parameter of the command: the record that it is given, a part of one, or several. The
            options stand on the help page where the parameter stands in the command's signature.
    """
    parts = {name: _Built.of(given) for name, given in records.items()}

    def wrap(command: Callable[..., Any]) -> Callable[..., Any]:
        shown: list[inspect.Parameter] = []
        for own in inspect.signature(command, eval_str=True).parameters.values():
            shown += _parameters(parts[own.name]) if own.name in parts else [own]
        keyword = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in shown]

        @wraps(command)
        def run(**values: Any) -> Any:
            built = {name: part.built(values) for name, part in parts.items()}
            return command(**values, **built)

        vars(run)["__signature__"] = inspect.Signature(keyword)
        run.__annotations__ = {each.name: each.annotation for each in keyword}
        del run.__wrapped__
        return run

    return wrap


@dataclass(frozen=True, slots=True)
class _Built:
    """How a parameter is built from options: from these fields of a record, once or for each value of one."""

    record: type[Any]
    names: tuple[str, ...]
    varied: str | None = None

    @classmethod
    def of(cls, given: type[Any] | Part | Several) -> _Built:
        if isinstance(given, Part):
            return cls(given.record, given.names)
        record = given.record if isinstance(given, Several) else given
        return cls(record, tuple(options_of(record)), given.varied if isinstance(given, Several) else None)

    def built(self, values: dict[str, Any]) -> Any:
        """Return the record, or a tuple of records; takes what belongs to them out of `values`."""
        given = {name: _value(self, name, values.pop(name)) for name in self.names}
        if self.varied is None:
            return self._record(given)
        each = dict.fromkeys(given.pop(self.varied))
        return tuple(self._record({**given, self.varied: value}) for value in each)

    def _record(self, given: Mapping[str, Any]) -> Any:
        try:
            return self.record(**given)
        except ParameterError as error:
            # a field that the command line calls otherwise
            said, settings = str(error), options_of(self.record)
            name = said.partition(" = ")[0]
            if (flag := settings[name].flag if name in settings else "") and name in self.names:
                word = flag.partition("/")[0].removeprefix("--")
                raise ParameterError(word + said.removeprefix(name)) from None
            raise


def _parameters(part: _Built) -> list[inspect.Parameter]:
    hints, settings = get_type_hints(part.record), options_of(part.record)
    defaults: Mapping[str, Any] = {each.name: each.default for each in fields(part.record)}
    return [
        _repeated(name, hints[name], defaults[name], settings[name])
        if name == part.varied
        else _parameter(name, hints[name], defaults[name], settings[name])
        for name in part.names
    ]


def _parameter(name: str, hint: Any, default: Any, setting: Setting) -> inspect.Parameter:
    kind = _word_type(hint)
    metavar = setting.metavar or ("TEXT" if kind == list[str] else None)
    shown = list(default) if kind == list[str] else default
    return _option(name, kind, shown, setting, help=setting.help, metavar=metavar)


def _repeated(name: str, hint: Any, default: Any, setting: Setting) -> inspect.Parameter:
    """Return the option of a field that several values may be given for; its words are read by `_value`."""
    help_text = f"{setting.help} Repeatable: each makes runs of its own."
    metavar = setting.metavar or f"<{hint.__name__}>"
    return _option(name, list[str], [str(default)], setting, help=help_text, metavar=metavar)


def _option(
    name: str, kind: Any, default: Any, setting: Setting, *, help: str, metavar: str | None
) -> inspect.Parameter:
    words = _WORDS.get(name)
    option = typer.Option(_flag(name, setting), help=help, metavar=metavar, autocompletion=words)
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, option]
    )


def _flag(name: str, setting: Setting) -> str:
    return setting.flag or f"--{name.replace('_', '-')}"


def _word_type(hint: Any) -> Any:
    """Return the type that words of the command line are read as; a tuple is a repeatable option."""
    inner = [each for each in get_args(hint) if each is not types.NoneType]
    if get_origin(hint) in (Union, types.UnionType) and len(inner) == 1:
        return _word_type(inner[0]) | None
    return list[str] if get_origin(hint) is tuple else hint


def _value(part: _Built, name: str, given: Any) -> Any:
    """Read the words of a repeatable option; other values are read already."""
    if not isinstance(given, list):
        return given
    setting = options_of(part.record)[name]
    if name == part.varied:
        return [value for word in given for value in _values(word, get_type_hints(part.record)[name], name)]
    try:
        return tuple(setting.parse(word) for word in given)
    except ValueError:
        wanted = setting.metavar or setting.expected
        raise ParameterError(
            f"{_flag(name, setting)} {' '.join(given)}: expected {wanted} each time"
        ) from None


def _values(word: str, kind: type[Any], name: str) -> list[Any]:
    """Read one word of an option that makes several records: a text, or numbers with commas between."""
    if kind is str:
        return [word]
    try:
        return [kind(part) for part in word.split(",")]
    except ValueError:
        raise ParameterError(f"{name} = {word!r}: expected {words_for(kind)}") from None
