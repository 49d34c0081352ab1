"""Test classes of `unittest` as tests of a program: which there are, and a check for each test method.

A text that only defines such classes tests nothing until somebody runs them. Each check does so for one
method, as `python -m unittest TestCases.test_one` would:

    import unittest; unittest.main(argv=["tests", "TestCases.test_one"]); raise SystemExit("it did not run")

The end of `unittest.main` is one that the judge knows: it asks whether the test ran, and was not skipped or
expected to fail but by its own text. What stands behind it is never reached, unless a program replaced it.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from codesample.errors import DataError

__all__ = ["Suite", "read_suite", "refuse_idle_tests"]

_MAIN_GUARD = ("__name__ == '__main__'", "'__main__' == __name__")
_RUNNERS = frozenset(
    {"TextTestRunner", "TextTestResult", "TestResult", "TestSuite", "TestLoader", "defaultTestLoader"}
)
"""Names of `unittest` that a text has which runs its classes itself."""
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
"""A line as Python counts them: a form feed ends none."""
_CHECK = 'import unittest; unittest.main(argv=["tests", "{name}"]); raise SystemExit("{name} did not run")'


@dataclass(frozen=True, slots=True)
class Suite:
    """Tests of a text whose classes are run by checks.

    Attributes:
        source: The text, without a main guard of its own.
        checks: A statement for each test method, in the order in which `unittest` runs them; for a class
            whose methods are known only once it is made, one for all of it.
        names: What each check runs, such as "TestCases.test_one".
    """

    source: str
    checks: tuple[str, ...]
    names: tuple[str, ...]


def read_suite(text: str, *, where: str, only: Sequence[str] | None = None) -> Suite | None:
    """Find the test classes of a text; None where it has none, or runs them by itself.

    Args:
        text: Tests, which may define other things too.
        where: Of the entry, for messages.
        only: Names of the classes that count, in their order; None takes all, by their names.

    Raises:
        DataError: it is not Python, lacks one of `only`, or its classes hold no test; names the line.
    """
    tree = _parsed(text, where)
    found = {node.name: node for node in _statements(tree.body) if isinstance(node, ast.ClassDef)}
    cases = _cases(tree, found)
    if only is None:
        if not cases or _runs_by_itself(tree):
            return None
        only = sorted(cases)
    mentioned = _mentioned(tree, found)
    names: list[str] = []
    for name in only:
        if name not in found:
            raise DataError(f"{where}: the tests define no class {name!r}, which is to be run")
        names += _tests_of(found[name], found, unsure=name in mentioned)
    if not names:
        line = min(found[name].lineno for name in only)
        raise DataError(
            f"{where}: line {line} of the tests: {', '.join(only)} holds no test; methods are called test..."
        )
    return Suite(_without_runs(text, tree), tuple(_CHECK.format(name=name) for name in names), tuple(names))


def refuse_idle_tests(text: str, *, where: str) -> None:
    """Refuse a text that runs none of its tests, or drops what comes of them: every program would pass.

    Args:
        text, where: As for `read_suite`, which found no classes to run.

    Raises:
        DataError: it is so, or it is not Python; names the line.
    """
    tree = _parsed(text, where)
    if dropped := _dropped_result(tree):
        raise DataError(
            f"{where}: line {dropped.lineno} of the tests runs tests and drops what comes of them, so every "
            "program would pass; assert that they succeeded, or leave the line out where they are methods of "
            "a unittest.TestCase, which are run by themselves"
        )
    idle = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom)
    defined = [node for node in tree.body if isinstance(node, idle[:3])]
    if any(not isinstance(node, idle) and not _says_nothing(node) for node in tree.body):
        return
    if any(node.decorator_list for node in defined):
        # which may be what runs them
        return
    tests = [node for node in defined if node.name.lower().startswith("test")]
    if tests:
        raise DataError(
            f"{where}: line {tests[0].lineno} of the tests defines {tests[0].name}, which nothing calls, so "
            "every program would pass; call it below, or make it a method of a unittest.TestCase"
        )


def _dropped_result(tree: ast.Module) -> ast.stmt | None:
    """Return the statement that tests or compares and drops the result, in a text that asserts nothing."""
    others = (node for node in tree.body if not isinstance(node, ast.ClassDef))
    if any(isinstance(node, ast.Assert | ast.Raise) for each in others for node in ast.walk(each)):
        return None
    read = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and not _is_stored(node)}
    for node in ast.walk(tree):
        match node:
            case ast.Expr(value=ast.Call() as call) if _returns_result(call):
                return node
            case ast.Expr(value=ast.Compare()):
                return node
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call() as call) if _returns_result(call):
                if name not in read:
                    return node
    return None


def _is_stored(node: ast.Name) -> bool:
    return isinstance(node.ctx, ast.Store)


def _returns_result(call: ast.Call) -> bool:
    """Whether a call runs tests and tells only by what it returns how they ended."""
    match call.func:
        case ast.Attribute(value=owner, attr="run"):
            return "runner" in ast.unparse(owner).lower()
        case ast.Attribute(attr="testmod") | ast.Name(id="testmod"):
            return all(each.arg != "raise_on_error" for each in call.keywords)
    return _goes_on(call)


def _goes_on(call: ast.Call) -> bool:
    """Whether a call is one of `unittest.main` that does not end the program."""
    return _is_main(call) and any(
        each.arg == "exit" and isinstance(each.value, ast.Constant) and not each.value.value
        for each in call.keywords
    )


def _says_nothing(node: ast.stmt) -> bool:
    """Whether a statement is a text, or gives a name to a constant."""
    return isinstance(node, ast.Expr | ast.Assign) and isinstance(node.value, ast.Constant)


def _parsed(text: str, where: str) -> ast.Module:
    try:
        with warnings.catch_warnings():
            # published tests hold escapes such as "\d" outside raw strings
            warnings.simplefilter("ignore")
            # half of a surrogate pair is for the judge to refuse
            return ast.parse(text.encode("utf-8", "replace").decode())
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise DataError(f"{where}: the tests are not Python: {error}") from error


def _statements(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield the statements of a body, and those within `if`, `try` and `with`, but not of a main guard."""
    for node in body:
        yield node
        if _is_guard(node):
            continue
        for part in ("body", "orelse", "finalbody"):
            if isinstance(node, ast.If | ast.Try | ast.With):
                yield from _statements(getattr(node, part, ()))
        if isinstance(node, ast.Try):
            for handler in node.handlers:
                yield from _statements(handler.body)


def _is_guard(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.If)
        and isinstance(node.test, ast.Compare)
        and (ast.unparse(node.test) in _MAIN_GUARD)
    )


def _cases(tree: ast.Module, found: Mapping[str, ast.ClassDef]) -> set[str]:
    """Return the names of the classes that `unittest` would find."""
    own_names = {
        alias.asname: alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.asname
    }

    def is_case(node: ast.ClassDef, seen: frozenset[str]) -> bool:
        for base in node.bases:
            last = ast.unparse(base).rpartition(".")[2]
            inner = found.get(last) if isinstance(base, ast.Name) else None
            if inner is not None and last not in seen:
                if is_case(inner, seen | {last}):
                    return True
            elif own_names.get(last, last).endswith("TestCase"):
                return True
        return False

    return {name for name, node in found.items() if is_case(node, frozenset({name}))}


def _runs_by_itself(tree: ast.Module) -> bool:
    """Whether a text mentions what runs test classes, or calls `main` of `unittest` so that it counts."""
    guards = {id(inner) for node in tree.body if _only_runs(node) for inner in ast.walk(node)}
    for node in ast.walk(tree):
        if id(node) in guards:
            continue
        if isinstance(node, ast.Name | ast.Attribute) and _last_name(node) in _RUNNERS:
            return True
        if isinstance(node, ast.Call) and _is_main(node):
            return True
    return False


def _only_runs(node: ast.stmt) -> bool:
    """Whether a statement does nothing but run the tests: in a guard, or so that it would drop the result."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        return _goes_on(node.value)
    if not _is_guard(node):
        return False
    assert isinstance(node, ast.If)
    calls = (each.value if isinstance(each, ast.Expr) else None for each in node.body)
    return not node.orelse and all(isinstance(call, ast.Call) and _is_main(call) for call in calls)


def _is_main(call: ast.Call) -> bool:
    return ast.unparse(call.func) in ("unittest.main", "main")


def _last_name(node: ast.Name | ast.Attribute) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr


def _without_runs(text: str, tree: ast.Module) -> str:
    """Blank out what runs the tests, so that lines keep their numbers."""
    lines = _LINE.findall(text)
    for node in tree.body:
        if _only_runs(node):
            for number in range(node.lineno - 1, node.end_lineno or node.lineno):
                lines[number] = lines[number].removeprefix(lines[number].rstrip("\r\n"))
    return "".join(lines)


def _tests_of(case: ast.ClassDef, found: Mapping[str, ast.ClassDef], *, unsure: bool) -> list[str]:
    """Name the tests of a class, in the order in which `unittest` runs them; the class where `unsure`."""
    line = _line_of_bases(case, found)
    methods = sorted({each.name for kind in line for each in _methods(kind) if each.name.startswith("test")})
    if any(map(_makes_tests, line)) or (unsure and methods):
        return [case.name]
    return [f"{case.name}.{method}" for method in methods]


def _line_of_bases(case: ast.ClassDef, found: Mapping[str, ast.ClassDef]) -> list[ast.ClassDef]:
    """Return a class with all classes of the text that it is derived from."""
    line, pending = [case], [case]
    while pending:
        for base in pending.pop().bases:
            inner = found.get(base.id) if isinstance(base, ast.Name) else None
            if inner is not None and inner not in line:
                line.append(inner)
                pending.append(inner)
    return line


def _methods(case: ast.ClassDef) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    return [
        node for node in _statements(case.body) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]


def _makes_tests(case: ast.ClassDef) -> bool:
    """Whether a class may have other tests than the methods that its text shows."""
    if case.keywords or any(not _keeps_names(each) for each in case.decorator_list):
        return True
    for node in _statements(case.body):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            if any(not _keeps_names(each) for each in node.decorator_list):
                return True
        elif isinstance(node, ast.Assign) and not isinstance(node.value, ast.Constant | ast.List | ast.Dict):
            stored = (target.id for target in node.targets if isinstance(target, ast.Name))
            if any(name.startswith("test") for name in stored):
                return True
        elif isinstance(node, ast.For | ast.While):
            return True
    return False


def _keeps_names(decorator: ast.expr) -> bool:
    """Whether a decorator leaves a test under its own name, as all do that parametrise nothing."""
    names = {_last_name(node) for node in ast.walk(decorator) if isinstance(node, ast.Name | ast.Attribute)}
    return names.isdisjoint({"parameterized", "parameterized_class", "expand", "ddt", "data", "file_data"})


def _mentioned(tree: ast.Module, found: Mapping[str, ast.ClassDef]) -> set[str]:
    """Return the classes that a text mentions in other places than their own and other classes' bases."""
    mentioned: set[str] = set()
    for statement in _statements(tree.body):
        # what stands within comes by itself
        if isinstance(statement, ast.If | ast.Try | ast.With):
            continue
        own = (statement.name, *map(id, statement.bases)) if isinstance(statement, ast.ClassDef) else ()
        # reading what a class holds changes nothing
        read = {
            id(node.value)
            for node in ast.walk(statement)
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load)
        }
        mentioned |= {
            node.id
            for node in ast.walk(statement)
            if isinstance(node, ast.Name) and not {node.id, id(node)} & {*own, *read}
        }
    return mentioned & found.keys()
