"""What tests can ask of a program's objects, by name."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterator
from typing import Any

__all__ = ["OPERATIONS"]

_BINARY = {
    "truediv": operator.truediv,
    "divmod": divmod,
    "and": operator.and_,
    "or": operator.or_,
    **{
        name: getattr(operator, name)
        for name in ("add", "sub", "mul", "matmul", "floordiv", "mod", "pow", "lshift", "rshift", "xor")
    },
}
_OPERATORS: dict[str, Callable[..., Any]] = {
    **_BINARY,
    **{
        f"i{name}": getattr(operator, f"i{name}")
        for name in (
            *("add", "sub", "mul", "matmul", "truediv", "floordiv", "mod", "pow"),
            *("lshift", "rshift", "and", "or", "xor"),
        )
    },
    **{name: getattr(operator, name) for name in ("eq", "ne", "lt", "le", "gt", "ge", "neg", "pos")},
    **{name: getattr(operator, name) for name in ("abs", "invert", "index", "contains")},
    **{name: getattr(math, name) for name in ("trunc", "floor", "ceil")},
    **{kind.__name__: kind for kind in (int, float, complex, bool, str)},
    "repr": repr,
    "format": format,
    "round": round,
    "hash": hash,
    "reversed": reversed,
}


def _operate(name: str, *operands: Any) -> Any:
    return _OPERATORS[name](*operands)


def _next(iterator: Iterator[Any], most: int) -> tuple[list[Any], bool, Any]:
    """Return the next items, at most `most`, whether the iterator then ended, and what it said."""
    items: list[Any] = []
    try:
        while len(items) < most:
            items.append(next(iterator))
    except StopIteration as end:
        return items, True, end.value
    except Exception as error:
        if not items:
            raise
        return items, False, error
    return items, False, None


_NONE: dict[str, Any] = {}
OPERATIONS: dict[str, Callable[..., Any]] = {
    "call": lambda handle, args=(), kwargs=_NONE: handle(*args, **kwargs),
    "method": lambda handle, name, args=(), kwargs=_NONE: getattr(handle, name)(*args, **kwargs),
    "attribute": getattr,
    "set attribute": setattr,
    "delete attribute": delattr,
    "item": operator.getitem,
    "set item": operator.setitem,
    "delete item": operator.delitem,
    "length": len,
    "iterate": iter,
    "next": _next,
    "operate": _operate,
}
"""Functions of a handle and further arguments."""
