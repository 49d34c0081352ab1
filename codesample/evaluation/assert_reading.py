"""Reads asserts and calls out of what a model wrote, leniently, and runs nothing of it.

What is found is written anew from its syntax tree. A statement is kept if it calls the function asked for
and uses no names beside that, what the prompt defines, a few modules and built-in functions that compute.
"""

from __future__ import annotations

import ast
import builtins
import re
import warnings
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple

from codesample.evaluation.unittest_reading import asserted
from codesample.tasks.examples import prompt_examples

__all__ = ["MODULES", "Found", "literal_value", "modules_in", "read_asserts"]

MODULES = frozenset(
    {"collections", "copy", "datetime", "decimal", "fractions", "functools", "itertools", "json", "math"}
    | {"operator", "random", "re", "statistics", "string"}
)
"""Modules that asserts may use."""

_FUNCTIONS = frozenset(
    name
    for name in dir(builtins)
    if isinstance(getattr(builtins, name), type) or name in ("abs", "all", "any")
) | frozenset(
    {"ascii", "bin", "chr", "divmod", "format", "hash", "hex", "isinstance", "issubclass", "iter", "len"}
    | {"max", "min", "next", "oct", "ord", "pow", "repr", "round", "sorted", "sum", "callable"}
)
_LONGEST_TEXT, _LONGEST, _MOST_LINES, _MOST_NODES = 20_000, 1_500, 20, 2_000
_PREFIX = re.compile(r"^\s*(?:>>>|\.\.\.|[-*]\s|\d+[.)]\s)?\s*`*")
_SAID = re.compile(
    r"#\s*(?:(?:(?:expected|output|outputs|returns?|result|should|be|return|is)\b)[:=\->\s]*)*[:=\->\s]*",
    re.I,
)
_NO_SYNTAX = (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError)


class Found(NamedTuple):
    """A statement that tests the function, or, without one, calls that a text holds.

    Attributes:
        statement: An assert; "" for calls alone.
        call, expected: Its two sides where it compares a call with a literal, else None.
        calls: The calls of the function in it that name nothing but what is known.
    """

    statement: str
    call: str | None
    expected: str | None
    calls: tuple[str, ...]


def read_asserts(text: str, entry_point: str, names: Collection[str] = ()) -> list[Found]:
    """Return the asserts about a function that a text holds, and its calls, in their order.

    Read are assert statements, on one line or several, inside of functions and fences or not; comparisons;
    calls whose value is printed or said in a comment; the assertions of unittest; examples as in a docstring.
    A name that was given a value before stands for it. What is cut off at the end is left out.

    Args:
        text: Whatever a model wrote.
        names: What else the prompt defines.
    """
    reader = _Reader(entry_point, frozenset(names))
    with warnings.catch_warnings():
        # escapes, calls of numbers and the like
        warnings.simplefilter("ignore")
        return list(reader.found_in(text[:_LONGEST_TEXT]))


def literal_value(text: str) -> object:
    """Return the value of a literal.

    Raises:
        ValueError: it is none, or one that is nested too deeply or takes too much memory.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.literal_eval(text)
    except (*_NO_SYNTAX, TypeError) as error:
        raise ValueError(f"not a literal: {text[:80]!r}") from error


def modules_in(texts: Collection[str]) -> tuple[str, ...]:
    """Return the modules that expressions or statements may use, as far as they mention them."""
    return tuple(sorted(name for name in MODULES if any(name in text for text in texts)))


@dataclass(slots=True)
class _Reader:
    entry_point: str
    names: frozenset[str]

    def found_in(self, text: str) -> Iterator[Found]:
        """Yield what a text holds."""
        lines = text.replace("\r\n", "\n").replace("\x00", " ").split("\n")
        given: dict[str, ast.expr] = {}
        at = 0
        while at < len(lines):
            if lines[at].lstrip().startswith(">>>"):
                # its value stands on the lines that follow
                end = self._end_of_example(lines, at)
                if found := list(self._of_examples("\n".join(lines[at:end]), given)):
                    yield from found
                    at = end
                    continue
            piece, size = _piece(lines, at)
            at += size
            if not any(mark in piece for mark in (self.entry_point, "candidate", "=")):
                continue
            if piece.lstrip().startswith(("def ", "class ", "for ")):
                given.clear()
            found = list(self._of_text(piece, given))
            if not found and "assert" not in piece:
                # a call, an arrow and a value
                found = list(self._of_examples(piece, given))
            yield from found

    def _end_of_example(self, lines: list[str], at: int) -> int:
        end = at + 1
        others = (">>>", "assert", "print", "def ", "#", '"""', "```", "'''", f"{self.entry_point}(")
        while end < len(lines) and lines[end].strip() and not lines[end].lstrip().startswith(others):
            end += 1
        return end

    def _of_examples(self, text: str, given: dict[str, ast.expr]) -> Iterator[Found]:
        for pair in prompt_examples(text, self.entry_point):
            yield from self._of_text(f"assert ({pair.call}) == ({pair.expected})", given)

    def _of_text(self, piece: str, given: dict[str, ast.expr]) -> Iterator[Found]:
        with suppress(*_NO_SYNTAX):
            for node in _parsed(piece):
                yield from self._of_statement(node, piece, given)

    def _of_statement(self, node: ast.stmt, piece: str, given: dict[str, ast.expr]) -> Iterator[Found]:
        match node:
            case ast.FunctionDef(body=body) | ast.With(body=body) | ast.For(body=body) | ast.If(body=body):
                if isinstance(node, ast.FunctionDef):
                    given.clear()
                for each in body:
                    yield from self._of_statement(each, piece, given)
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                given[name] = self._known(value, given)
            case ast.Assert(test=test):
                yield from self._of_test(self._known(test, given))
            case ast.Expr(value=value):
                yield from self._of_expression(self._known(value, given), piece)

    def _known(self, node: ast.expr, given: dict[str, ast.expr]) -> ast.expr:
        """Put what names stand for in their places, and the function for what stands for it."""
        spelt: ast.expr = _Spelt(self.entry_point, given).visit(node)
        _expect_small(spelt)
        return spelt

    def _of_expression(self, node: ast.expr, piece: str) -> Iterator[Found]:
        match node:
            case ast.Compare():
                yield from self._of_test(node)
            case ast.Call(func=ast.Attribute(attr=name) | ast.Name(id=name), args=args) if (
                name.startswith("assert") and args
            ):
                test = asserted(name, args)
                if test is not None:
                    yield from self._of_test(test)
            case ast.Call(func=ast.Name(id="print"), args=[value, *_]):
                yield from self._of_expression(value, piece)
            case ast.Call():
                if (said := _said(piece)) is not None and self._calls(node):
                    yield from self._of_test(ast.Compare(node, [ast.Eq()], [said]))
                elif calls := self._calls(node):
                    yield Found("", None, None, calls)

    def _of_test(self, test: ast.expr) -> Iterator[Found]:
        calls = self._calls(test)
        if not self._mentions(test) or not self._allowed(test):
            return
        statement = ast.unparse(ast.fix_missing_locations(ast.Assert(test=test)))
        if len(statement) > _LONGEST or "\n" in statement:
            return
        statement.encode()
        compile(statement, "<test>", "exec", dont_inherit=True)
        call = expected = None
        match test:
            case ast.Compare(left=left, ops=[ast.Eq()], comparators=[right]):
                if self._mentions(right) and not self._mentions(left):
                    left, right = right, left
                if not self._mentions(right):
                    with suppress(ValueError):
                        literal_value(written := ast.unparse(right))
                        call, expected = ast.unparse(left), written
                        statement = f"assert {call} == {expected}"
        yield Found(statement, call, expected, calls)

    def _mentions(self, node: ast.AST) -> bool:
        return any(self._is_call(each) for each in ast.walk(node))

    def _is_call(self, node: ast.AST) -> bool:
        match node:
            case ast.Call(func=ast.Name(id=name)):
                return name == self.entry_point
        return False

    def _calls(self, node: ast.AST) -> tuple[str, ...]:
        """Return the calls within that stand by themselves: outermost, of nothing that is bound around."""
        found: dict[str, None] = {}
        todo = [node]
        while todo:
            each = todo.pop(0)
            if isinstance(each, ast.expr) and self._is_call(each) and self._allowed(each):
                text = ast.unparse(each)
                if len(text) <= _LONGEST and "\n" not in text and text.isprintable():
                    found[text] = None
                    continue
            todo.extend(ast.iter_child_nodes(each))
        return tuple(found)

    def _allowed(self, node: ast.expr) -> bool:
        """Whether an expression names nothing that is unknown, and reaches for nothing inside of objects."""
        nodes = list(ast.walk(node))
        bound = {each.id for each in nodes if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)}
        bound |= {each.arg for each in nodes if isinstance(each, ast.arg)}
        known = bound | self.names | {self.entry_point} | MODULES | _FUNCTIONS
        for each in nodes:
            match each:
                case ast.Name(id=name) if name not in known:
                    return False
                case ast.Attribute(attr=name) if name.startswith("_"):
                    return False
                case ast.Await() | ast.Yield() | ast.YieldFrom() | ast.NamedExpr():
                    return False
        return True


class _Spelt(ast.NodeTransformer):
    """Writes the function's name wherever it is called, and values for the names that hold them."""

    def __init__(self, entry_point: str, given: dict[str, ast.expr]) -> None:
        self._entry_point, self._given = entry_point, given

    def visit_Name(self, node: ast.Name) -> ast.expr:
        """Put in a value."""
        return self._given.get(node.id, node) if isinstance(node.ctx, ast.Load) else node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """Call the function by its name, whatever it was given as."""
        match node.func:
            case ast.Attribute(attr=name) if name == self._entry_point:
                node.func = ast.Name(name, ast.Load())
            case ast.Name(id="candidate"):
                node.func = ast.Name(self._entry_point, ast.Load())
        return self.generic_visit(node)


def _expect_small(node: ast.AST) -> None:
    """Raise ValueError for a tree that is too large; values put in for names let it grow without end."""
    left, todo = _MOST_NODES, [node]
    while todo:
        left -= 1
        todo.extend(ast.iter_child_nodes(todo.pop()))
        if left < len(todo):
            raise ValueError("too large to be a test")


def _parsed(piece: str) -> list[ast.stmt]:
    """Parse a piece as it stands, or without what marks it as an item of a list or an example."""
    for text in (piece.strip(), _PREFIX.sub("", piece).strip().rstrip("`").strip()):
        with suppress(*_NO_SYNTAX):
            return ast.parse(text).body
    return []


def _piece(lines: list[str], at: int) -> tuple[str, int]:
    """Return a line, with those that follow it as long as a bracket is open, and how many they are."""
    text = lines[at]
    open_ = _open(text)
    size = 1
    while open_ > 0 and at + size < len(lines) and size < _MOST_LINES and len(text) < _LONGEST:
        text += "\n" + lines[at + size]
        open_ += _open(lines[at + size])
        size += 1
    if open_ > 0 and size > 1:
        # it never closes: what follows is read by itself
        return lines[at], 1
    return (text if len(text) <= 2 * _LONGEST else ""), size


_STRINGS = re.compile(r"'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\"|#.*")


def _open(line: str) -> int:
    """Return how many brackets a line opens and does not close; strings and comments do not count."""
    if not any(bracket in line for bracket in "([{)]}"):
        return 0
    bare = _STRINGS.sub("", line[: 2 * _LONGEST])
    return sum(bare.count(each) for each in "([{") - sum(bare.count(each) for each in ")]}")


def _said(piece: str) -> ast.expr | None:
    """Return the value that a comment at the end of a line states; None where it states none."""
    line = piece.rstrip().rpartition("\n")[2]
    # a mark within a text begins no comment
    bare = _STRINGS.sub(lambda found: found[0] if found[0][0] == "#" else "_" * len(found[0]), line)
    at = bare.find("#")
    if at < 0:
        return None
    text = _SAID.sub("", line[at:], count=1).strip()
    with suppress(ValueError, *_NO_SYNTAX):
        literal_value(text)
        return ast.parse(text, mode="eval").body
    return None
