"""What a call takes, argument by argument, and whether what it is given fits."""

from __future__ import annotations

from collections.abc import Mapping
from inspect import Parameter
from typing import Any, NamedTuple

from codesample.errors import WrongTypeError
from codesample.records.refusal import Refused, Taker
from codesample.records.taking import taker_of

__all__ = ["OWN", "SETTING", "Plan", "taken"]

SETTING = "setting"
"""Key of a field's metadata under which stands, as `expected`, what its values are."""

_BY_POSITION = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
_BY_NAME = (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)
_FURTHER = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)
OWN = ("self", "cls", "_cls")
"""What stands for the object, or the class, that a method is of."""


def taken(name: str, value: Any, taker: Taker, expected: str = "") -> Any:
    """Return what is taken for a value.

    Args:
        name: What it is called in the message.
        expected: What it must be, in words; "" takes those of its type.

    Raises:
        WrongTypeError: it is not of the type.
    """
    try:
        return value if type(value) in taker.quick else taker.take(value)
    except Refused as error:
        raise WrongTypeError(error.told(name, expected)) from None


class _Argument(NamedTuple):
    """One that is looked at; `quick` as of its taker, at hand for the many calls that need no more."""

    quick: frozenset[type[Any]]
    name: str
    taker: Taker
    default: Any
    expected: str

    def take(self, value: Any) -> Any:
        return value if value is self.default else taken(self.name, value, self.taker, self.expected)


class Plan(NamedTuple):
    """What a call takes.

    Attributes:
        name: Of the call.
        parameters: Of its signature, without the object whose method it is.
        by_position: Arguments by place; None for those of which nothing is to be told, and for the object.
        by_name: The same by name.
        rest: What further ones by place are; None where nothing is to be told.
        others: What further ones by name are.
        open: Whether there may be further ones by name.
    """

    name: str
    parameters: list[Parameter]
    by_position: list[_Argument | None]
    by_name: dict[str, _Argument | None]
    rest: _Argument | None
    others: _Argument | None
    open: bool

    @classmethod
    def of(
        cls, name: str, parameters: list[Parameter], hints: Mapping[str, Any], expected: Mapping[str, str]
    ) -> Plan:
        """Return the plan of a call with these parameters, of these types; `expected` has words for some."""

        def argument(one: Parameter) -> _Argument | None:
            taker = taker_of(hints.get(one.name, Any))
            said = expected.get(one.name, "")
            return None if taker.takes_all else _Argument(taker.quick, one.name, taker, one.default, said)

        further = {each.kind: argument(each) for each in parameters if each.kind in _FURTHER}
        return cls(
            name,
            [each for each in parameters if each.name not in OWN],
            [argument(each) for each in parameters if each.kind in _BY_POSITION],
            {each.name: argument(each) for each in parameters if each.kind in _BY_NAME},
            rest=further.get(Parameter.VAR_POSITIONAL),
            others=further.get(Parameter.VAR_KEYWORD),
            open=Parameter.VAR_KEYWORD in further,
        )

    def looked_at(
        self, args: tuple[Any, ...], named: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return what is taken for the arguments of a call."""
        made: dict[int, Any] = {}
        for at, (argument, value) in enumerate(zip(self.by_position, args, strict=False)):
            if argument is not None and type(value) not in argument.quick:
                new = argument.take(value)
                if new is not value:
                    made[at] = new
        if self.rest is not None and len(args) > (first := len(self.by_position)):
            made |= {at: self.rest.take(value) for at, value in enumerate(args[first:], first)}
        if made:
            args = tuple(made.get(at, value) for at, value in enumerate(args))
        for name, value in named.items():
            argument = self.by_name.get(name, self.others)
            if argument is not None and type(value) not in argument.quick:
                # the mapping is this call's own, and keeps its keys
                named[name] = argument._replace(name=name).take(value)
        return args, named

    def expect_to_fit(self, args: tuple[Any, ...], named: Mapping[str, Any]) -> None:
        """Refuse arguments that a call does not have, has twice, or has not got.

        Raises:
            WrongTypeError: names the argument, and near ones.
        """
        # processes that judge programs import this module, and seldom need it
        from difflib import get_close_matches

        takes = ", ".join(each.name for each in self.parameters) or "nothing"
        by_place = [each.name for each in self.parameters if each.kind in _BY_POSITION]
        given = len(args) - (len(self.by_position) - len(by_place))
        for name in named:
            if name not in self.by_name and not self.open:
                near = get_close_matches(name, self.by_name, n=1)
                said = f"did you mean {near[0]!r}? It" if near else "it"
                raise WrongTypeError(f"{self.name} has no argument {name!r}; {said} takes: {takes}")
            if name in by_place[:given]:
                raise WrongTypeError(f"{self.name}: {name} is given twice, by its place and by its name")
        if given > len(by_place):
            raise WrongTypeError(
                f"{self.name}: {given} arguments without a name; expected {len(by_place)} at most, "
                f"and the others by name: {takes}"
            )
        for at, each in enumerate(self.parameters):
            needed = each.default is each.empty and each.kind not in _FURTHER
            if needed and each.name not in named and at >= (given if each.kind in _BY_POSITION else 0):
                raise WrongTypeError(f"{self.name}: {each.name} is missing; it takes: {takes}")
