"""The door: an answer, and what was asked for, to a program with the rule that found it."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Sequence

from codesample.extraction.blocks import Block
from codesample.extraction.definitions import definition_in
from codesample.extraction.lines import Line, source_of, split_lines
from codesample.extraction.markup import Marked, marked_blocks
from codesample.extraction.rule_names import rule_of
from codesample.extraction.scripts import script_in
from codesample.extraction.single_values import value_in
from codesample.extraction.special_tokens import between_tokens
from codesample.extraction.stretches import Budget, parsed
from codesample.extraction.thinking import spoken_parts
from codesample.extraction.wanted import Wanted
from codesample.records import Extraction
from codesample.records.validation import validated

__all__ = ["extract"]

_MOST_BLOCKS = 200


@validated
def extract(answer: str, wanted: Wanted) -> Extraction:
    """Return the program that `answer` holds; never fails, whatever the answer is.

    Args:
        answer: What the model wrote, behind `wanted.prefill`.
        wanted: What it was asked for.

    Returns:
        The program; the rule's name, whose parts `describe_rules` explains; and the spans of `answer`, in
        characters, that the program was made of.
    """
    with warnings.catch_warnings():
        # prose and programs may hold odd escapes
        warnings.simplefilter("ignore")
        try:
            found = _found(wanted.prefill + answer, wanted)
        except (RecursionError, MemoryError):
            spans = ((0, len(answer)),) if answer else ()
            return Extraction(answer, rule_of("whole", "unparsed"), spans)
    shifted = ((begin - len(wanted.prefill), end - len(wanted.prefill)) for begin, end in found.spans)
    return Extraction(
        found.program, found.rule, tuple((max(0, begin), end) for begin, end in shifted if end > 0)
    )


def _found(text: str, wanted: Wanted) -> Extraction:
    """Find the program in prefill and answer together."""
    prefilled = len(wanted.prefill)
    spoken = spoken_parts(text)
    lines = _lines(text, spoken.parts)
    if all(line.blank or (line.begin or 0) + len(line.text) <= prefilled for line in lines):
        alone = "" if wanted.shape == "expression" else wanted.prompt
        return Extraction(alone, rule_of("thinking" if spoken.unfinished else "empty"), ())
    budget = Budget(len(text))
    marked = _marked(text, lines, prefilled, budget)
    if wanted.shape == "expression":
        return value_in(text, lines, marked, wanted, budget)
    groups = _groups(marked)
    if not groups:
        return Extraction(wanted.prompt, rule_of("empty"), ())
    find = script_in if wanted.shape == "script" else definition_in
    return find(groups, wanted, budget)


def _marked(text: str, lines: Sequence[Line], prefilled: int, budget: Budget) -> Marked:
    """Return an answer's blocks; in one that is Python throughout, markup stands in strings."""
    if any("```" in line.text or "~~~" in line.text for line in lines):
        tree = parsed(source_of(lines), budget)
        if isinstance(tree, ast.Module) and tree.body:
            return Marked([], [], [], Block(lines, "whole"), [])
    return marked_blocks(text, lines, prefilled=prefilled)


def _lines(text: str, parts: Sequence[tuple[int, int]]) -> list[Line]:
    lines: list[Line] = []
    for begin, end in parts:
        first, last = between_tokens(text, begin, end)
        lines += split_lines(text[first:last], first)
        if last < end:
            break
    return lines


def _groups(marked: Marked) -> list[list[Block]]:
    """Order an answer's blocks by how likely they are what was asked for."""
    likely = [block for block in marked.fenced if block.language != "other"]
    rest = [block for block in marked.fenced if block.language == "other"]
    outside = [] if marked.outside.blank else [marked.outside]
    groups = [marked.final, likely, [*marked.tagged, *outside], rest, marked.inline]
    return [_few(group) for group in groups if group]


def _few(blocks: list[Block]) -> list[Block]:
    """Leave out the middle of more blocks than any honest answer has."""
    return (
        blocks
        if len(blocks) <= _MOST_BLOCKS
        else [*blocks[: _MOST_BLOCKS // 2], *blocks[-_MOST_BLOCKS // 2 :]]
    )
