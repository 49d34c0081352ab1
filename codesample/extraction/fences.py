"""Fenced blocks of an answer, as models write them: unclosed, doubled, in lists, in quotes, nested."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from codesample.extraction.blocks import Block, Language, language_of
from codesample.extraction.lexer import Lexer
from codesample.extraction.lines import Line, indentation, without_indentation

__all__ = ["Fenced", "fenced_blocks"]

_OPENING = re.compile(
    r"(?P<lead>[ \t]*(?P<quote>(?:>[ \t]?)*)(?:(?:[-*+]|\d{1,3}[.)])[ \t]+)?)"
    r"(?P<mark>`{3,}|~{3,})(?P<info>[^`]*)"
)
# a fence at the end of a line of prose
_LATE_OPENING = re.compile(r"(?P<lead>[^`]*[^`\"'\s][ \t]*)(?P<mark>`{3,})(?P<info>[ \t]*[\w+-]*)[ \t]*")
_CODE_IN_INFO = re.compile(r"[ \t]*(?:i?py(?:thon)?3?)?[ \t]+(?=(?:def|class|import|from|async)[ \t]|@)")
_FENCE = re.compile(r"[ \t]*(`{3,}|~{3,})")
_LATE_CLOSING = re.compile(r"(?P<code>[^`]*[^`\s][ \t]*)`{3,}[ \t]*")
_QUOTE = re.compile(r"[ \t]*(?:>[ \t]?)*")
_CODE = re.compile(r"(?:def|class|import|from|async|for|while|if|return|with|try)\b|@|#|[ \t]+\S|[\w, ]+=")
_NESTING = frozenset({"markdown", "md", "mdx"})
# lines behind a fence that stands in a string; more are not looked at for the string's end
_LOOK_AHEAD = 2000
_SINGLE_WORD = re.compile(r"[ \t]*\{?[.\w+#:-]*\}?[ \t]*")


class Fenced(NamedTuple):
    """The blocks between fences, in their order, and the lines outside of them."""

    blocks: list[Block]
    outside: list[Line]


class _Opening(NamedTuple):
    """A line that opens a block: where it stands, and what the block's lines owe to it."""

    at: int
    mark: str
    info: str
    width: int
    quote: bool
    first: tuple[Line, ...]
    begin: int

    @property
    def language(self) -> Language:
        """What the block is said to hold."""
        return language_of(self.info)

    @property
    def nesting(self) -> bool:
        """Whether it is a block of Markdown, which holds blocks."""
        return self.info.strip().lower() in _NESTING

    def unquoted(self, line: Line) -> Line:
        """Return a line of the block without the marks of the quotation that the block stands in."""
        marks = _QUOTE.match(line.text) if self.quote else None
        return line.behind(marks.end()) if marks else line


class _End(NamedTuple):
    """Where a block ends: its lines, the index of the next line to read, and whether a fence closed it."""

    lines: list[Line]
    next: int
    closed: bool


def fenced_blocks(lines: Sequence[Line], *, prefilled: int = 0) -> Fenced:
    """Return the fenced blocks of an answer, empty ones left out.

    Args:
        lines: All lines to look at.
        prefilled: How many characters before the answer's own were given to the model.
    """
    blocks: list[Block] = []
    outside: list[Line] = []
    prose: list[str] = []
    index, fences = 0, 0
    while index < len(lines):
        opening = _opening(lines[index], index)
        if opening is None:
            outside.append(lines[index])
            prose.append(lines[index].text)
            index += 1
            continue
        fences += 1
        if fences == 1 and _closes_what_came_before(lines, opening, outside):
            blocks.append(Block(outside, "half fence"))
            outside, prose, index = [], [], index + 1
            continue
        prose.append(lines[index].text[: opening.begin])
        end = _end(lines, opening)
        index = end.next
        place = "fence" if end.closed else "half fence"
        if (lines[opening.at].begin or 0) < prefilled:
            place = "prefill"
        found = _nested(end.lines, opening) or [Block(end.lines, place, opening.language)]
        found = [block for block in found if not block.blank]
        if found:
            blocks.append(found[0]._replace(prose="\n".join(prose)))
            blocks += found[1:]
            prose = []
    return Fenced(blocks, outside)


def _opening(line: Line, index: int) -> _Opening | None:
    text = line.text
    if "```" not in text and "~~~" not in text:
        return None
    found = _OPENING.fullmatch(text) or _LATE_OPENING.fullmatch(text)
    if found is None:
        return None
    info = found["info"]
    first: tuple[Line, ...] = ()
    code = _CODE_IN_INFO.match(info)
    if code:
        first = (line.behind(found.start("info") + code.end()),)
        info = code[0].strip() or "python"
    quote = found.groupdict().get("quote") or ""
    width = len(found["lead"]) if found.re is _OPENING and not quote else 0
    return _Opening(index, found["mark"], info, width, bool(quote), first, found.start("mark"))


def _end(lines: Sequence[Line], opening: _Opening) -> _End:
    """Read a block: it ends at the first fence outside of a string of Python.

    Where a string is never closed, it ends at the first fence; where all are, it was left open.
    """
    if opening.nesting:
        return _end_of_nesting(lines, opening)
    lexer = Lexer()
    python = opening.language != "other"
    content = list(opening.first)
    for line in content:
        lexer.feed(line.text)
    fallback: _End | None = None
    width: int | None = None
    for index in range(opening.at + 1, len(lines)):
        line = opening.unquoted(lines[index])
        fence = _FENCE.match(line.text)
        if fence and fence[1].startswith(opening.mark):
            opens = _opens(line.text[fence.end() :])
            end = _End(list(content), index + (not opens), not opens)
            if not (python and lexer.quote):
                return end
            fallback = fallback or end
        elif fallback and index > fallback.next + _LOOK_AHEAD:
            break
        if width is None and not line.blank:
            # a fence may stand further in than its code
            width = min(opening.width, len(indentation(line.text)))
        line = without_indentation(line, width or 0)
        if python:
            late = _LATE_CLOSING.fullmatch(line.text) if "```" in line.text else None
            if late and not lexer.behind(late["code"]).quote:
                return _End([*content, line.until(late.end("code"))], index + 1, True)
            lexer.feed(line.text)
        content.append(line)
    else:
        if not lexer.quote:
            # every string was closed, so the fences stood in strings and the block was left open
            fallback = None
    return fallback or _End(content, len(lines), False)


def _end_of_nesting(lines: Sequence[Line], opening: _Opening) -> _End:
    """Read a block of Markdown: the fences in it come in pairs."""
    depth = 0
    for index in range(opening.at + 1, len(lines)):
        fence = _FENCE.match(lines[index].text)
        if not fence or not fence[1].startswith(opening.mark):
            continue
        if lines[index].text[fence.end() :].strip():
            depth += 1
        elif depth:
            depth -= 1
        else:
            return _End(list(lines[opening.at + 1 : index]), index + 1, True)
    return _End(list(lines[opening.at + 1 :]), len(lines), False)


def _opens(info: str) -> bool:
    """Tell whether a fence within a block opens another one: it names a language."""
    named = info.split()
    return bool(named) and (bool(_SINGLE_WORD.fullmatch(info)) or language_of(named[0]) == "python")


def _nested(lines: list[Line], opening: _Opening) -> list[Block] | None:
    """Return the blocks within a block of Markdown, or within one whose first line is a fence again."""
    first = next((line for line in lines if not line.blank), None)
    if first is None:
        return None
    if opening.nesting or (_FENCE.match(first.text) and len(opening.mark) > 3):
        return fenced_blocks(lines).blocks or None
    return None


def _closes_what_came_before(lines: Sequence[Line], opening: _Opening, outside: list[Line]) -> bool:
    """Tell whether an answer's first fence closes a block that was opened before the answer."""
    if opening.info.strip() or opening.begin or opening.first:
        return False
    first = next((line.text for line in outside if not line.blank), "")
    if not _CODE.match(first):
        return False
    fences = sum(bool(_FENCE.match(line.text)) for line in lines[opening.at :])
    return fences % 2 == 1 and indentation(lines[opening.at].text) == ""
