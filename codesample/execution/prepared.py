"""Tests made ready once for all programs of a problem: compiled, names found, expected results known."""

from __future__ import annotations

import ast
import builtins
import copy
import importlib
import random
import symtable
import sys
from dataclasses import dataclass, field
from types import CodeType
from typing import Any

from codesample.execution import codec
from codesample.execution.spawner import HarnessFault
from codesample.records import Tests

__all__ = ["SEED", "Prepared", "prepare"]

SEED = 0
"""Of `random`, in tests and programs alike."""

_BUILTINS = frozenset(dir(builtins)) | {"__name__", "__file__", "__doc__", "__builtins__"}


@dataclass(slots=True)
class Prepared:
    """Compiled tests of one problem.

    Attributes:
        tests: Where they came from.
        stub, body: Compiled `Tests.stub` and `Tests.source`.
        checks: Compiled `Tests.checks`.
        names: Names that the program must supply, the entry point first.
        modules: Standard modules that the tests use without importing them.
        inputs_json: Encoded list of `Tests.inputs`.
        expected: What the reference returned for each of `Tests.inputs`.
        oracle: The function `accept` of `Tests.oracle`, if there is one.
    """

    tests: Tests
    stub: CodeType
    body: CodeType
    checks: list[CodeType]
    names: list[str]
    modules: dict[str, Any]
    inputs_json: bytes = b"[]"
    expected: list[Any] = field(default_factory=list)
    oracle: Any = None

    def namespace(self) -> dict[str, Any]:
        """Return fresh globals in which the stub has run."""
        names: dict[str, Any] = {"__name__": "tests", **self.modules}
        exec(self.stub, names)
        return names


def prepare(tests: Tests) -> Prepared:
    """Compile `tests`, find the names they need, and run the reference on the inputs.

    Raises:
        HarnessFault: the tests are no Python, or the reference fails on its own inputs.
    """
    try:
        stub = compile(tests.stub, "<stub>", "exec")
        body = compile(tests.source, "<tests>", "exec")
        checks = [compile(check, "<check>", "exec") for check in tests.checks]
    except (SyntaxError, ValueError) as error:
        raise HarnessFault(f"the tests are not valid Python: {error}") from None
    wanted, modules = _undefined("\n".join((tests.stub, tests.source, *tests.checks)))
    if tests.entry_point:
        wanted = [tests.entry_point, *(name for name in wanted if name != tests.entry_point)]
        modules.discard(tests.entry_point)
    loaded = {name: importlib.import_module(name) for name in modules}
    prepared = Prepared(tests, stub, body, checks, wanted, loaded)
    if tests.inputs is not None:
        prepared.inputs_json = codec.encode(list(tests.inputs))
        _run_reference(prepared)
    return prepared


def _undefined(source: str) -> tuple[list[str], set[str]]:
    """Global names that `source` reads and never binds: those the program supplies, and modules."""
    table = symtable.symtable(source, "<tests>", "exec")
    bound = {symbol.get_name() for symbol in table.get_symbols() if _binds(symbol)}
    read: dict[str, None] = {}
    pending = [table]
    while pending:
        scope = pending.pop()
        for symbol in scope.get_symbols():
            if symbol.is_global() and symbol.is_assigned():
                bound.add(symbol.get_name())
            if symbol.is_referenced() and (symbol.is_global() or scope is table):
                read[symbol.get_name()] = None
        pending.extend(scope.get_children())
    missing = [name for name in read if name not in bound and name not in _BUILTINS]
    attributes = {
        node.value.id
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
    }
    modules = {name for name in missing if name in attributes and name in sys.stdlib_module_names}
    return [name for name in missing if name not in modules], modules


def _binds(symbol: symtable.Symbol) -> bool:
    return symbol.is_assigned() or symbol.is_imported() or symbol.is_namespace()


def _run_reference(prepared: Prepared) -> None:
    tests = prepared.tests
    random.seed(SEED)
    names = prepared.namespace()
    try:
        exec(compile(tests.reference or "", "<reference>", "exec"), names)
        function = names[tests.entry_point]
        prepared.expected = [_plain(function(*copy.deepcopy(item))) for item in tests.inputs or ()]
        if tests.oracle:
            exec(compile(tests.oracle, "<oracle>", "exec"), names)
            prepared.oracle = names["accept"]
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"[:300]
        raise HarnessFault(f"the reference does not run on its own inputs: {reason}") from None


def _plain(value: Any) -> Any:
    """Return `value` as it would arrive from a program, so that both sides are compared as data."""
    return codec.decode(codec.encode(value))
