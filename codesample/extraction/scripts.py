"""Finds the program that reads its input among the blocks of an answer: it is kept whole."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence

from codesample.extraction.bindings import bound_names
from codesample.extraction.block_readings import Reading, defines, lifted, reading_of
from codesample.extraction.blocks import Block
from codesample.extraction.continuation import continued, open_prompt
from codesample.extraction.definitions import is_corrected
from codesample.extraction.lines import source_of
from codesample.extraction.programs import as_it_stands, prompt_statements, with_what_it_needs
from codesample.extraction.stretches import Budget, Statement, Stretch
from codesample.extraction.wanted import Wanted
from codesample.records import Extraction

__all__ = ["script_in"]

_READS = re.compile(r"\b(?:input|raw_input)\s*\(|\bstdin\b|\bopen\s*\(\s*0|\bfileinput\b|/dev/stdin")
_WRITES = re.compile(r"\bprint\s*\(|\bstdout\b")
_ASIDE = re.compile(
    r"(?i)\b(?:alternativ\w*|another (?:way|approach|solution)|example|test(?:s|ing)?|usage|instead)\b"
)


def script_in(groups: Sequence[Sequence[Block]], wanted: Wanted, budget: Budget) -> Extraction:
    """Return the script that an answer holds, or else the best guess.

    Args:
        groups: The answer's blocks, those that are most likely code first; in each group in their order.
        wanted: A script.
        budget: For what is read.
    """
    readings = [[reading_of(block, budget) for block in group] for group in groups]
    prompt = prompt_statements(wanted.prompt, None, budget) if wanted.prompt else []
    for group in readings:
        chosen = _whole(group)
        if chosen:
            return _program(chosen, prompt, group)
    opened = open_prompt(wanted.prompt, wanted.name, budget) if wanted.prompt else None
    for group in readings:
        for reading in group if opened else ():
            together = continued(opened, reading, budget) if opened else None
            if together:
                return _program((together, _longest(together)), [], [], "continuation")
    for group in readings:
        chosen = _best(group, wanted.name, budget)
        if chosen:
            return _program(chosen, prompt, group)
    first = readings[0][0]
    return as_it_stands(first, "unparsed")


def _whole(group: Sequence[Reading]) -> tuple[Reading, Stretch] | None:
    """Return the last script that reads and writes, but for those that the answer gives as asides."""
    chosen: tuple[Reading, Stretch] | None = None
    for reading in group:
        for stretch in reading.stretches:
            source = source_of([line for each in stretch.statements for line in each.lines])
            if not (_READS.search(source) and _WRITES.search(source)):
                continue
            prose = reading.block.prose
            if chosen is None or is_corrected(prose) or not _ASIDE.search(prose):
                chosen = reading, stretch
    return chosen


def _best(group: Sequence[Reading], name: str | None, budget: Budget) -> tuple[Reading, Stretch] | None:
    """Return the stretch that defines `name`, or else the longest one that does something."""
    found = [(reading, stretch) for reading in group for stretch in reading.stretches]
    for reading in group:
        if not found and (moved := lifted(reading, budget)):
            found += [(moved, stretch) for stretch in moved.stretches]
    if name:
        named = [(r, s) for r, s in found if any(defines(each, name) for each in s.statements)]
        found = named or found
    found = [(reading, stretch) for reading, stretch in found if _without_words(stretch).statements]
    return max(found, key=lambda pair: _length(pair[1]), default=None)


def _program(
    chosen: tuple[Reading, Stretch], prompt: Sequence[Statement], group: Sequence[Reading], *steps: str
) -> Extraction:
    reading, stretch = chosen
    others = [each for other in group if other.last_end != reading.last_end for each in other.stretches]
    kept = _without_words(stretch)
    done = [*steps, "cut"] if len(kept.statements) < len(stretch.statements) else list(steps)
    return with_what_it_needs(reading, kept, None, prompt, others, steps=done)


def _without_words(stretch: Stretch) -> Stretch:
    """Leave out words of prose at either end that happen to parse, such as "Done" or "Note"."""
    statements = list(stretch.statements)
    names = bound_names([node for each in statements for node in each.nodes])
    while statements and _is_words(statements[-1], names):
        statements.pop()
    while statements and _is_words(statements[0], names):
        statements.pop(0)
    return Stretch(statements, stretch.cut)


def _is_words(statement: Statement, names: set[str]) -> bool:
    for node in statement.nodes:
        if isinstance(node, ast.AnnAssign) and node.value is None:
            continue
        if not isinstance(node, ast.Expr):
            return False
        parts = list(ast.walk(node.value))
        if isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            return False
        if any(isinstance(part, ast.Call | ast.Await | ast.Yield | ast.NamedExpr) for part in parts):
            return False
        if any(isinstance(part, ast.Name) and part.id in names for part in parts):
            return False
    return True


def _longest(reading: Reading) -> Stretch:
    return max(reading.stretches, key=_length)


def _length(stretch: Stretch) -> int:
    return sum(not line.blank for each in stretch.statements for line in each.lines)
