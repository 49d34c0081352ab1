"""Blocks of an answer by any markup: fences, tags, code within a line, and the text outside of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from codesample.extraction.blocks import Block
from codesample.extraction.fences import fenced_blocks
from codesample.extraction.lines import Line, split_lines

__all__ = ["Marked", "marked_blocks", "tagged"]

_TAG = re.compile(
    r"\[(?P<a>/?)(?P<b>PYTHON|CODE|ANSWER|SOLUTION|BEGIN)\]"
    r"|<(?P<c>/?)(?P<d>(?i:code|answer|solution|python|pre|program|final_answer|response))"
    r"(?:[ \t][^<>\n]{0,80})?>"
    r"|\\(?P<e>begin|end)\{(?P<f>code|lstlisting|verbatim|minted|python)\}(?:\{\w{1,20}\})?"
    r"|<\|(?P<g>begin|end)_of_(?P<h>solution)\|>"
)
_QUOTATION = re.compile(r"[ \t]*>(?!>)[ \t]?")
_FINAL = frozenset({"answer", "solution", "final_answer"})
_INLINE = re.compile(r"(?<!`)(`{1,3})(?:python[ \t]+)?([^`\n]+)\1(?!`)")
_MOST_INLINE = 50
_QUOTES = frozenset("\"'`")


class Marked(NamedTuple):
    """The blocks of an answer.

    Attributes:
        final: Fenced blocks that a tag calls the answer.
        fenced: All fenced blocks.
        tagged: What stands between tags.
        outside: The text outside of fences, as one block.
        inline: Code within lines of prose.
    """

    final: list[Block]
    fenced: list[Block]
    tagged: list[Block]
    outside: Block
    inline: list[Block]


def marked_blocks(text: str, lines: Sequence[Line], *, prefilled: int = 0) -> Marked:
    """Return the blocks of an answer, blank ones left out.

    Args:
        text: The answer behind its prefill, prefill included.
        lines: The lines of it that are to be looked at.
        prefilled: The prefill's length in characters.
    """
    fenced, outside = fenced_blocks(lines, prefilled=prefilled)
    tags = list(tagged(text, lines)) if outside else []
    ends = [span for name, span in tags if name in _FINAL]
    final = [block for block in fenced if any(a <= (block.lines[0].begin or 0) < b for a, b in ends)]
    between = [Block(split_lines(text[a:b], a), "tags") for _, (a, b) in tags]
    return Marked(
        final=final,
        fenced=fenced,
        tagged=[block for block in between if not block.blank],
        outside=Block(_unquoted(outside), "whole"),
        inline=[Block([line], "inline") for line in _inline(outside)],
    )


def tagged(text: str, lines: Sequence[Line]) -> Iterator[tuple[str, tuple[int, int]]]:
    """Yield what stands between an opening tag and the closing one, or the end: its name and its span."""
    if not lines:
        return
    begin, end = lines[0].begin or 0, (lines[-1].begin or 0) + len(lines[-1].text)
    open_tags: dict[str, int] = {}
    for tag in _TAG.finditer(text, begin, end):
        if text[tag.start() - 1 : tag.start()] in _QUOTES and text[tag.end() : tag.end() + 1] in _QUOTES:
            continue
        name = (tag["b"] or tag["d"] or tag["f"] or tag["h"]).lower()
        if not (tag["a"] or tag["c"] or "end" in (tag["e"], tag["g"])):
            open_tags.setdefault(name, tag.end())
        elif name in open_tags:
            yield name, (open_tags.pop(name), tag.start())
    for name, start in open_tags.items():
        yield name, (start, end)


def _unquoted(lines: list[Line]) -> list[Line]:
    """Take the marks of a quotation away where every line has one."""
    written = [line for line in lines if not line.blank]
    if not written or not all(_QUOTATION.match(line.text) for line in written):
        return lines
    return [line.behind(len(found[0])) if (found := _QUOTATION.match(line.text)) else line for line in lines]


def _inline(lines: Sequence[Line]) -> Iterator[Line]:
    count = 0
    for line in lines:
        if "`" not in line.text or line.begin is None:
            continue
        for found in _INLINE.finditer(line.text):
            count += 1
            if count > _MOST_INLINE:
                return
            yield Line(found[2].strip(), line.begin + found.start(2) + _blanks(found[2]), "")


def _blanks(text: str) -> int:
    return len(text) - len(text.lstrip())
