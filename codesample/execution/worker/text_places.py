"""Which statement stands at a place of a text: its own words, without those of its neighbours."""

from __future__ import annotations

import ast
import tokenize
from collections.abc import Iterator
from io import StringIO
from typing import TypeAlias

__all__ = ["Place", "Statements"]

Place: TypeAlias = tuple[int, int]
"""A line, from 1, and how many bytes of it come before."""

_Span: TypeAlias = tuple[Place, Place]
_NO_CODE = (tokenize.NEWLINE, tokenize.NL, tokenize.COMMENT, tokenize.INDENT, tokenize.DEDENT)


class Statements:
    """The statements of a text; of one with a body, what is above the body.

    Args:
        source: The text.
        tree: What it parses to. None for one that is not to be parsed: statements on one line, or of one
            body that shares its line, then count as one.
    """

    def __init__(self, source: str, tree: ast.Module | None) -> None:
        # other marks at which a text may be split end no line for Python
        text = source.replace("\r\n", "\n").replace("\r", "\n")
        self._lines = [line.encode(errors="replace") for line in text.split("\n")]
        if tree is None:
            self._spans = list(self._logical_lines(text))
        else:
            self._spans = sorted(self._span(node) for node in ast.walk(tree) if isinstance(node, ast.stmt))

    @property
    def lines(self) -> int:
        """How many lines the text has; an empty last one does not count."""
        return len(self._lines) - (not self._lines[-1])

    def start(self, line: int, column: int | None) -> Place | None:
        """Return where the statement at a place begins; None where that is not known."""
        found = self._at(line, column)
        return found[0][0] if len(found) == 1 else None

    def text(self, line: int, column: int | None) -> str:
        """Return the statement at a place, on one line; all those of its line where no column is known."""
        found = self._at(line, column)
        if found:
            return self._joined(found[0][0], max(end for _, end in found))
        return self._lines[line - 1].decode().strip() if 0 < line <= len(self._lines) else ""

    def _at(self, line: int, column: int | None) -> list[_Span]:
        if column is None:
            return [span for span in self._spans if span[0][0] <= line <= span[1][0]]
        return [span for span in self._spans if span[0] <= (line, column) < span[1]][-1:]

    def _joined(self, start: Place, end: Place) -> str:
        lines = self._lines[start[0] - 1 : end[0]]
        # the end first, for both may be on one line
        lines[-1] = lines[-1][: end[1]]
        lines[0] = lines[0][start[1] :]
        return " ".join(filter(None, (line.decode().strip() for line in lines)))

    def _logical_lines(self, text: str) -> Iterator[_Span]:
        start, end = None, (0, 0)
        try:
            for token in tokenize.generate_tokens(StringIO(text).readline):
                if token.type == tokenize.NEWLINE and start is not None:
                    before = self._lines[end[0] - 1].decode()[: end[1]]
                    yield start, (end[0], len(before.encode()))
                    start = None
                elif token.type not in _NO_CODE:
                    start, end = start or (token.start[0], 0), token.end
        except (tokenize.TokenError, SyntaxError):
            # what is left has lines
            return

    def _span(self, node: ast.stmt) -> _Span:
        start = node.lineno, node.col_offset
        for decorator in getattr(node, "decorator_list", ()):
            start = min(start, (decorator.lineno, node.col_offset))
        if isinstance(node, ast.Match):
            return start, self._before(node.cases[0].pattern.lineno, 0)
        body = getattr(node, "body", None)
        if body:
            first = getattr(body[0], "decorator_list", None) or body
            return start, self._before(first[0].lineno, first[0].col_offset if first is body else 0)
        return start, (node.end_lineno or node.lineno, node.end_col_offset or node.col_offset)

    def _before(self, line: int, column: int) -> Place:
        """Return where what stands before a place ends, but for blanks and lines of comment."""
        left = self._lines[line - 1][:column].rstrip()
        while line > 1 and (not left or left.lstrip().startswith(b"#")):
            line -= 1
            left = self._lines[line - 1].rstrip()
        return line, len(left)
