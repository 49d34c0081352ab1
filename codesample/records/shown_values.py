"""Values in words, for errors: on one short line, with their type, whatever they are."""

from __future__ import annotations

import inspect
import reprlib
import types
from typing import Any

__all__ = ["shown"]

_LONGEST = 80
# of these the value itself shows what it is
_EVIDENT = (str, bytes, bool, int, float, types.NoneType, list, tuple, dict, set, frozenset)


class _Short(reprlib.Repr):
    """Representations on one line that cost little, however large the value is."""

    def __init__(self) -> None:
        super().__init__()
        self.maxstring = self.maxother = self.maxlong = _LONGEST
        self.maxlist = self.maxtuple = self.maxdict = self.maxset = 12

    def repr_instance(self, x: Any, level: int) -> str:
        return super().repr_instance(x, level) if not _shape(x) else f"<{_shape(x)}>"


_short = _Short()


def shown(value: object) -> str:
    """Return a value in at most 80 characters on one line, with its type where that is not evident."""
    text = " ".join(_short.repr(value).split())
    text = text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."
    name = type(value).__name__
    return text if type(value) in _EVIDENT or name in text else f"{text} ({name})"


def _shape(value: Any) -> str:
    """Describe a tensor, an array or a table, whose representation has many lines."""
    shape = inspect.getattr_static(type(value), "shape", None) and getattr(value, "shape", None)
    return f"{type(value).__name__} of shape {list(shape)}" if isinstance(shape, tuple) and shape else ""
