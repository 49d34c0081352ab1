"""Tests that are long, deep or entangled: their form is told in time, and whatever they are it is one."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType

import pytest

from codesample.execution.worker.form import Form, form_of
from codesample.records import CodeTests


def form(source: str) -> Form:
    return form_of(CodeTests(source=source, entry_point="f"))


def lines_run(source: str) -> int:
    """Return how many lines of Python it takes to tell the form, which no load of the machine changes."""
    count = 0

    def trace(frame: FrameType, event: str, arg: object) -> object:
        nonlocal count
        frame.f_trace_lines = True
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        found = form(source)
    finally:
        sys.settrace(before)
    assert found.split
    return count


DEEP = {
    "brackets": f"assert f({'[' * 150}{']' * 150})",
    "calls": f"assert {'f(' * 150}1{')' * 150}",
    "nots": f"assert {'not ' * 5_000}f(1)",
    "signs": f"assert f({'-' * 5_000}1)",
    "sums": f"assert f(1{'+ 1' * 20_000})",
    "attributes": f"assert f(1){'.a' * 20_000}",
    "method calls": f"assert f(1){'.a()' * 20_000}",
    "comparisons": f"assert f(1){' == 1' * 20_000}",
    "lambdas": f"f({'lambda: ' * 5_000}1)",
    "blocks": "\n".join(f"{' ' * n}if f({n}):" for n in range(95)) + f"\n{' ' * 95}pass",
    "functions": "\n".join(f"{' ' * n}def g{n}():" for n in range(95)) + f"\n{' ' * 95}f(1)",
    "conditions": "if f(1): pass\n" + "elif f(2): pass\n" * 5_000,
}


@pytest.mark.parametrize("source", DEEP.values(), ids=DEEP)
def test_deep_nesting_is_weak_or_read_but_never_an_error(source: str) -> None:
    try:
        found = form(source)
    except SyntaxError:
        return
    assert found.split or found.reason


@pytest.mark.parametrize("name", ["nots", "sums", "attributes", "method calls"])
def test_what_is_nested_too_deeply_to_be_read_is_weak(name: str) -> None:
    assert form(DEEP[name]).reason == "the tests are nested too deeply to be read"


def asserts(count: int) -> str:
    return "\n".join(f"xs_{n} = [f({n})]\nassert xs_{n} == [{n * n}]" for n in range(count))


def table_uses(count: int) -> str:
    rows = ", ".join(f"([f({n})], {n})" for n in range(count))
    return f"cases = [{rows}]\n" + "for x, y in cases: assert f(x) == y\n" * count


def functions(count: int) -> str:
    return "\n".join(f"def g{n}(x): return [x]\nassert f(g{n}({n})) == {n}" for n in range(count))


def objects(count: int) -> str:
    owner = "class A:\n    def __init__(self, x): self.x = x\n"
    return owner + "\n".join(f"a{n} = A({n})\nassert f(a{n}.x) == {n}" for n in range(count))


@pytest.mark.parametrize("text", [asserts, table_uses, functions, objects])
def test_long_tests_are_read_in_steps_that_grow_with_their_length(text: Callable[[int], str]) -> None:
    # what is quadratic takes 64 times the lines
    assert lines_run(text(800)) < 10 * lines_run(text(100))


def tables_in_tables(depth: int) -> str:
    table = "[(1, 2)]"
    for _ in range(depth):
        table = f"[([x for x, y in {table}], 1)]"
    return f"assert f({table}) == 1"


def tables_of_tables(depth: int) -> str:
    rows = "[x for x, y in t{0}], [y for x, y in t{0}]"
    return "t0 = [(1, 2)]\n" + "\n".join(f"t{n + 1} = [({rows.format(n)})]" for n in range(depth)) + "\nf(t1)"


def classes_of_classes(depth: int) -> str:
    first = "class C0:\n    def __init__(self): self.x = 1\nclass C1(C0): pass\n"
    return first + "\n".join(f"class C{n}(C{n - 1}, C{n - 2}): pass" for n in range(2, depth)) + "\nf(C9().x)"


@pytest.mark.parametrize("text", [tables_in_tables(25), tables_of_tables(40), classes_of_classes(60)])
def test_what_holds_one_another_is_read_once(text: str) -> None:
    # read once for each way to it, they would take 2 ** 25 lines and more
    assert lines_run(text) < 200_000


def test_nan_is_seen_in_a_text_of_any_length() -> None:
    text = "[NaN" + ", 1" * 400 + "]"
    found = form(f"import json\nxs = json.loads({text!r})\nassert f(xs) == xs")
    assert found.reason == "line 3: compares a result with what may hold the number NaN"


def test_tests_of_too_many_definitions_are_weak() -> None:
    many = "\n".join(f"def g{n}(): pass" for n in range(9_000))
    assert form(f"{many}\nassert f([g8999]) == 1").reason == "the tests define too much to be read"


def test_tests_of_too_many_calls_are_weak() -> None:
    many = "".join(f"\ndef g{n}(x): return x\nd[{n}] = g{n}\nassert f(d[{n}](1)) == 1" for n in range(1_000))
    found = form("d = {}" + many)
    assert "calls too many functions of the tests" in found.reason
