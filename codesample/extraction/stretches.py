"""Python among other lines: stretches of statements that parse, found in time that grows as the text does."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from keyword import iskeyword, issoftkeyword
from typing import NamedTuple

from codesample.extraction.lexer import Lexer
from codesample.extraction.lines import Line, indentation, source_of

__all__ = ["Budget", "Statement", "Stretch", "parsed", "stretches"]

_MOST_AT_ONCE = 500_000
"""Characters that are parsed at once; a longer text is no program."""

_GOES_ON = re.compile(r"(?:else|elif|except|finally)\b")
# no line within brackets begins so
_NEVER_INSIDE = re.compile(r"(?:def|class|import|from|while|with|raise|assert|async)[ \t]|return\b|try:|@\w")
_TWO_WORDS = re.compile(r"(\w+)[ \t]+(\w+)")
_OPERATORS = frozenset({"and", "as", "else", "for", "if", "import", "in", "is", "not", "or"})
_COMMAND = re.compile(r"[!%][A-Za-z]")
_TRIES, _OPENERS = 8, 25


class Statement(NamedTuple):
    """Top-level statements that share lines, nearly always one.

    Attributes:
        nodes: The statements.
        lines: Their lines, with the blank lines and comments before them.
    """

    nodes: tuple[ast.stmt, ...]
    lines: Sequence[Line]


class Stretch(NamedTuple):
    """Statements that follow one another.

    Attributes:
        statements: In their order.
        cut: Whether what stands behind the last of them does not parse.
    """

    statements: list[Statement]
    cut: bool


class Budget:
    """How many characters may still be read: hostile text could make us read the same ones for ever."""

    def __init__(self, size: int) -> None:
        self._left = 4 * size + 100_000

    def spend(self, count: int) -> bool:
        """Take `count` characters, at least a few; tell whether there were as many."""
        self._left -= count + 20
        return self._left >= 0


def parsed(source: str, budget: Budget) -> ast.Module | SyntaxError | None:
    """Parse a text: a module, the error, or None where it cannot be or must not be parsed.

    Python's warnings about it are for the caller to silence, once.
    """
    if len(source) > _MOST_AT_ONCE or not budget.spend(len(source)):
        return None
    try:
        return ast.parse(source)
    except SyntaxError as error:
        return error
    except (ValueError, RecursionError, MemoryError):
        return None


def stretches(lines: Sequence[Line], budget: Budget) -> list[Stretch]:
    """Return the stretches of statements in `lines`; what is in none of them is no Python."""
    tree = parsed(source_of(lines), budget)
    if isinstance(tree, ast.Module):
        statements = _statements(tree, lines)
        return [Stretch(statements, False)] if statements else []
    return _Reader(lines, budget).read()


def _statements(tree: ast.Module, lines: Sequence[Line]) -> list[Statement]:
    """Divide the lines of a text that parses; what stands behind the last statement is the last one's."""
    groups: list[tuple[list[ast.stmt], int]] = []
    for node in tree.body:
        first = min([node.lineno, *(each.lineno for each in getattr(node, "decorator_list", ()))])
        if groups and first <= groups[-1][1]:
            groups[-1][0].append(node)
            groups[-1] = (groups[-1][0], node.end_lineno or first)
        else:
            groups.append(([node], node.end_lineno or first))
    found, begin = [], 0
    for number, (nodes, end) in enumerate(groups):
        end = len(lines) if number == len(groups) - 1 else end
        found.append(Statement(tuple(nodes), lines[begin:end]))
        begin = end
    return found


class _Reader:
    """Reads lines of which some are no Python."""

    def __init__(self, lines: Sequence[Line], budget: Budget) -> None:
        self._lines = lines
        self._budget = budget
        self._found: list[Stretch] = []
        self._open: list[Statement] = []

    def read(self) -> list[Stretch]:
        """Return the stretches."""
        begin, index = 0, 0
        while index < len(self._lines):
            text = self._lines[index].code
            if not text.strip() or text.lstrip().startswith("#"):
                index += 1
                continue
            if _COMMAND.match(text):
                begin = index = index + 1
                continue
            end = index if self._is_prose(text) else self._statement(begin, index)
            if end == index:
                self._close()
                begin = index = index + 1
            else:
                begin = index = end
        if self._open:
            self._found.append(Stretch(self._open, False))
        return self._found

    def _close(self) -> None:
        if self._open:
            self._found.append(Stretch(self._open, True))
            self._open = []

    @staticmethod
    def _is_prose(text: str) -> bool:
        """Tell in passing what most lines are that are no Python."""
        if indentation(text):
            return True
        words = _TWO_WORDS.match(text)
        if words is None:
            return False
        first = words[1]
        return not (iskeyword(first) or issoftkeyword(first)) and words[2] not in _OPERATORS

    def _statement(self, begin: int, index: int) -> int:
        """Take the statement at `index`, or as much of it as parses; return where it ends.

        What does not parse is cut where the parser complained, then where the blocks around that begin.
        """
        end = stop = self._end(index)
        for number in range(_TRIES + _OPENERS):
            tree = parsed(source_of(self._lines[index:stop]), self._budget)
            if isinstance(tree, ast.Module) and tree.body:
                self._open.append(Statement(tuple(tree.body), self._lines[begin:stop]))
                if stop < end:
                    self._close()
                return stop
            if tree is None or isinstance(tree, ast.Module):
                break
            if number < _TRIES:
                stop = min(stop - 1, index + (tree.lineno or 1) - 1)
            else:
                stop = self._opener(index, stop)
            while stop > index and self._lines[stop - 1].code.lstrip()[:1] in ("", "#"):
                stop -= 1
            if stop <= index:
                break
        return index

    def _end(self, index: int) -> int:
        """Return where the statement at `index` ends by its looks."""
        lexer, decorated, end = Lexer(), False, index
        for number in range(index, len(self._lines)):
            text = self._lines[number].code
            if not text.strip() and not lexer.open:
                continue
            if number > index and not indentation(text):
                inside = lexer.open and not (not lexer.quote and _NEVER_INSIDE.match(text))
                comment = text.startswith("#") and not lexer.open
                if comment:
                    continue
                if not inside and not decorated and not _GOES_ON.match(text):
                    break
            if not self._budget.spend(len(text)):
                return index + 1
            decorated = text.startswith("@") if not lexer.open else decorated
            lexer.feed(text)
            end = number + 1
        return end

    def _opener(self, index: int, end: int) -> int:
        """Return the line that the block around line `end` - 1 begins with."""
        width = len(indentation(self._lines[end - 1].code))
        for number in range(end - 2, index, -1):
            text = self._lines[number].code
            if text.strip() and len(indentation(text)) < width:
                return number
        return index
