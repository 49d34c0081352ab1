"""Normal forms of docstring text and of source code, by which `mini` and the corpus are proved disjoint."""

from __future__ import annotations

import ast
import builtins
import re

from codesample.errors import DataError

__all__ = ["normal_forms"]

_NOT_WORD = re.compile(r"[^a-z]+")
_BUILTINS = frozenset(dir(builtins))


class _Rename(ast.NodeTransformer):
    """Names every bound or called name by the order of its first appearance, and drops annotations."""

    def __init__(self) -> None:
        self.names: dict[str, str] = {}

    def _new(self, name: str) -> str:
        return self.names.setdefault(name, f"v{len(self.names)}")

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.name, node.returns = self._new(node.name), None
        self.generic_visit(node)
        return node

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.arg, node.annotation = self._new(node.arg), None
        return node

    def visit_Name(self, node: ast.Name) -> ast.AST:
        if node.id not in _BUILTINS:
            node.id = self._new(node.id)
        return node


def _normal_text(docstring: str, names: list[str]) -> str:
    text = docstring.split(">>>")[0]
    for name in names:
        text = re.sub(rf"\b{re.escape(name)}\b", "argument", text)
    return _NOT_WORD.sub(" ", text.lower()).strip()


def normal_forms(source: str) -> tuple[str, str]:
    """Return a function's docstring and syntax tree in forms that wording details and naming do not change.

    Args:
        source: Python whose last statement defines a function with a docstring.

    Returns:
        The words of the docstring up to its first example (lower case, without digits and punctuation,
        names of function and arguments made one word), and the dump of the tree (names made uniform in the
        order of their appearance, docstring and annotations dropped).

    Raises:
        SyntaxError: `source` is not Python.
        DataError: its last statement is no function definition.
    """
    tree = ast.parse(source)
    function = tree.body[-1]
    if not isinstance(function, ast.FunctionDef):
        got = type(function).__name__
        raise DataError(f"source ends in {got}: expected a function definition as its last statement")
    names = [function.name, *(argument.arg for argument in function.args.args)]
    text = _normal_text(ast.get_docstring(function) or "", names)
    function.body = function.body[1:]
    return text, ast.dump(_Rename().visit(tree))
