"""From what a model says a function returns, or is to be called with, to a program that yields a value.

What is right of `assert f(...) ==` is the prediction, read as Python reads that assertion, not as text: what
would make the assertion hold whatever the function does, such as `0 or True`, is no prediction of a value.
"""

from __future__ import annotations

import ast
import re
import warnings

__all__ = ["ENTRY_POINT", "input_program", "output_program"]

ENTRY_POINT = "prediction"
"""Function without arguments that yields the value."""

_ANSWER = re.compile(r"\[ANSWER\](.*?)(?:\[/ANSWER\]|\Z)", re.DOTALL)
_NONE = "raise SyntaxError({reason!r})\n"
_NO_PYTHON = (SyntaxError, ValueError, RecursionError, MemoryError)
# what computes a value from values, and reaches no object that a function is made of
_NAMES = (
    "abs bin bool bytearray bytes chr complex dict divmod enumerate filter float frozenset hex int iter len "
    "list map max min next oct ord pow range repr reversed round set slice sorted str sum tuple zip"
)
_BUILT_IN = frozenset(_NAMES.split())


def output_program(said: str) -> str:
    """Return the program of a predicted result. The function itself is not there, so that none can call it.

    Args:
        said: An expression, or an assertion of `f`'s result, or an answer that holds one in its tags.
    """
    found = _result_of(_inside_tags(said))
    if found is None:
        return _NONE.format(reason="the answer states no result that can be read")
    return _yielding(found)


def input_program(code: str, said: str) -> str:
    """Return the program of predicted arguments: the function, called with them.

    Args:
        code: Defines `f`.
        said: A call of `f`, or an assertion of its result, or an answer that holds one in its tags.
    """
    found = _call_in(_inside_tags(said))
    if found is None:
        return _NONE.format(reason="the answer states no call of f that can be read")
    if trouble := _beyond_values(found, _values_of(code)):
        return _NONE.format(reason=f"the call of f is made of more than values: {trouble}")
    return f"{code.rstrip()}\n\n\n{_yielding(found)}"


def _yielding(value: ast.expr) -> str:
    try:
        return f"def {ENTRY_POINT}():\n    return {ast.unparse(value)}\n"
    except _NO_PYTHON:
        return _NONE.format(reason="the answer states a value that is nested too deep")


def _inside_tags(said: str) -> str:
    """Return what stands in the last pair of answer tags; everything where there is none."""
    found: list[str] = _ANSWER.findall(said) or [said.replace("[/ANSWER]", "")]
    return found[-1].strip()


def _result_of(said: str) -> ast.expr | None:
    for side, other in _sides(said):
        if _is_call(side) and not _is_call(other):
            return other
    match _assertion(f"assert _ == {said}"):
        case ast.Compare(ops=[ast.Eq()], comparators=[value]):
            return value
    return None


def _call_in(said: str) -> ast.Call | None:
    for side, _ in _sides(said):
        if isinstance(side, ast.Call) and _is_call(side):
            return side
    match _assertion(f"assert {said}"):
        case ast.Call() as call if _is_call(call):
            return call
    return None


def _sides(said: str) -> list[tuple[ast.expr, ast.expr]]:
    """Return both sides of an assertion that two values are equal, in either order."""
    statement = said if said.startswith("assert") else f"assert {said}"
    match _assertion(statement):
        case ast.Compare(left=left, ops=[ast.Eq()], comparators=[right]):
            return [(left, right), (right, left)]
    return []


def _assertion(statement: str) -> ast.expr | None:
    """Return what an assertion asserts; None for what is none, or more than one statement."""
    with warnings.catch_warnings():
        # comparing with a literal, odd escapes, an assertion of a tuple
        warnings.simplefilter("ignore")
        try:
            body = ast.parse(statement).body
        except _NO_PYTHON:
            return None
    match body:
        case [ast.Assert(test=test)]:
            return test
    return None


def _is_call(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "f"


def _values_of(code: str) -> set[str]:
    """Return the names that the code of a problem gives to values, beside its function."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        body = ast.parse(code).body
    assigned = [node for node in body if isinstance(node, ast.Assign)]
    targets = [target for node in assigned for target in node.targets]
    return {target.id for target in targets if isinstance(target, ast.Name)} - {"f"}


def _beyond_values(call: ast.Call, given: set[str]) -> str:
    """Say what of a call could change the function that is called; "" for nothing.

    Args:
        given: Names beside the built-in ones that the call may hold.
    """
    bound = given | {node.arg for node in ast.walk(call) if isinstance(node, ast.arg)}
    bound |= {
        node.id for node in ast.walk(call) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }
    called = {id(node.func) for node in ast.walk(call) if isinstance(node, ast.Call) and _is_call(node)}
    for node in ast.walk(call):
        match node:
            case ast.NamedExpr() | ast.Await() | ast.Yield() | ast.YieldFrom():
                return type(node).__name__
            case ast.Attribute(attr=name) if name.startswith("_"):
                return f"attribute {name}"
            case ast.Name(id=name) if name not in _BUILT_IN | bound and id(node) not in called:
                return f"name {name}"
    return ""
