"""What a server says where it does not do what it was asked: which field is at fault, and in which words."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

__all__ = ["BrokenAnswerError", "RefusedError", "refusal_from"]

_SHOWN = 400


@dataclass(eq=False)
class BrokenAnswerError(Exception):
    """An answer that is not whole, is not what an answer looks like, or says that the server is not able now.

    Asking again may help.

    Attributes:
        message: All that is known of it.
        status, said, field: Of one of no success, as those of `RefusedError`.
    """

    message: str
    status: int = 0
    said: str = ""
    field: str = ""

    def __str__(self) -> str:
        return self.message


@dataclass(eq=False)
class RefusedError(Exception):
    """An answer of a status that asking again does not mend.

    Attributes:
        status: HTTP's.
        message: The server's words, on one line, without the key.
        field: The field that the server names, or "".
    """

    status: int
    message: str
    field: str = ""

    def __str__(self) -> str:
        named = f", field {self.field!r}" if self.field else ""
        return f"HTTP {self.status}{named}: {self.message or 'without a word'}"

    def names(self, fields: Iterable[str]) -> list[str]:
        """Return which of some fields of the request the server complains of."""
        return [each for each in fields if each == self.field or _says(self.message, each)]


def _says(message: str, field: str) -> bool:
    """Whether a message names a field; a short one only where it is quoted."""
    quoted = re.search(rf"[`'\"]{re.escape(field)}[`'\"]", message)
    bare = len(field) > 4 and re.search(rf"(?<![\w.]){re.escape(field)}(?![\w])", message)
    return bool(quoted or bare)


def refusal_from(status: int, body: str) -> RefusedError:
    """Read a refusal: `{"error": {"message", "param"}}`, `{"detail": ...}`, `{"message"}` or plain text."""
    try:
        content = json.loads(body)
    except ValueError:
        return RefusedError(status, _line(body))
    inner = content.get("error", content) if isinstance(content, dict) else content
    if not isinstance(inner, dict):
        return RefusedError(status, _line(inner))
    said = inner.get("message") or inner.get("detail") or inner.get("msg") or inner
    field = inner.get("param")
    return RefusedError(status, _line(said), field if isinstance(field, str) else _place(said))


def _place(said: Any) -> str:
    """Return the field of a list of complaints with places, as pydantic writes them."""
    first = said[0] if isinstance(said, list) and said else None
    place = first.get("loc") if isinstance(first, dict) else None
    return str(place[-1]) if isinstance(place, list) and place else ""


def _line(said: Any) -> str:
    text = " ".join((said if isinstance(said, str) else json.dumps(said)).split())
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
