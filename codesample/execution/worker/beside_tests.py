"""Judge by Python that runs beside the program, in its process: for tests that cannot be split from it.

What they say is what Python says. A program can fake it by more than the easy ways, which
`child/watch.py` sees, so the verdict's integrity is "weak". They need not be trusted.
"""

from __future__ import annotations

import ast
import builtins
import functools
import importlib.util
import re
import secrets
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import ClassVar

from codesample.execution.limits import Limits
from codesample.execution.wire import codec
from codesample.execution.wire.channel import frame
from codesample.execution.worker.checklist import (
    Checklist,
    Finding,
    Judged,
    Once,
    Start,
    here,
    judge_process,
    settle,
)
from codesample.execution.worker.exchange import Exchange
from codesample.execution.worker.failed_statement import with_statements
from codesample.execution.worker.faults import NO_PYTHON, TestsFault, Trouble, compiled
from codesample.execution.worker.form_rules.scopes import Names, parsed
from codesample.execution.worker.pace import Pace, pace_of
from codesample.execution.worker.raised import set_apart
from codesample.execution.worker.remote import PROGRAM_MODULE, SEED, Remote
from codesample.records import CodeTests, Status

__all__ = ["PreparedBeside", "prepare_beside"]

_NOT_THE_TESTS = "the program answered in place of the tests"
_STATUSES = {"wrong": Status.WRONG, "error": Status.ERROR, "memory": Status.MEMORY}
_PLAIN = (ast.Constant, ast.List, ast.Tuple, ast.Dict, ast.Set, ast.Name, ast.UnaryOp, ast.USub, ast.Load)
_OURS = {PROGRAM_MODULE, "__main__"}
_PATCHING = {
    *("setattr", "delattr", "patch", "patch_object", "monkeypatch", "vars", "__dict__", "globals", "modules"),
    *("__setattr__", "__delattr__"),
}
"""Attributes, functions and imported names that change what is in a module by a name given as a text."""
_DYNAMIC = {"__name__", "__qualname__", "__dict__", "getmembers"}
_LISTING = {"dir", "vars", "getmembers"}
"""Attributes, and functions, that give names which stand nowhere in a text."""
_NAMES_IN_TEXT = re.compile(r"\s*[\w.]+\s*")


@dataclass(frozen=True, slots=True)
class PreparedBeside:
    """Tests that are handed over as text, with what was read off those that are trusted.

    Attributes:
        tests: Where it came from.
        demanded: Modules that the tests cannot do without.
        imports: Modules of the standard library that they import anywhere.
        built_in: Names that they take for built-in ones.
        helpers: Functions that they define for good, and methods, as "Class.method".
        cases: Classes that they derive from `unittest.TestCase` alone, for good; each with what it may have.
        changes: Names under which they may change what is in modules and classes; None for any that their
            text has.
        pace: How long loading the program, the tests' source and each check may take.
    """

    tests: CodeTests
    demanded: tuple[str, ...] = ()
    imports: tuple[str, ...] = ()
    built_in: tuple[str, ...] = ()
    helpers: tuple[str, ...] = ()
    cases: tuple[tuple[str, ...], ...] = ()
    changes: tuple[str, ...] | None = None
    pace: Pace = field(default_factory=lambda: Pace(None))

    integrity: ClassVar[str] = "weak"
    alone: ClassVar[bool] = False

    def judge(self, source: str, limits: Limits, start: Start, once: Once = here) -> Judged:
        """Judge a program; see `kinds.Prepared`."""
        missing = [name for name in self.demanded if not _importable(name, bool(limits.imports))]
        if missing:
            raise TestsFault(f"the tests import what is not there: {', '.join(missing)}")

        def run(source: str, allowance: Callable[[int], float]) -> Judged:
            return once(
                lambda: judge_process(
                    lambda remote: self.find(source, remote, limits.check_seconds),
                    limits,
                    start,
                    allowance=allowance,
                )
            )

        return self.pace.judge(source, run)

    def find(self, source: str, remote: Remote, check_seconds: float) -> Finding:
        """Run program and tests in the child; nothing but the pass of a step counts as its good end."""
        checklist = Checklist(len(self.tests.checks))
        return settle(checklist, lambda: self._run(source, remote.exchange, checklist), check_seconds)

    def _run(self, source: str, exchange: Exchange, checklist: Checklist) -> None:
        tests = self.tests
        passes = [b'["pass","%s"]' % secrets.token_hex(16).encode() for _ in range(2 + len(tests.checks))]
        frames = [frame(item) for item in passes]
        names = (self.imports, self.built_in, self.helpers)
        read_off = [*map(list, names), [list(case) for case in self.cases]]
        read_off.append(None if self.changes is None else list(self.changes))
        asked = codec.encode(["beside", source, PROGRAM_MODULE, SEED, len(frames[0])])
        # each pass comes back as it went, without a number
        for message in (asked, b"".join(frames), codec.encode([tests.source, list(tests.checks), *read_off])):
            exchange.send(message, answered=False)
        for number, expected in enumerate(passes):
            exchange.step()
            body = exchange.receive(numbered=False)
            trouble = None if body == expected else _trouble(body)
            if trouble is not None and trouble.status not in _STATUSES.values():
                exchange.stop(*trouble)
            if trouble is not None and number:
                check = tests.checks[number - 2] if number > 1 else None
                trouble = trouble._replace(detail=with_statements(trouble.detail, tests.source, check))
            if number >= 2:
                checklist.add(trouble)
            elif trouble is not None:
                checklist.end(trouble)
                return


def _trouble(body: bytes) -> Trouble:
    """Return what a message that is no pass says of the program."""
    try:
        parts = codec.decode(body)
    except codec.CodecError:
        parts = None
    match parts:
        case ["failed", str(status), str(detail)] if status in _STATUSES:
            return Trouble(_STATUSES[status], set_apart(detail))
        case ["caught", str(detail)]:
            return Trouble(Status.UNSUPPORTED_VALUE, set_apart(detail))
    return Trouble(Status.CRASHED, _NOT_THE_TESTS)


def prepare_beside(tests: CodeTests, *, trusted: bool) -> PreparedBeside:
    """Make tests ready that run beside programs.

    Args:
        tests: Those that are not trusted are not looked into here: whatever is wrong with them is found
            beside the program, and less of what they rely on is watched.
        trusted: Whether they are.

    Raises:
        TestsFault: trusted tests are no Python.
    """
    if not trusted:
        return PreparedBeside(tests, pace=pace_of(tests))
    trees = []
    for text in (tests.source, *tests.checks):
        try:
            compiled(text, "tests")
            trees.append(parsed(text))
        except NO_PYTHON as error:
            raise TestsFault(f"the tests are not valid Python: {error}") from None
    nodes = [node for tree in trees for node in ast.walk(tree)]
    _expect_tests_that_run([node for tree in trees for node in tree.body], nodes)
    names = Names(trees)
    # tests of nothing else test a program that is called like a built-in
    only_built_in = not tests.entry_point and names.missing <= set(dir(builtins))
    assumed = set() if only_built_in else names.missing.intersection(dir(builtins)) - {tests.entry_point}
    imports = {name for node in nodes for name in _imported(node)}
    return PreparedBeside(
        tests,
        demanded=tuple(sorted(set[str]().union(*map(_demanded, trees)) - _OURS)),
        imports=tuple(sorted(name for name in imports if name.partition(".")[0] in sys.stdlib_module_names)),
        built_in=tuple(sorted(assumed)),
        helpers=tuple(sorted(_helpers(trees[0], nodes))),
        cases=tuple(_given(each, nodes) for each in _for_good(trees[0], nodes) if _is_case(each)),
        changes=_changes(nodes),
        pace=pace_of(tests),
    )


@functools.cache
def _importable(name: str, packages: bool) -> bool:
    """Whether programs find a module: of the standard library, or with `packages` an installed one."""
    if name not in sys.stdlib_module_names and (not packages or name == "codesample"):
        return False
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False


def _imported(node: ast.AST) -> list[str]:
    """Return the modules that a statement imports; for `from a import b`, a and perhaps a.b."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.module and not node.level:
        return [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return []


def _demanded(tree: ast.AST) -> set[str]:
    """Return the top names of modules that are imported where no `try` could spare them."""
    found: set[str] = set()
    pending = [tree]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Try) and node.handlers:
            continue
        found.update(name.partition(".")[0] for name in _imported(node))
        pending.extend(ast.iter_child_nodes(node))
    return found


def _expect_tests_that_run(statements: list[ast.stmt], nodes: list[ast.AST]) -> None:
    """Raise TestsFault where tests are defined, and nothing is done but that."""
    imported = {
        (alias.asname or alias.name).partition(".")[0]
        for node in nodes
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    others = frozenset(imported | set(dir(builtins)))
    if any(map(_is_test, statements)) and not any(_runs(each, others) for each in statements):
        raise TestsFault("the tests define tests and run none of them, so every program would pass")


def _is_test(node: ast.stmt) -> bool:
    """Whether a statement defines what a runner of tests would look for."""
    if not isinstance(node, (*_DEFINING, ast.AsyncFunctionDef)):
        return False
    bases = [ast.unparse(base) for base in node.bases] if isinstance(node, ast.ClassDef) else []
    return node.name.lower().startswith("test") or any(base.endswith("TestCase") for base in bases)


def _runs(node: ast.stmt, others: frozenset[str]) -> bool:
    """Whether a statement of a module does more than define, import and name things.

    Args:
        others: Names that are imported or built in: decorators of these run no test.
    """
    match node:
        case ast.FunctionDef(decorator_list=found) | ast.AsyncFunctionDef(decorator_list=found):
            return not others.issuperset(map(_root, found))
        case ast.ClassDef(decorator_list=found, body=body):
            return not others.issuperset(map(_root, found)) or any(_runs(each, others) for each in body)
        case ast.Import() | ast.ImportFrom() | ast.Pass() | ast.Expr(value=ast.Constant()):
            return False
        case ast.Assign(value=value) | ast.AnnAssign(value=value):
            return value is not None and not all(isinstance(each, _PLAIN) for each in ast.walk(value))
        case ast.Try(body=body, orelse=orelse, finalbody=finalbody):
            return any(_runs(each, others) for each in (*body, *orelse, *finalbody))
    return True


def _root(decorator: ast.expr) -> str:
    """Return the name that a decorator begins with."""
    while isinstance(decorator, ast.Attribute | ast.Call):
        decorator = decorator.value if isinstance(decorator, ast.Attribute) else decorator.func
    return decorator.id if isinstance(decorator, ast.Name) else ""


def _helpers(tree: ast.Module, nodes: list[ast.AST]) -> Iterator[str]:
    """Yield the functions of a module, and the methods of its classes, that its text never changes."""
    stored = {node.attr for node in nodes if isinstance(node, ast.Attribute) and _is_bound(node)}
    for node in _for_good(tree, nodes):
        if isinstance(node, ast.FunctionDef):
            yield node.name
            continue
        methods = [each for each in node.body if isinstance(each, ast.FunctionDef)]
        bound = [each.name for each in ast.walk(node) if isinstance(each, _DEFINING)]
        for each in methods:
            # the compiler may bind one of two underscores under another name
            changed = each.name in stored or bound.count(each.name) > 1 or each.name.startswith("__")
            if not each.decorator_list and not changed:
                yield f"{node.name}.{each.name}"


def _for_good(tree: ast.Module, nodes: list[ast.AST]) -> list[ast.FunctionDef | ast.ClassDef]:
    """Return the functions and classes of a module that its text neither decorates nor changes."""
    found = [node for node in tree.body if isinstance(node, _DEFINING) and not node.decorator_list]
    bound = [node.name for node in nodes if isinstance(node, _DEFINING)]
    changed: set[str] = set()
    for node in nodes:
        match node:
            case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
                changed.add(name)
            case ast.Constant(value=str(text)):
                changed.add(text.rpartition(".")[2])
            case ast.alias(name=name, asname=other):
                changed.add(other or name)
            case ast.Attribute(value=ast.Name(id=name), ctx=ast.Store() | ast.Del()):
                changed.add(name)
    return [node for node in found if bound.count(node.name) == 1 and node.name not in changed]


_DEFINING = (ast.FunctionDef, ast.ClassDef)


def _is_case(node: ast.FunctionDef | ast.ClassDef) -> bool:
    """Whether it is a class derived from `unittest.TestCase` and nothing else."""
    if isinstance(node, ast.FunctionDef) or node.keywords:
        return False
    return [ast.unparse(base) for base in node.bases] in (["unittest.TestCase"], ["TestCase"])


def _given(case: ast.FunctionDef | ast.ClassDef, nodes: list[ast.AST]) -> tuple[str, ...]:
    """Return the name of a class, and all names that it may get from its body or from elsewhere."""
    within = list(ast.walk(case))
    given = {each.name for each in within if isinstance(each, (*_DEFINING, ast.AsyncFunctionDef))}
    given |= {each.id for each in within if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)}
    given |= {each.attr for each in nodes if isinstance(each, ast.Attribute) and _is_bound(each)}
    given |= {each.value for each in nodes if isinstance(each, ast.Constant) and isinstance(each.value, str)}
    return case.name, *sorted(given)


def _is_bound(node: ast.Attribute) -> bool:
    return not isinstance(node.ctx, ast.Load)


def _changes(nodes: list[ast.AST]) -> tuple[str, ...] | None:
    """Return the names under which tests may change what is in a module or a class; None for any.

    They store them as attributes, or give them as texts or keywords to what does, such as `patch`: where
    nothing of that kind is in them, texts and keywords are but data.
    """
    changed = {node.attr for node in nodes if isinstance(node, ast.Attribute) and _is_bound(node)}
    if not any(map(_may_patch, nodes)):
        return tuple(sorted(changed))
    for node in nodes:
        match node:
            case ast.Attribute(attr=name, ctx=ast.Load()) if name in _DYNAMIC:
                return None
            case ast.Name(id=name) if name in _LISTING:
                return None
            case ast.keyword(arg=str(name)):
                changed.add(name)
            case ast.Constant(value=str(text)) if _NAMES_IN_TEXT.fullmatch(text):
                changed.update(re.findall(r"\w+", text))
    return tuple(sorted(changed))


def _may_patch(node: ast.AST) -> bool:
    """Whether a part of the tests may change something by a name that it gives as a text."""
    match node:
        case ast.Attribute(attr=name) | ast.Name(id=name) | ast.alias(name=name):
            return name in _PATCHING
    return False
