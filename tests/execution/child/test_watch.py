"""What is seen of a program that looks at its judge, and what an honest one may do without being seen."""

from __future__ import annotations

import _imp
import importlib
import sys
import types
import unittest
from collections.abc import Callable
from typing import Any

import pytest

from codesample.execution.child import watch
from codesample.execution.child.watch import (
    Entry,
    apart,
    codes_within,
    entries,
    overridden,
    rebound,
    shadowed,
    unchanged,
)
from codesample.execution.worker.checklist import Finding
from codesample.records import Status

HONEST = {
    "named tuples and enumerations": """
import collections, enum, typing
A = collections.namedtuple("A", "x")
B = enum.Enum("B", "X Y")
class C(typing.NamedTuple):
    x: int
D = typing.TypeVar("D")
E = typing.TypedDict("E", {"x": int})
def f():
    return [A(1).x, B.X.value, C(3).x]
""",
    "data classes": """
import dataclasses
@dataclasses.dataclass(order=True, slots=True)
class A:
    x: int = 1
B = dataclasses.make_dataclass("B", ["y"])
def f():
    return A() < A(2) and dataclasses.replace(B(2), y=3)
""",
    "warnings, logs and traces of exceptions": """
import logging, traceback, warnings
logging.basicConfig(level=logging.DEBUG)
def f():
    warnings.warn("x", stacklevel=2)
    logging.getLogger().warning("x")
    try:
        1 / 0
    except ZeroDivisionError as error:
        logging.exception("x")
        traceback.print_exc()
        traceback.format_exception(error)
        return error.__traceback__.tb_lineno
""",
    "signatures and code of its own": """
import inspect
def g(x, *, y=1):
    return x
def f():
    assert inspect.isgeneratorfunction(f) is False
    return g.__code__.co_argcount, str(inspect.signature(g)), inspect.getsource(g)
""",
    "code made at run time": """
import ast
names = {}
exec("def g(x):\\n    return x + 1", names)
exec(compile("h = g(1)", "made.py", "exec"), names)
def f():
    return eval("1 + 1"), ast.parse("x"), names["h"], compile("1", "<string>", "eval")
""",
    "functions of its own given other code": """
def g():
    return 1
def f():
    g.__code__ = (lambda: 2).__code__
    g.__defaults__ = ()
    return g()
""",
    "threads, contexts and coroutines": """
import asyncio, contextlib, threading
@contextlib.contextmanager
def opened():
    yield 1
async def g():
    with opened() as x:
        await asyncio.sleep(0)
        return x
def f():
    thread = threading.Thread(target=lambda: asyncio.run(g()))
    thread.start()
    thread.join()
    return asyncio.run(g())
""",
    "collection, copies and sizes": """
import copy, gc, pickle, sys, weakref
class A:
    pass
def f():
    gc.collect()
    gc.disable()
    a = A()
    return weakref.ref(a)() is a, copy.deepcopy(a), pickle.loads(pickle.dumps(a)), sys.getrefcount(a), id(a)
""",
    "tests of its own": """
import doctest, unittest
class T(unittest.TestCase):
    def test(self):
        self.assertRaises(ValueError, int, "x")
def f():
    \"\"\"Say.

    >>> 1 + 1
    2
    \"\"\"
    suite = unittest.defaultTestLoader.loadTestsFromTestCase(T)
    return unittest.TextTestRunner().run(suite).wasSuccessful()
""",
    "streams of its own": """
import io, sys
sys.stdin = io.StringIO("4")
sys.setrecursionlimit(10_000)
def f():
    sys.stdout = io.StringIO()
    print(input())
    return sys.stdout.getvalue()
""",
    "modules of every kind": """
import array, asyncio, bisect, collections.abc, concurrent.futures, csv, decimal, difflib, fractions, graphlib
import hashlib, html, http, itertools, json.tool, numbers, operator, pprint, queue, random, secrets, sqlite3
import statistics, string, struct, textwrap, timeit, typing, unicodedata, unittest.mock, uuid, zlib, zoneinfo
def f():
    return timeit.timeit("1", number=1), pprint.pformat([1]), secrets.token_hex(2)
""",
}


@pytest.mark.parametrize("name", HONEST)
def test_an_honest_program_is_not_seen(name: str, beside: Callable[..., Finding]) -> None:
    finding = beside(HONEST[name], "import logging, math, random, unittest, io\nassert f()")
    assert finding.status is Status.PASSED, finding


@pytest.mark.parametrize(
    "tests",
    [
        "import sys\nassert sys._getframe() and f(2)",
        "import gc\nassert gc.get_objects() and gc.get_referrers(f)",
        "import ctypes\nassert ctypes.c_int(2).value == 2 and ctypes.string_at(b'x', 1) == b'x'",
        "import inspect\nassert inspect.stack()[0].frame is inspect.currentframe()",
        "import builtins, math\nbuiltins.abs = lambda x: 3\nmath.sin = abs\nassert math.sin(f(1)) == 3",
        "import unittest\nunittest.TestCase.assertEqual = lambda *args: None\nassert f(2)",
        "class F:\n    def __getattr__(self, name):\n        return name\nassert F().x == 'x'",
        "def g():\n    pass\ng.__code__ = f.__code__\nassert g(2) == 4",
        "import cProfile\nprofile = cProfile.Profile()\nassert profile.runcall(f, 2) == 4",
        "def max(*args):\n    return 1\nassert max(2) == 1\nabs = max\nassert abs(f(2)) == 1",
    ],
)
def test_tests_may_do_what_programs_may_not(tests: str, beside: Callable[..., Finding]) -> None:
    finding = beside("def f(x):\n    return x * x", tests, trusted=True)
    assert finding.status is Status.PASSED, finding


FORGED_LOADING = """
import _frozen_importlib, _imp, types
def f():
    code = f.__code__
    load = _frozen_importlib._call_with_frames_removed
    load(types.CodeType, 0, 0, 0, 0, 0, 0, b"", (), (), (), "/lib/x.py", "x", "x", 1, b"", b"", (), ())
    return 1
"""


def test_a_program_that_makes_the_librarys_code_by_the_import_system_is_seen(
    beside: Callable[..., Finding],
) -> None:
    finding = beside(FORGED_LOADING, "assert f()")
    assert finding.status is Status.UNSUPPORTED_VALUE, finding


def test_what_an_extension_module_makes_while_it_is_loaded_is_its_own() -> None:
    seen: dict[str, bool] = {}

    def profile(frame: types.FrameType, event: str, argument: object) -> None:
        if event == "c_call":
            name = getattr(argument, "__name__", "")
            seen[name] = seen.get(name, False) or watch._loads_extension(frame)

    extension = importlib.import_module("_zoneinfo")
    load = sys.modules["_frozen_importlib"]._call_with_frames_removed
    sys.setprofile(profile)
    try:
        load(_imp.exec_dynamic, extension)
        load(_imp.is_builtin, "x")
        load(len, extension.__name__)
        _imp.exec_dynamic(extension)
    finally:
        sys.setprofile(None)
    assert seen["exec_dynamic"]
    assert not seen["is_builtin"]
    assert not seen["len"]


def test_what_modules_held_is_compared_by_identity() -> None:
    module = types.ModuleType("module_of_this_test")
    exec("class A:\n    def f(self): pass\n    x = 1\ndef g(): pass\ny = 1", vars(module))
    module.A.__module__ = module.__name__
    vars(module).pop("__builtins__")
    noted = entries([module])
    holds = unchanged([entry for entry in noted if entry.value is not module])
    assert {entry.name for entry in noted if entry.value is not None} >= {"A", "f", "g", "x", "y"}
    module.new = abs
    assert holds()
    for place, name, value in (
        (module, "g", lambda: None),
        (module, "y", 2),
        (module.A, "x", 2),
        (module.A, "f", module.g),
        (module.A, "__getattribute__", object.__getattribute__),
    ):
        before = vars(place).get(name)
        setattr(place, name, value)
        assert not holds()
        delattr(place, name) if before is None else setattr(place, name, before)
        assert holds()


def test_an_object_that_agrees_with_everything_is_not_what_was_there() -> None:
    class Any:
        def __eq__(self, other: object) -> bool:
            return True

    names = {"x": abs}
    holds = unchanged([Entry(names.get, "x", abs), Entry(names.get, "y", None)])
    assert holds()
    names["x"] = Any()  # type: ignore[assignment]
    assert not holds()


def test_a_name_is_shadowed_by_what_the_program_made_alone() -> None:
    names: dict[str, object] = {"__name__": "program"}
    exec("def abs(x): pass\nclass max: pass\nsum = max()\nfrom math import pow\nmin = min\nlen = 4", names)
    names["round"] = test_an_object_that_agrees_with_everything_is_not_what_was_there
    found = [name for name in names if shadowed([name], names, "program")]
    assert found == ["abs", "max", "sum"]


def test_a_helper_must_stay_the_function_of_the_tests() -> None:
    code = compile("def same(x): return [i for i in x]", "<tests>", "exec")
    ids = frozenset(map(id, codes_within(code)))
    assert len(ids) == 3
    names: dict[str, object] = {}
    exec(code, names)
    assert not rebound(["same"], names, ids)
    names["same"] = lambda x: None
    assert rebound(["same"], names, ids)
    assert rebound(["gone"], names, ids)


def test_a_method_must_stay_the_function_of_the_tests_and_as_it_was() -> None:
    code = compile("class A:\n    def same(self): pass\nclass B:\n    same = 1", "<tests>", "exec")
    ids = frozenset(map(id, codes_within(code)))
    names: dict[str, Any] = {}
    exec(code, names)
    assert not rebound(["A.same"], names, ids)
    assert rebound(["B.same"], names, ids)
    assert rebound(["C.same"], names, ids)
    names["A"].same.__unittest_skip__ = True
    assert rebound(["A.same"], names, ids)


def test_a_case_of_the_tests_has_no_more_rules_than_they_gave_it() -> None:
    names: dict[str, Any] = {}
    exec("import unittest\nclass A(unittest.TestCase):\n    setUp = test = more = print", names)
    given = frozenset({"setUp", "test"})
    assert not overridden({"A": given}, names, unittest.TestCase)
    assert overridden({"A": frozenset({"test"})}, names, unittest.TestCase)
    assert overridden({"B": given}, names, unittest.TestCase)
    assert overridden({"A": given}, names, unittest.IsolatedAsyncioTestCase)
    names["A"].__unittest_skip__ = True
    assert overridden({"A": given}, names, unittest.TestCase)


def test_a_function_set_apart_does_not_see_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    copy = apart(watch._nearest)
    monkeypatch.setattr(watch, "_HAND_OUT_FRAMES", None)
    assert copy(None, ()) is None
    assert copy.__globals__ is not watch._nearest.__globals__
    assert copy.__globals__["entries"] is not entries
    assert copy.__globals__["entries"].__globals__ is copy.__globals__
