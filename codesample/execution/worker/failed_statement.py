"""Which statement of the tests failed, and what it compared: words for people, which no status depends on.

Asserts are compiled so that what they compare is still there when they fail. For

    assert f(2) == 5

    assert (@left := f(2)) == (@right := 5)
    del @left, @right

is run, where a name that begins with "@" can be nobody else's. Values are then held as long as before: not
beyond an assert that holds. Where somebody could see the difference, an assert stays as it is.
"""

from __future__ import annotations

import ast
import dis
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import islice
from types import CodeType, FrameType, TracebackType

from codesample.execution.worker.raised import crossed
from codesample.execution.worker.readings import brief
from codesample.execution.worker.text_places import Place, Statements

__all__ = ["Text", "located", "read_text", "with_statements"]

_LEFT, _RIGHT = "@left", "@right"
_LOOKS_AROUND = re.compile(
    r"\b(?:locals|globals|vars|dir|inspect|traceback|_getframe|tb_frame|gc|weakref|getrefcount|"
    r"exec|eval|settrace|setprofile|dis|__code__|__del__)\b"
)
"""What could show names and lives of values; tests with such a word are compiled as they are."""
_RAISE = dis.opmap["RAISE_VARARGS"]
_LONGEST = 200
_SIGNS = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Is: "is",
    ast.IsNot: "is not",
    ast.In: "in",
    ast.NotIn: "not in",
}


@dataclass(frozen=True, slots=True)
class Text:
    """A text of the tests that is ready to run.

    Attributes:
        code: Compiled.
        name: Of the text, in words; its lines are counted where there are several.
        statements: Of the text.
        words: By where an assert whose values are noted begins, what to say of them.
    """

    code: CodeType
    name: str
    statements: Statements
    words: Mapping[Place, str]

    def place(self, line: int, column: int | None) -> str:
        """Say where a place is and what stands there."""
        where = f"line {line} of {self.name}" if self.statements.lines > 1 else self.name
        return f"{where}: {_cut(self.statements.text(line, column))}".removesuffix(": ")


def read_text(source: str, filename: str, name: str) -> Text:
    """Compile a text of trusted tests, with the values of its asserts noted.

    Args:
        source: Python, free of this module's own `__future__` statements.
        filename: What it is called in its frames, unlike any other.
        name: See `Text`.

    Raises:
        SyntaxError, ValueError, RecursionError, MemoryError: it cannot be compiled.
    """
    code = compile(source, filename, "exec", dont_inherit=True)
    try:
        tree = ast.parse(source)
        statements = Statements(source, tree)
        words: dict[Place, str] = {}
        if not _LOOKS_AROUND.search(source):
            _note_values(tree, words)
        if words:
            code = compile(tree, filename, "exec", dont_inherit=True)
    except (RecursionError, MemoryError):
        # deep texts are compiled all the same
        return Text(code, name, Statements(source, None), {})
    return Text(code, name, statements, words)


def located(detail: str, error: BaseException, texts: Mapping[str, Text]) -> str:
    """Add to what is said of an exception where in the tests it happened, and what was compared there.

    The program is asked for nothing.

    Args:
        detail: What was said; its last line stays the last.
        error: What ended test code.
        texts: By their file names.
    """
    step = error.__traceback__
    found, last = None, None
    while step is not None:
        last = step
        if step.tb_frame.f_code.co_filename in texts:
            found = step
        step = step.tb_next
    if found is None:
        return detail
    text = texts[found.tb_frame.f_code.co_filename]
    line, column = _position(found)
    if found is last and _is_raised_here(found) and type(error) is AssertionError and not crossed(error):
        start = text.statements.start(line, column)
        values = _values(found.tb_frame, text.words.get(start, "") if start else "")
        detail = f"{detail.removesuffix(' ')}{values and _joint(detail)}{values}"
    return f"{text.place(line, column)}\n{detail}"


def _position(step: TracebackType) -> tuple[int, int | None]:
    """Return line and column of what a step of a traceback was at; the column where Python kept it."""
    positions = step.tb_frame.f_code.co_positions()
    line, _, column, _ = next(islice(positions, step.tb_lasti // 2, None), (None,) * 4)
    return (step.tb_lineno, None) if line is None else (line, column)


def _is_raised_here(step: TracebackType) -> bool:
    """Whether the statement itself raises, and nothing that it calls."""
    return step.tb_frame.f_code.co_code[step.tb_lasti] == _RAISE


def with_statements(detail: str, source: str, check: str | None) -> str:
    """Add to a traceback that a program's process gave, after each place in the tests, what stands there.

    Args:
        detail: The traceback; not to be trusted, and nothing is that comes of it.
        source: Of the tests.
        check: Of the step that failed; None where that was `source`.
    """
    body = _unread(source)
    step = body if check is None else _unread(check)

    def named(match: re.Match[str]) -> str:
        text = (step if match["name"] == "<module>" else body).text(int(match["line"]), None)
        return f"{match[0]}: {_cut(text)}" if text else match[0]

    return _PLACES.sub(named, detail)


# many programs fail the same tests
_unread = lru_cache(maxsize=16)(partial(Statements, tree=None))

# what is further from the margin is part of a message
_PLACES = re.compile(
    r'^(?:  File "<tests>"|<tests>), line (?P<line>\d{1,6}), in (?P<name>\S+)$', re.MULTILINE
)


def _joint(detail: str) -> str:
    return " " if detail.rstrip().endswith(":") else "; "


def _note_values(tree: ast.AST, words: dict[Place, str]) -> None:
    """Have the asserts of functions and modules keep what they compare, where nobody catches them."""
    pending = [tree]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Try | ast.TryStar | ast.With | ast.AsyncWith | ast.Match | ast.expr):
            continue
        for field in ("body", "orelse"):
            block = getattr(node, field, None)
            if isinstance(block, list):
                pending += block
                if not isinstance(node, ast.ClassDef):
                    block[:] = [each for inner in block for each in _noting(inner, words)]


def _noting(node: ast.stmt, words: dict[Place, str]) -> Iterator[ast.stmt]:
    yield node
    if not isinstance(node, ast.Assert):
        return
    kept = []
    match node.test:
        case ast.Compare(left=left, ops=[operator], comparators=[right]):
            words[node.lineno, node.col_offset] = _words(left, operator, right)
            node.test.left, node.test.comparators = _keeping(_LEFT, left), [_keeping(_RIGHT, right)]
            kept = [_LEFT, _RIGHT]
        case ast.UnaryOp(op=ast.Not(), operand=value):
            words[node.lineno, node.col_offset] = "got {left}"
            node.test.operand, kept = _keeping(_LEFT, value), [_LEFT]
        case ast.Call() | ast.Name() | ast.Subscript() | ast.Attribute():
            words[node.lineno, node.col_offset] = "got {left}"
            node.test, kept = _keeping(_LEFT, node.test), [_LEFT]
    if kept:
        targets: list[ast.expr] = [ast.copy_location(ast.Name(name, ast.Del()), node) for name in kept]
        yield ast.copy_location(ast.Delete(targets), node)


def _keeping(name: str, value: ast.expr) -> ast.expr:
    target = ast.copy_location(ast.Name(name, ast.Store()), value)
    return ast.copy_location(ast.NamedExpr(target, value), value)


def _words(left: ast.expr, operator: ast.cmpop, right: ast.expr) -> str:
    """Return what to say of two values that do not compare so."""
    if isinstance(operator, ast.Eq | ast.Is):
        stated = [not any(isinstance(each, ast.Call) for each in ast.walk(side)) for side in (left, right)]
        if stated == [True, True]:
            stated = [
                not any(isinstance(each, ast.Name) for each in ast.walk(side)) for side in (left, right)
            ]
        if stated == [False, True]:
            return "got {left}, expected {right}"
        if stated == [True, False]:
            return "got {right}, expected {left}"
    return f"{{left}} {_SIGNS[type(operator)]} {{right}} is false"


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."


def _values(frame: FrameType, words: str) -> str:
    held = frame.f_locals
    if not words or _LEFT not in held:
        return ""
    values = {name[1:]: _cut(brief(held.get(name))).replace("\n", " ") for name in (_LEFT, _RIGHT)}
    return words.format(**values)
