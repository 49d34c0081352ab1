"""Finds the one value or call that was asked for: between tags, in a fence, behind "==", on the last line."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from codesample.extraction.lines import Line
from codesample.extraction.markup import Marked
from codesample.extraction.rule_names import rule_of
from codesample.extraction.stretches import Budget, parsed
from codesample.extraction.wanted import Wanted
from codesample.records import Extraction

__all__ = ["value_in"]

_LABEL = re.compile(
    r"(?i)(?:\*\*|__|#+[ \t]*)?(?:final[ \t]+)?(?:answer|output|result|prediction|returns?|value|input)\b"
    r"[^:=\n]{0,40}(?:[:=]|\bis\b)(?:\*\*|__)?[ \t]*|####[ \t]*"
)
_BEHIND = re.compile(r"->|=>|→|\breturns?\b|\bis\b|\bbe\b|:|=|>>>")
_ROW = re.compile(r"[^\r\n]*(?:\r\n|\r|\n|\Z)")
_AROUND = frozenset(" \t\r\n\f*`")
_BOXED = re.compile(r"\\boxed\{")
# what values are written with, beside constants and brackets
_TYPES = frozenset(
    {
        "set",
        "frozenset",
        "dict",
        "list",
        "tuple",
        "float",
        "complex",
        "bytes",
        "bytearray",
        "range",
        "inf",
        "nan",
    }
    | {
        "Counter",
        "OrderedDict",
        "defaultdict",
        "deque",
        "Decimal",
        "Fraction",
        "datetime",
        "date",
        "timedelta",
    }
)
_LAST_LINES = 12
_MOST = 20_000


class _Candidate(NamedTuple):
    """A part of the text that may be the value: where it stands, and how it was found."""

    begin: int
    end: int
    place: str


def value_in(text: str, lines: Sequence[Line], marked: Marked, wanted: Wanted, budget: Budget) -> Extraction:
    """Return the value or, where `wanted.name` is given, the call of it that an answer states.

    Args:
        text: The answer behind its prefill, prefill included.
        lines: The lines of it that are to be looked at.
        marked: Its blocks.
        wanted: An expression.
        budget: For what is read.
    """
    second: tuple[int, int, str] | None = None
    for candidate in _candidates(text, lines, marked):
        found = _expression(text, candidate, wanted.name, budget)
        if found is None:
            continue
        begin, end, sure = found
        if sure:
            return Extraction(text[begin:end], rule_of(candidate.place), ((begin, end),))
        second = second or (begin, end, candidate.place)
    if second:
        begin, end, place = second
        return Extraction(text[begin:end], rule_of(place), ((begin, end),))
    return _last_words(text, lines)


def _last_words(text: str, lines: Sequence[Line]) -> Extraction:
    """Return the last line that says anything, for an honest error."""
    spans = [(line.begin or 0, (line.begin or 0) + len(line.text)) for line in lines if not line.blank]
    stripped = [(begin, end) for begin, end in (_stripped(text, *span) for span in spans) if begin < end]
    begin, end = (stripped or spans)[-1]
    return Extraction(text[begin:end], rule_of("value", "unparsed"), ((begin, end),))


def _candidates(text: str, lines: Sequence[Line], marked: Marked) -> Iterator[_Candidate]:
    """Yield the parts to try, the most telling first."""
    whole = _span(lines)
    for block in reversed(marked.tagged):
        yield _Candidate(*_span(block.lines), "tags")
    for word in ("[/ANSWER]", "</answer>"):
        end = text.find(word, whole[0], whole[1])
        if end >= 0:
            yield _Candidate(whole[0], end, "tags")
    for block in reversed(marked.final or marked.fenced):
        yield _Candidate(*_span(block.lines), block.place)
    yield _Candidate(*whole, "whole")
    for found in reversed(list(_BOXED.finditer(text, *whole))[-3:]):
        yield _Candidate(found.end(), _closing(text, found.end(), whole[1]), "value")
    for found in reversed(list(_LABEL.finditer(text, *whole))[-5:]):
        line_end = text.find("\n", found.end(), whole[1])
        line_end = whole[1] if line_end < 0 else line_end
        yield _Candidate(found.end(), line_end, "value")
        yield _Candidate(found.end(), whole[1], "value")
    for block in reversed(marked.inline):
        yield _Candidate(*_span(block.lines), "inline")
    written = [line for line in lines if not line.blank and line.begin is not None]
    for line in reversed(written[-_LAST_LINES:]):
        begin, end = line.begin or 0, (line.begin or 0) + len(line.text)
        yield _Candidate(begin, end, "value")
        for found in list(_BEHIND.finditer(text, begin, end))[-8:]:
            yield _Candidate(found.end(), end, "value")


def _expression(
    text: str, part: _Candidate, name: str | None, budget: Budget
) -> tuple[int, int, bool] | None:
    """Return the span of the expression that a part of the text is, and whether it is what was asked for."""
    begin, end = _stripped(text, part.begin, part.end)
    if not begin < end or end - begin > _MOST:
        return None
    prose = part.place == "value" and text[end - 1] == "."
    for stop in (end - 1, end) if prose else (end,):
        tree = parsed(text[begin:stop], budget)
        if not isinstance(tree, ast.Module) or not tree.body:
            continue
        asked = [_asked_for(node, name) for node in reversed(tree.body)]
        node = next((each for each in asked if each is not None), None)
        if node is not None:
            a, b = _place(text, begin, stop, node)
            return a, b, _is_call(node, name) if name else _is_plain(node)
    return None


def _asked_for(statement: ast.stmt, name: str | None) -> ast.expr | None:
    """Return the expression of a statement that states one: alone, assigned, or on a side of "=="."""
    node: ast.expr | None
    if isinstance(statement, ast.Assert):
        node = statement.test
    elif isinstance(statement, ast.Expr | ast.Assign | ast.AnnAssign):
        node = statement.value
    else:
        return None
    if isinstance(node, ast.Compare) and len(node.ops) == 1 and isinstance(node.ops[0], ast.Eq):
        left, right = node.left, node.comparators[0]
        if name:
            node = right if _is_call(right, name) and not _is_call(left, name) else left
        elif isinstance(left, ast.Call | ast.Name) or not isinstance(right, ast.Call | ast.Name):
            node = right
        else:
            node = left
    return node if node is not None and _says_something(node) else None


def _says_something(node: ast.expr) -> bool:
    """Tell a value from a word of prose that happens to parse."""
    parts = list(ast.walk(node))
    if any(isinstance(part, ast.Constant) and part.value is not ... for part in parts):
        return True
    return isinstance(node, ast.List | ast.Tuple | ast.Dict | ast.Set | ast.Call) and len(parts) < 500


def _is_plain(node: ast.expr) -> bool:
    """Tell whether an expression is a value by itself: it names nothing but types of values."""
    return all(part.id in _TYPES for part in ast.walk(node) if isinstance(part, ast.Name))


def _is_call(node: ast.expr, name: str | None) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name


def _place(text: str, begin: int, end: int, node: ast.expr) -> tuple[int, int]:
    """Return the span of a node: its columns count bytes, and brackets around it belong to it."""
    rows = _ROW.findall(text[begin:end])
    starts = [0]
    for row in rows:
        starts.append(starts[-1] + len(row))

    def at(line: int, column: int) -> int:
        return begin + starts[line - 1] + len(rows[line - 1].encode()[:column].decode())

    first, last = at(node.lineno, node.col_offset), at(node.end_lineno or 1, node.end_col_offset or 0)
    while text[begin:first].rstrip().endswith("(") and text[last:end].lstrip().startswith(")"):
        if _calls(text, begin, first):
            break
        first = begin + len(text[begin:first].rstrip()) - 1
        last = end - len(text[last:end].lstrip()) + 1
    return first, last


def _calls(text: str, begin: int, first: int) -> bool:
    """Tell whether the bracket before `first` is a call's."""
    before = text[begin:first].rstrip()[:-1].rstrip()
    return bool(before) and (before[-1].isalnum() or before[-1] in "_])") and not before.endswith("assert")


def _closing(text: str, begin: int, end: int) -> int:
    depth = 1
    for position in range(begin, min(end, begin + 2000)):
        depth += {"{": 1, "}": -1}.get(text[position], 0)
        if depth == 0:
            return position
    return end


def _span(lines: Sequence[Line]) -> tuple[int, int]:
    return lines[0].begin or 0, (lines[-1].begin or 0) + len(lines[-1].text)


def _stripped(text: str, begin: int, end: int) -> tuple[int, int]:
    """Leave out blanks and the marks of emphasis and code around a part of the text."""
    while begin < end and text[begin] in _AROUND:
        begin += 1
    while end > begin and text[end - 1] in _AROUND:
        end -= 1
    return begin, end
