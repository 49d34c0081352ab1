"""A body without its signature: put behind the prompt, with the indentation that the prompt asks for."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from codesample.extraction.bindings import needed_names
from codesample.extraction.block_readings import Reading, is_stub
from codesample.extraction.lexer import Lexer
from codesample.extraction.lines import Line, indentation, source_of, split_lines, without_indentation
from codesample.extraction.stretches import Budget, Statement, Stretch, parsed, stretches

__all__ = ["OpenPrompt", "continued", "open_prompt"]

_RETURN = re.compile(r"(?:return|raise)\b")
_MOST = 50_000
"""Characters of a body; more are none, and would be read several times."""

_Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


class OpenPrompt(NamedTuple):
    """A prompt that ends in a definition which waits for its body.

    Attributes:
        lines: Of the prompt.
        indent: What the body is to be indented by.
        name: Of the outermost definition that is open.
        parameters: Of the function that is open.
    """

    lines: list[Line]
    indent: str
    name: str
    parameters: frozenset[str]


def open_prompt(prompt: str, name: str | None, budget: Budget) -> OpenPrompt | None:
    """Return the prompt as one to continue; None where it ends in no definition, or in none of `name`."""
    lines = split_lines(prompt, None)
    while lines and lines[-1].blank:
        lines.pop()
    if not lines:
        return None
    lines[-1] = lines[-1]._replace(end=lines[-1].end or "\n")
    tree = parsed(source_of(lines), budget)
    if not isinstance(tree, ast.Module):
        waiting = Line(indentation(lines[-1].text) + "    pass", None)
        tree = parsed(source_of([*lines, waiting]), budget)
        if not isinstance(tree, ast.Module):
            return None
    path = _open_definitions(tree)
    if not path or (name is not None and name not in [node.name for node in path]):
        return None
    inner = path[-1]
    first = inner.body[0]
    indent = " " * first.col_offset
    if first.lineno <= len(lines) and first.lineno > inner.lineno:
        indent = indentation(lines[first.lineno - 1].text)
    arguments = [each.arg for each in ast.walk(inner) if isinstance(each, ast.arg)]
    return OpenPrompt(lines, indent, path[0].name, frozenset(arguments))


def continued(prompt: OpenPrompt, reading: Reading, budget: Budget) -> Reading | None:
    """Return the prompt with the block as its body, read as one block; None where it is no body."""
    if sum(len(line.text) for line in reading.block.lines) > _MOST:
        return None
    best: tuple[int, Reading] | None = None
    for lines in _indented(reading.block.lines, prompt.indent):
        together = [*prompt.lines, *lines]
        found = stretches(together, budget)
        taken = _taken(prompt, found)
        if taken and (best is None or taken > best[0]):
            best = (taken, Reading(reading.block._replace(lines=together), found, reading.session))
            if not _goes_on(lines, taken):
                break
    return best[1] if best else None


def _goes_on(lines: Sequence[Line], taken: int) -> bool:
    """Tell whether what follows the lines taken is indented, so that it belonged to the body as well."""
    rest = [line for line in lines if not line.blank][taken:]
    return bool(rest) and bool(indentation(rest[0].code))


def _open_definitions(tree: ast.Module) -> list[_Definition]:
    """Return the definitions that are open where a module ends, the outermost first."""
    path: list[_Definition] = []
    body: Sequence[ast.stmt] = tree.body
    while body and isinstance(body[-1], _Definition):
        path.append(body[-1])
        body = body[-1].body
    return path


def _indented(lines: Sequence[Line], indent: str) -> Iterator[list[Line]]:
    """Yield ways to indent a body: as it is, shifted as a whole, or its first line brought in line."""
    lines = list(lines)
    while lines and lines[0].blank:
        lines.pop(0)
    if not lines:
        return
    if indentation(lines[0].text):
        yield lines
    inside = _inside_strings(lines)
    common = _common(lines, inside)
    end = len(lines) if common else _behind_return(lines)
    yield [*_shifted(lines[:end], inside[:end], common, indent), *lines[end:]]
    first, rest = lines[0], lines[1:]
    first = first.behind(len(indentation(first.text)))._replace(indent=indent)
    if rest:
        yield [first, *rest]
        yield [first, *_shifted(rest, inside[1:], _common(rest, inside[1:]), indent)]
        if first.text.rstrip().endswith(":"):
            yield [first, *_shifted(rest, inside[1:], _common(rest, inside[1:]), indent + "    ")]


def _behind_return(lines: Sequence[Line]) -> int:
    """Return where a body that is not indented ends: behind its first `return`, or with the lines."""
    lexer, returned = Lexer(), False
    for index, line in enumerate(lines):
        returned = returned or (not lexer.open and bool(_RETURN.match(line.text)))
        lexer.feed(line.text)
        if returned and not lexer.open:
            return index + 1
    return len(lines)


def _shifted(lines: Sequence[Line], inside: Sequence[bool], common: str, indent: str) -> list[Line]:
    shifted = []
    for line, in_string in zip(lines, inside, strict=True):
        if not line.blank and not in_string:
            line = without_indentation(line, len(common))._replace(indent=indent)
        shifted.append(line)
    return shifted


def _common(lines: Sequence[Line], inside: Sequence[bool]) -> str:
    """Return the indentation that the lines share; those within a string do not count."""
    common: str | None = None
    for line, in_string in zip(lines, inside, strict=True):
        if line.blank or in_string:
            continue
        own = indentation(line.text)
        if common is None:
            common = own
        while not own.startswith(common):
            common = common[:-1]
    return common or ""


def _inside_strings(lines: Sequence[Line]) -> list[bool]:
    lexer, inside = Lexer(), []
    for line in lines:
        inside.append(bool(lexer.quote))
        lexer.feed(line.text)
    return inside


def _taken(prompt: OpenPrompt, found: Sequence[Stretch]) -> int:
    """Count the lines of the answer that became the body of the open definition; 0 if they are no body."""
    for stretch in found:
        for statement in stretch.statements:
            node = statement.nodes[-1]
            if (
                isinstance(node, _Definition)
                and node.name == prompt.name
                and _is_body(prompt, statement, node)
            ):
                return sum(line.begin is not None and not line.blank for line in statement.lines)
    return 0


def _is_body(prompt: OpenPrompt, statement: Statement, node: _Definition) -> bool:
    if is_stub(node):
        return False
    path = _open_definitions(ast.Module([node], []))
    inner = next((each for each in path if not isinstance(each, ast.ClassDef)), path[-1])
    if isinstance(inner, ast.ClassDef):
        return True
    doing = [each for each in inner.body if not isinstance(each, _Definition | ast.Import | ast.ImportFrom)]
    doing = [
        each for each in doing if not (isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant))
    ]
    if not doing:
        return False
    if any(isinstance(each, ast.Return | ast.Yield | ast.YieldFrom | ast.Raise) for each in ast.walk(inner)):
        return True
    kept = [line for line in statement.lines if line.begin is not None and not line.blank]
    if kept and not kept[0].indent and indentation(kept[0].text):
        return True
    calls_itself = inner.name in needed_names(doing)
    return bool(kept) and not calls_itself and bool(needed_names(doing) & prompt.parameters)
