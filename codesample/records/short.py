"""Records in a line, for whoever prints many of them: what they are, and the beginning of what they hold."""

from __future__ import annotations

__all__ = ["short"]

_CHARACTERS = 40


def short(text: object) -> str:
    """Return the beginning of a text as a literal on one line; whatever is none, by its type."""
    if not isinstance(text, str):
        return "None" if text is None else f"<{type(text).__name__}>"
    return repr(text) if len(text) <= _CHARACTERS else f"{text[:_CHARACTERS]!r}..."
