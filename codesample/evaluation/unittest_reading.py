"""What the assertions of unittest say, as expressions."""

from __future__ import annotations

import ast

__all__ = ["asserted"]

_SAME = frozenset(
    {"assertEqual", "assertEquals", "assertListEqual", "assertDictEqual", "assertTupleEqual"}
) | {
    *("assertSetEqual", "assertCountEqual", "assertSequenceEqual", "assertMultiLineEqual", "assert_equal"),
}
_ORDERS: dict[str, type[ast.cmpop]] = {
    "assertNotEqual": ast.NotEq,
    "assertIs": ast.Is,
    "assertIsNot": ast.IsNot,
    "assertIn": ast.In,
    "assertNotIn": ast.NotIn,
    "assertGreater": ast.Gt,
    "assertGreaterEqual": ast.GtE,
    "assertLess": ast.Lt,
    "assertLessEqual": ast.LtE,
}


def asserted(name: str, args: list[ast.expr]) -> ast.expr | None:
    """Return what an assertion of unittest asserts; None where it is none that is known."""
    match name, args:
        case _, [first, second, *_] if name in _SAME:
            if name == "assertCountEqual":
                first, second = (
                    ast.Call(ast.Name("sorted", ast.Load()), [each], []) for each in (first, second)
                )
            return ast.Compare(first, [ast.Eq()], [second])
        case _, [first, second, *_] if name in _ORDERS:
            return ast.Compare(first, [_ORDERS[name]()], [second])
        case (("assertAlmostEqual" | "assertAlmostEquals"), [first, second, *_]):
            gap = ast.Call(ast.Name("abs", ast.Load()), [ast.BinOp(first, ast.Sub(), second)], [])
            return ast.Compare(gap, [ast.Lt()], [ast.Constant(1e-7)])
        case (("assertTrue" | "assertTruthy"), [first, *_]):
            return first
        case "assertFalse", [first, *_]:
            return ast.UnaryOp(ast.Not(), first)
        case (("assertIsNone" | "assertIsNotNone"), [first, *_]):
            order: ast.cmpop = ast.Is() if name == "assertIsNone" else ast.IsNot()
            return ast.Compare(first, [order], [ast.Constant(None)])
    return None
