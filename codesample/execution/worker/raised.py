"""Exceptions of a program, built again from plain data: of known classes, or of stand-ins for its own."""

from __future__ import annotations

import builtins
import re
from collections.abc import Callable
from typing import Any

from codesample.execution.wire import codec
from codesample.execution.wire.library_values import named
from codesample.execution.wire.protocols import RAISABLE

__all__ = ["Raised", "crossed", "known_exception", "marked", "said", "set_apart"]

_MARK = "_codesample_detail"
_PLACE = re.compile(r'(?:<\w+>, |  File "[^"]*", )?line \d+, in .*|Traceback .*|  .*|')
_OF_TESTS = re.compile(r"\s*(?:line \d+ of|the tests|check \d+|with arguments)\b")
"""How lines begin that only the trusted side writes."""
_RESERVED = ("_codesample", "__dict__", "__class__")


def crossed(error: BaseException) -> bool:
    """Whether the program raised this exception, not the tests."""
    return _MARK in vars(error)


def known_exception(error: Exception, pack: Callable[[Any], Any]) -> Any:
    """Return the JSON that stands for an exception of the tests, or of the program, in a request.

    Raises:
        CodecError: it is of a class of the tests' own, or the tests changed what the program has.
    """
    kind = type(error)
    known = vars(error)
    if "_codesample_id" in known:
        had, has = known.get("_codesample_had"), _attributes(error)
        if had is not None and (had.keys() != has.keys() or any(had[name] is not has[name] for name in has)):
            raise codec.CodecError(f"a {kind.__name__} of the program with attributes that the tests set")
        return {"h": known["_codesample_id"]}
    if kind.__module__ == "builtins" or kind.__module__ in RAISABLE:
        return {"x": [kind.__module__, kind.__qualname__, [pack(item) for item in error.args]]}
    raise codec.CodecError(f"a {kind.__name__} is not plain data")


def marked(error: Exception, detail: str) -> Exception:
    """Return an exception with what the program's side says of it; it then counts as raised there."""
    vars(error)[_MARK] = detail
    return error


def said(error: BaseException) -> str:
    """Describe an exception in a line or a few: as the program reported it, if it came from there."""
    if crossed(error):
        return str(vars(error)[_MARK])
    try:
        return set_apart(f"{type(error).__name__}: {error}")
    except Exception:
        # it may hold anything, such as an integer too long for decimal digits
        return type(error).__name__


def set_apart(detail: str) -> str:
    """Indent all of a message but its first line, so that nothing in it looks like a line of somebody else.

    Args:
        detail: What is said of an exception, perhaps by a program's process: places, then the message.
    """
    lines = detail.split("\n")
    first = next((at for at, line in enumerate(lines) if not _PLACE.fullmatch(line)), len(lines))
    kept = first + (first < len(lines) and not _OF_TESTS.match(lines[first]))
    return "\n".join([*lines[:kept], *(f"    {line}" if line else "" for line in lines[kept:])])


class Raised:
    """Builds exceptions; keeps one class for each of the program's own, and those that are values."""

    def __init__(self, attribute: Callable[[int, str], Any]) -> None:
        """Begin with no classes.

        Args:
            attribute: Asks the program for an attribute of its object of a number.
        """
        self._attribute = attribute
        self._classes: dict[Any, type[Exception]] = {}
        self._lasting: dict[int, Exception] = {}

    def build(self, content: Any) -> Exception:
        """Return the exception that the content of the tag "e" describes.

        Raises:
            CodecError: it describes none that may cross.
        """
        match content:
            case [
                list(names),
                own,
                list(args),
                None | str() as text,
                list(attributes),
                cause,
                context,
                flag,
                *lasting,
            ] if not lasting or (len(lasting) == 1 and type(lasting[0]) is int):
                pass
            case _:
                raise codec.CodecError("a malformed exception")
        bases = tuple(_known(name) for name in names)
        if not bases:
            raise codec.CodecError("an exception of no class")
        if own is None:
            error = _made(bases[0], args)
        else:
            error = self._made_of_own(bases, own, args, text)
        if lasting:
            number = lasting[0]
            known = self._lasting.setdefault(number, error)
            if type(known) is type(error):
                known.args, error = error.args, known
            vars(error)["_codesample_id"] = number
        for pair in attributes:
            _set(error, pair)
        if lasting:
            vars(error)["_codesample_had"] = _attributes(error)
        for name, other in (("__cause__", cause), ("__context__", context)):
            if other is not None:
                setattr(error, name, self.build(other))
        error.__suppress_context__ = flag is True
        return error

    def _made_of_own(
        self, bases: tuple[type[Exception], ...], own: Any, args: list[Any], text: Any
    ) -> Exception:
        match own:
            case [str(name), str(module), int(number), None | str() as shown]:
                pass
            case _:
                raise codec.CodecError("a malformed class of exceptions")
        key = (bases, name, module)
        kind = self._classes.get(key)
        if kind is None:
            kind = self._classes[key] = _stand_in(bases, name, module)
        error = _made(kind, args)
        vars(error).update(_codesample_ask=self._attribute, _codesample_id=number)
        if text is not None:
            vars(error)["_codesample_text"] = text
        if shown is not None:
            vars(error)["_codesample_shown"] = shown
        return error


def _known(name: Any) -> type[Exception]:
    module, _, short = name.rpartition(".") if type(name) is str else ("", "", "")
    try:
        if module == "builtins":
            kind = getattr(builtins, short)
        elif module in RAISABLE:
            kind = named(module, short)
        else:
            raise AttributeError
    except (AttributeError, ImportError):
        raise codec.CodecError(f"no exception {str(name)[:80]!r}") from None
    if isinstance(kind, type) and issubclass(kind, Exception):
        return kind
    raise codec.CodecError(f"{str(name)[:80]} is no exception that tests may see")


def _stand_in(bases: tuple[type[Exception], ...], name: str, module: str) -> type[Exception]:
    members = {"__module__": module, "__str__": _text, "__repr__": _shown, "__getattr__": _ask}
    try:
        return type(name[:80] or "_", bases, members)
    except (TypeError, ValueError):
        return type("_", bases[:1], members)


def _text(self: Any) -> str:
    text = vars(self).get("_codesample_text")
    if text is not None:
        return str(text)
    return str(super(type(self), self).__str__())


def _shown(self: Any) -> str:
    text = vars(self).get("_codesample_shown")
    if text is not None:
        return str(text)
    return str(super(type(self), self).__repr__())


def _ask(self: Any, name: str) -> Any:
    if name.startswith("_"):
        raise AttributeError(name)
    return vars(self)["_codesample_ask"](vars(self)["_codesample_id"], name)


def _made(kind: type[Exception], args: list[Any]) -> Exception:
    """Return an exception with just these arguments, by its constructor where that is what it takes."""
    try:
        error = kind(*args)
    except Exception:
        try:
            error = kind.__new__(kind, *args)
        except Exception:
            raise codec.CodecError(f"a {kind.__name__} with other arguments than it takes") from None
    if not isinstance(error, Exception):
        raise codec.CodecError("a constructor that makes no exception")
    if error.args != tuple(args):
        error.args = tuple(args)
    return error


def _attributes(error: BaseException) -> dict[str, Any]:
    return {name: value for name, value in vars(error).items() if not name.startswith("_codesample")}


def _set(error: Exception, pair: Any) -> None:
    match pair:
        case [name, value] if type(name) is str and not name.startswith(_RESERVED):
            try:
                setattr(error, name, value)
            except Exception:
                # such as a characteristic that is read only; it then has what its arguments gave it
                return
        case _:
            raise codec.CodecError("a malformed attribute of an exception")
