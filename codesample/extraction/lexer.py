"""Just enough of Python's grammar to tell, line by line, whether a string or a bracket is open."""

from __future__ import annotations

import re

__all__ = ["Lexer"]

_TOKEN = re.compile(
    r'#|"""|\'\'\'|"(?:[^"\\]|\\.)*(?P<a>"?)|\'(?:[^\'\\]|\\.)*(?P<b>\'?)|(?P<open>[(\[{])|(?P<close>[)\]}])'
)
_ENDS = {quote: re.compile(rf"\\.|(?P<end>{quote})") for quote in ('"""', "'''", '"', "'")}


class Lexer:
    """What is open behind the lines that it was given.

    Attributes:
        quote: The quotes of an open string, or "".
        depth: How many brackets are open.
        joined: Whether the last line goes on in the next, by a backslash.
    """

    def __init__(self) -> None:
        self.quote = ""
        self.depth = 0
        self.joined = False

    @property
    def open(self) -> bool:
        """Whether the next line belongs to the same logical line."""
        return bool(self.quote) or self.depth > 0 or self.joined

    def copy(self) -> Lexer:
        """Return another one, behind the same lines."""
        other = Lexer()
        other.quote, other.depth, other.joined = self.quote, self.depth, self.joined
        return other

    def behind(self, line: str) -> Lexer:
        """Return what is open behind one more line, and stay as it is."""
        other = self.copy()
        other.feed(line)
        return other

    def feed(self, line: str) -> None:
        """Read one more line, without its end."""
        position, self.joined = 0, False
        while True:
            if self.quote:
                position = self._in_string(line, position)
                if self.quote:
                    return
            found = _TOKEN.search(line, position)
            if found is None:
                self.joined = line.endswith("\\")
                return
            position = found.end()
            if found[0] == "#":
                return
            if found["open"]:
                self.depth += 1
            elif found["close"]:
                self.depth = max(0, self.depth - 1)
            elif found[0] in ('"""', "'''"):
                self.quote = found[0]
            elif not (found["a"] or found["b"]):
                # no end on this line: a backslash carries it on, else it is no string
                if line.endswith("\\"):
                    self.quote = found[0][0]
                return

    def _in_string(self, line: str, position: int) -> int:
        """Read on in an open string; return where it ends, if it does."""
        for found in _ENDS[self.quote].finditer(line, position):
            if found["end"]:
                self.quote = ""
                return found.end()
        if len(self.quote) == 1 and not line.endswith("\\"):
            self.quote = ""
        return len(line)
