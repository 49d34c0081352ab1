"""Gives the arguments of MBPP+ their Python types back: the file holds JSON, which has lists only.

A form spells the containers of one argument from the outside in, a letter each: `t` tuple, `l` list, `d`
dictionary by its values, `T` tuple at every depth; then `c` complex, `f` float; `-` as it is. The
last form of a problem serves all its further arguments. The forms are those of the problems' own asserts.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, repeat

__all__ = ["FORMS", "typed_arguments"]

_BY_FORM = {
    "t": (2, 116, 132, 222, 261, 273, 394, 421, 424, 429, 470, 560, 579, 596, 616, 630, 726, 740, 744, 809),
    "lt": (63, 64, 70, 94, 120, 237, 272, 299, 409, 473, 614, 780),
    "lt -": (75, 413, 753),
    "- t": (106, 750),
    "f c": (124,),
    "t -": (250, 405, 446, 720, 763, 808),
    "c": (252,),
    "tt": (259, 278, 445),
    "T": (580, 615, 791),
    "dt -": (722,),
}

FORMS = {f"Mbpp/{number}": form for form, numbers in _BY_FORM.items() for number in numbers}


def typed_arguments(task_id: str, arguments: Sequence[object]) -> tuple[object, ...]:
    """Return one call's arguments as the problem means them.

    Raises:
        TypeError, ValueError: a number is not spelt as one.
    """
    forms = FORMS.get(task_id, "-").split()
    spelt = chain(forms, repeat(forms[-1]))
    return tuple(_typed(argument, form) for argument, form in zip(arguments, spelt, strict=False))


def _typed(value: object, form: str) -> object:
    """Convert the containers that are there; a number where a container may stand stays a number."""
    kind, inner = form[0], form[1:] or "-"
    if kind == "c":
        return complex(value)  # type: ignore[call-overload]
    if kind == "f":
        return float(value)  # type: ignore[arg-type]
    if kind == "d" and isinstance(value, dict):
        return {key: _typed(item, inner) for key, item in value.items()}
    if not isinstance(value, list) or kind == "-":
        return value
    items = [_typed(item, form if kind == "T" else inner) for item in value]
    return items if kind == "l" else tuple(items)
