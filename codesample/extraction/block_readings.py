"""A block read as Python: its stretches, which of them define a name, and what of it is left unread."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from codesample.extraction.bindings import bound_names
from codesample.extraction.blocks import Block
from codesample.extraction.lines import Line, indentation, without_indentation
from codesample.extraction.reach import imports_only
from codesample.extraction.stretches import Budget, Statement, Stretch, stretches

__all__ = ["Reading", "defines", "is_stub", "lifted", "method_of", "reading_of"]

_PROMPT = re.compile(r"[ \t]*(?:>>>|\.\.\.)(?: |$)")
_FIRST_PROMPT = re.compile(r"[ \t]*>>>(?: |$)")
_DEFINITION = re.compile(r"[ \t]+(?:(?:def|class|import|from|async)[ \t]|@\w|\w+[ \t]*=[^=])")


@dataclass(frozen=True, slots=True)
class Reading:
    """A block and the Python in it.

    Attributes:
        block: As found; its lines are what was read.
        stretches: Of those lines.
        session: Whether they came from an interpreter session.
    """

    block: Block
    stretches: list[Stretch]
    session: bool = False

    @property
    def last_end(self) -> int:
        """Where its last line ends in the answer: that tells blocks apart, however they are shifted."""
        ends = (each.begin + len(each.text) for each in reversed(self.block.lines) if each.begin is not None)
        return next(ends, -1)

    @property
    def cut(self) -> bool:
        """Whether some of its lines, comments aside, are no Python."""
        read = sum(_written(each.lines) for stretch in self.stretches for each in stretch.statements)
        return read < _written(self.block.lines)


def reading_of(block: Block, budget: Budget) -> Reading:
    """Read a block; prompts and outputs of an interpreter are taken away first."""
    lines = block.lines
    first = next((line.text for line in lines if not line.blank), "")
    session = bool(_FIRST_PROMPT.match(first))
    if session:
        lines = [line.behind(found.end()) for line in lines if (found := _PROMPT.match(line.text))]
    return Reading(block._replace(lines=lines), stretches(lines, budget), session)


def lifted(reading: Reading, budget: Budget) -> Reading | None:
    """Read the block anew with definitions that stand indented moved to the left; None if there are none."""
    lines: list[Line] = []
    width, fresh, moved = 0, True, False
    for line in reading.block.lines:
        if not line.blank:
            indented = bool(indentation(line.text))
            if not indented:
                width, fresh = 0, True
            elif fresh:
                width = len(indentation(line.text)) if _DEFINITION.match(line.text) else 0
                fresh, moved = False, moved or width > 0
        lines.append(without_indentation(line, width))
    if not moved:
        return None
    return Reading(reading.block._replace(lines=lines), stretches(lines, budget), reading.session)


def defines(statement: Statement, name: str | None) -> bool:
    """Tell whether a statement gives `name`, or for None any function or class, and is no stub."""
    if name is None:
        return any(_is_definition(node) and not is_stub(node) for node in statement.nodes)
    return (
        name in bound_names(statement.nodes)
        and not imports_only(statement)
        and not any(is_stub(node) for node in statement.nodes if getattr(node, "name", None) == name)
    )


def method_of(statement: Statement, name: str) -> ast.ClassDef | None:
    """Return the class with a method `name` that is no stub, if the statement is one."""
    for node in statement.nodes:
        if isinstance(node, ast.ClassDef):
            for part in node.body:
                if isinstance(part, ast.FunctionDef) and part.name == name and not is_stub(part):
                    return node
    return None


def is_stub(node: ast.AST) -> bool:
    """Tell whether a definition holds nothing but a docstring, `pass`, `...` or "not implemented"."""
    if isinstance(node, ast.ClassDef):
        return bool(node.body) and all(is_stub(part) or _says_nothing(part) for part in node.body)
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return all(_says_nothing(part) for part in node.body)
    return False


def _is_definition(node: ast.AST) -> bool:
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)


def _says_nothing(node: ast.stmt) -> bool:
    if isinstance(node, ast.Raise):
        return "NotImplemented" in ast.dump(node)[:200]
    return isinstance(node, ast.Pass) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))


def _written(lines: Iterable[Line] | Sequence[Line]) -> int:
    return sum(not line.blank and not line.text.lstrip().startswith("#") for line in lines)
