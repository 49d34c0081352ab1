"""A program from what was chosen: the statements that are needed, the prompt's share, rule and spans."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence

from codesample.extraction.bindings import bound_names
from codesample.extraction.block_readings import Reading
from codesample.extraction.lines import Line, compose, split_lines
from codesample.extraction.reach import Reached, Source, imports_only, reached
from codesample.extraction.rule_names import rule_of
from codesample.extraction.stretches import Budget, Statement, Stretch, stretches
from codesample.records import Extraction

__all__ = ["as_it_stands", "prompt_statements", "with_what_it_needs"]


def prompt_statements(prompt: str, name: str | None, budget: Budget) -> list[Statement]:
    """Return what an answer may use of a prompt that is Python: all but what defines `name`."""
    lines = split_lines(prompt, None)
    found = [each for stretch in stretches(lines, budget) for each in stretch.statements]
    return [each for each in found if name is None or not _is_named(each, name)]


def as_it_stands(reading: Reading, *steps: str) -> Extraction:
    """Return a block's whole text as the program."""
    program, spans = compose(_outer_blanks_off(reading.block.lines))
    return Extraction(program, rule_of(reading.block.place, *steps), spans)


def with_what_it_needs(
    reading: Reading,
    stretch: Stretch,
    roots: set[str] | None,
    prompt: Sequence[Statement],
    others: Sequence[Stretch],
    *,
    steps: Sequence[str] = (),
    last_line: str = "",
) -> Extraction:
    """Make a program of a stretch.

    Args:
        reading: Of the block that the stretch is of.
        stretch: Holds the definitions of `roots`.
        roots: Names to define; None keeps all of the stretch.
        prompt: Statements of the prompt, for names that the stretch does not define.
        others: Further parts of the answer, for names that neither defines.
        steps: What was done so far, for the rule.
        last_line: A line to add at the end.
    """
    main = stretch.statements
    sources = [Source(prompt), *(Source(each.statements) for each in others)]
    kept = reached(Source(main), roots, sources, also=_helpers(prompt) if roots is not None else ())
    program, spans = compose(_lines(kept, main, prompt, others, last_line))
    done = list(steps)
    if any(kept.others[1:]):
        done.append("joined")
    if reading.cut:
        done.append("cut")
    left_out = set(range(len(main))) - set(kept.main)
    if any(line.begin is not None for index in left_out for line in main[index].lines):
        done.append("trimmed")
    if reading.session:
        done.append("session")
    return Extraction(program, rule_of(reading.block.place, *done), _in_order(spans))


def _lines(
    kept: Reached,
    main: Sequence[Statement],
    prompt: Sequence[Statement],
    others: Sequence[Stretch],
    last_line: str,
) -> list[Line]:
    """Order the kept statements: what must stand first, the prompt's, then the answer's as it has them."""
    own = [main[index] for index in kept.main]
    head = 0
    while head < len(own) and _stands_first(own[head], head):
        head += 1
    taken = [
        other.statements[index]
        for other, found in zip(others, kept.others[1:], strict=True)
        for index in found
    ]
    rest = sorted(own[head:] + taken, key=_place) if taken else own[head:]
    of_prompt = [each for index, each in enumerate(prompt) if index in kept.others[0] or _always(each)]
    given = {ast.dump(node) for each in own for node in each.nodes} if of_prompt else set()
    of_prompt = [each for each in of_prompt if not all(ast.dump(node) in given for node in each.nodes)]
    future = [line for each in of_prompt if _is_future(each) for line in each.lines]
    helpers = [line for each in of_prompt if not _is_future(each) for line in each.lines]
    first = [line for each in own[:head] for line in each.lines]
    second = [line for each in rest for line in each.lines]
    lines = _apart(future, _apart(first, helpers, second) if helpers else _outer_blanks_off(first + second))
    if last_line:
        lines += [Line("", None), Line("", None), Line(last_line, None)]
    return lines


def _apart(*parts: Sequence[Line]) -> list[Line]:
    """Put parts one behind the other, a blank line between."""
    lines: list[Line] = []
    for part in filter(None, map(_outer_blanks_off, parts)):
        lines += [Line("", None), *part] if lines else part
    return lines


def _outer_blanks_off(lines: Sequence[Line]) -> list[Line]:
    begin, end = 0, len(lines)
    while begin < end and lines[begin].blank:
        begin += 1
    while end > begin and lines[end - 1].blank:
        end -= 1
    return list(lines[begin:end])


def _stands_first(statement: Statement, index: int) -> bool:
    """Tell whether a statement must stay at the top: the module's docstring, imports from the future."""
    node = statement.nodes[0]
    docstring = index == 0 and isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    return docstring or _is_future(statement)


def _is_future(statement: Statement) -> bool:
    return any(isinstance(node, ast.ImportFrom) and node.module == "__future__" for node in statement.nodes)


def _always(statement: Statement) -> bool:
    """Tell whether a statement of the prompt acts without being named: the future's, and all of a module."""
    return any(
        isinstance(node, ast.ImportFrom) and (node.module == "__future__" or node.names[0].name == "*")
        for node in statement.nodes
    )


def _helpers(prompt: Sequence[Statement]) -> set[str]:
    """Return what a prompt defines, imports aside: the tests may use it too."""
    return bound_names(node for each in prompt if not imports_only(each) for node in each.nodes)


def _is_named(statement: Statement, name: str) -> bool:
    return any(getattr(node, "name", None) == name for node in statement.nodes)


def _place(statement: Statement) -> int:
    return next((line.begin for line in statement.lines if line.begin is not None), -1)


def _in_order(spans: Iterable[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    return tuple(sorted(spans))
