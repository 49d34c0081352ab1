"""Where the function ends that a text completes, found while the text grows."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from codesample.extraction.lexer import Lexer
from codesample.extraction.lines import indentation, split_lines

__all__ = ["FunctionEnd", "ends_in_function"]

# prompts of one call are few
_REMEMBERED = 256
# a "\r" at the end of what there is may be the first half of a line's end
_LINE = re.compile(r"([^\r\n]*)(?:\r\n|\n|\r(?!\Z))")
_FUNCTION = re.compile(r"(?:async\s+)?def\s+(\w+)")
_DEFINITION = re.compile(r"(?:(?:async\s+)?def|class)\s+(\w+)\s*[(:\[]")
# beginnings of lines of which more has to be seen: definitions up to their names, and imports
_UNDECIDED = re.compile(
    r"a|as|asy|asyn|async(?:\s+(?:d|de|def(?:\s+\w*\s*)?)?)?|d|de|def(?:\s+\w*\s*)?|"
    r"c|cl|cla|clas|class(?:\s+\w*\s*)?"
)
_IMPORT, _IMPORT_BEGUN = (
    re.compile(r"(?:import|from)\s"),
    re.compile(r"i|im|imp|impo|impor|import|f|fr|fro|from"),
)

_BINDS = r"\b(?:def|class|as|for|import|lambda)\s+NAME\b|^\s*NAME\s*(?:=(?!=)|,|:)|\bNAME\s*:="


class _Opened(NamedTuple):
    """What a prompt leaves open.

    Attributes:
        column: Indentation of the outermost function that is open, or None.
        names: Of what is open with it.
        lexer: What is open behind its whole lines.
        tail: Its last line, where that has no end.
    """

    column: int | None
    names: frozenset[str]
    lexer: Lexer
    tail: str


def ends_in_function(prompt: str) -> bool:
    """Tell whether a prompt ends within a function, so that what continues it belongs to that."""
    return _opened(prompt).column is not None


class FunctionEnd:
    """Reads a text that continues a prompt, and finds where its function ends.

    It ends before the first line, outside of strings and brackets, that is indented no deeper than its `def`.
    Blank lines, comments and decorators decide nothing; what they lead to does. A function or class that the
    text before it names is a helper, and goes on. Where the prompt opens no function, or the text begins with
    a function of its own, that one counts.

    Args:
        prompt: Python up to somewhere within a function, or before one.
    """

    def __init__(self, prompt: str) -> None:
        self._opened = _opened(prompt)
        self._begin()

    def find(self, text: str, changed: int) -> int | None:
        """Return where the function ends, in characters of the text: behind its last line; None: not yet.

        Args:
            text: All that there is behind the prompt.
            changed: Where it begins to differ from the text of the last call.
        """
        if changed < self._read - len(self._opened.tail):
            self._begin()
        whole = self._opened.tail + text
        while (line := _LINE.match(whole, self._read)) is not None:
            if self._ends_at(line[1], whole=True):
                return self._place(text)
            self._take(line[1], line.end())
        rest = whole[self._read :].rstrip("\r")
        return self._place(text) if self._ends_at(rest, whole=False) else None

    def safe(self, text: str) -> int:
        """Return how much of a text in which `find` found no end stays, whatever comes."""
        rest = (self._opened.tail + text)[self._read :]
        if self._column is None or self._belongs(rest):
            return len(text)
        return self._place(text)

    def _begin(self) -> None:
        opened = self._opened
        self._column, self._names, self._lexer = opened.column, set(opened.names), opened.lexer.copy()
        # characters read, and those up to the end of the last line that is kept
        self._read = self._kept = 0
        # of the function behind the prompt
        self._code: list[str] = []

    def _place(self, text: str) -> int:
        return min(len(text), max(0, self._kept - len(self._opened.tail)))

    def _belongs(self, line: str) -> bool:
        """Whether a line is the function's by where it stands."""
        begun_in_prompt = self._read < len(self._opened.tail.rstrip())
        deeper = bool(line.strip()) and self._column is not None and _width(line) > self._column
        return self._lexer.open or begun_in_prompt or deeper

    def _ends_at(self, line: str, *, whole: bool) -> bool:
        """Tell whether the function has ended before a line, of which more may come."""
        code = line.lstrip(" \t\f")
        if self._column is None or not code.strip() or code[0] in "#@" or self._belongs(line):
            return False
        if not whole and (_UNDECIDED.fullmatch(code) or (not self._code and _IMPORT_BEGUN.fullmatch(code))):
            return False
        if not self._code and (_IMPORT.match(code) or _FUNCTION.match(code)):
            return False
        found = _DEFINITION.match(code)
        return found is None or not self._is_helper(found[1])

    def _take(self, line: str, read: int) -> None:
        """Read a whole line, before which the function has not ended."""
        belongs, continued = self._belongs(line), self._lexer.open
        self._lexer.feed(line)
        self._read = read
        code = line.strip()
        if not continued and (not code or (code[0] in "#@" and not belongs)):
            return
        self._kept = read
        begun = None if belongs and self._column is not None else _DEFINITION.match(code)
        if begun is not None and (self._code or _FUNCTION.match(code)):
            self._column = _width(line)
            self._names.add(begun[1])
        elif belongs and self._column is not None and code[:1] != "#":
            self._code.append(line)

    def _is_helper(self, name: str) -> bool:
        """Tell whether the function names what it does not bind itself."""
        used, bound = re.compile(rf"\b{name}\b"), re.compile(_BINDS.replace("NAME", name))
        lines = [line for line in self._code if used.search(line)]
        return bool(lines) and name not in self._names and not any(map(bound.search, lines))


@lru_cache(_REMEMBERED)
def _opened(prompt: str) -> _Opened:
    path: list[tuple[int, str, bool]] = []
    lexer, tail = Lexer(), ""
    for line in split_lines(prompt):
        code = line.text.strip()
        if code and code[0] != "#" and not lexer.open:
            width = _width(line.text)
            while path and path[-1][0] >= width:
                path.pop()
            found = _FUNCTION.match(code)
            if found or _DEFINITION.match(code):
                path.append((width, found[1] if found else "", found is not None))
        if line.end:
            lexer.feed(line.text)
        else:
            tail = line.text
    functions = [(width, name) for width, name, is_function in path if is_function]
    column = functions[0][0] if functions else None
    return _Opened(column, frozenset(name for _, name in functions), lexer, tail)


def _width(line: str) -> int:
    # a form feed begins the line anew for whoever counts columns, as Python does
    return len(indentation(line).rpartition("\f")[2].expandtabs(8))
