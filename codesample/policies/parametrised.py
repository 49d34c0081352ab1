"""What every choice of a policy has, on whatever axis: a name, parameters, and a text that says them all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from difflib import get_close_matches
from typing import Any, ClassVar, TypeVar

from codesample.errors import ParameterError, PolicyError

__all__ = ["Parametrised", "made_of"]


class Parametrised:
    """Base of frozen dataclasses whose fields are the parameters that are written in brackets.

    Attributes:
        name: By which it is chosen.
        exact: Whether the same is drawn as by the default, but for rounding.
    """

    name: ClassVar[str]
    exact: ClassVar[bool] = False

    @classmethod
    def parameters(cls) -> list[str]:
        """Return the names of what can be set, in their order."""
        return [each.name for each in fields(cls) if each.init] if is_dataclass(cls) else []

    @property
    def spelt(self) -> str:
        """The choice with all that settles what is drawn, for records: `quest(guard=4096, keep=0.2, ...)`."""
        given = [(name, getattr(self, name)) for name in sorted(self.parameters())]
        # what is measured changes nothing
        text = ", ".join(f"{name}={_word(value)}" for name, value in given if name != "audit")
        return f"{self.name}({text})" if text else self.name


Made = TypeVar("Made", bound=Parametrised)


def made_of(kind: type[Made], parameters: Mapping[str, Any], *, called: str) -> Made:
    """Make a choice of what was written.

    Args:
        kind: Of what class.
        parameters: By name.
        called: How messages name it, such as "policy 'quest'".

    Raises:
        ParameterError: a parameter that it does not have, or a value that it refuses.
        PolicyError: it fails otherwise.
    """
    known = kind.parameters()
    for name in parameters:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            said = f"did you mean {near[0]!r}?" if near else f"it takes {', '.join(known) or 'none'}"
            raise ParameterError(f"{called} has no parameter {name!r}; {said}")
    try:
        return kind(**parameters)
    except ParameterError as error:
        raise ParameterError(f"{called}: {error}") from error
    except Exception as error:
        raise PolicyError(f"{called} could not be made: {type(error).__name__}: {error}") from error


def _word(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
