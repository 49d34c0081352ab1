"""Programs that act while they are compared, after their verdict, or through what the tests compute with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from codesample.execution import Executor, Level, Program
from codesample.records import CodeTests, InputTests, ScriptExample, ScriptTests, Status, Verdict

Judge = Callable[..., Verdict]

CHANGED_WHILE_COMPARED = """
class Item:
    told = False
    def __eq__(self, other):
        if not self.told:
            self.told = True
            held[:] = [1, 0]
        return False
    __hash__ = None
item = Item()
held = [item, 0]
def f(x):
    return held
"""

KEPT_BY_A_CACHE = """
import os, struct, time
body = b'2 ["value",{"h":[7,"Text","eq","%Y-"]}]'
def f(x):
    for descriptor in range(3, 64):
        try:
            os.write(descriptor, struct.pack("!I", len(body)) + body)
        except OSError:
            pass
    time.sleep(60)
"""
"""Answers with what goes for text, and has an equality but no hash of its own."""

PARSES = "import datetime\nassert datetime.datetime.strptime('2020-', f(2)).year == 2020"


@pytest.mark.parametrize(
    "tests",
    [
        "assert f(2) in ([0, 1], [1, 0])",
        "r = f(2)\nassert r == [0, 1] or r == [1, 0]",
        "assert any(f(2) == each for each in ([0, 1], [1, 0]))",
        "r = f(2)\nassert r != [0, 1]\nassert r == [1, 0]",
        "r = f(2)\nassert [0, 1] != r and [1, 0] == r",
    ],
)
def test_what_is_changed_while_it_is_compared_proves_nothing(judge: Judge, tests: str) -> None:
    verdict = judge(CHANGED_WHILE_COMPARED, CodeTests(source=tests, entry_point="f"))
    assert verdict.status is Status.UNSUPPORTED_VALUE, verdict
    assert verdict.integrity == "split"


def test_a_stand_in_that_the_library_keeps_changes_no_later_verdict(executor: Executor) -> None:
    tests = CodeTests(source=PARSES, entry_point="f")
    sources = [KEPT_BY_A_CACHE, "def f(x):\n    return '%Y-'", "def f(x):\n    return '%Y'"]
    with Executor(workers=1, limits=executor.limits, level=Level.CONFINED) as alone:
        verdicts = [
            alone.submit(Program("kept", number, source, tests)).result(120)
            for number, source in enumerate(sources)
        ]
    assert verdicts[0].status is not Status.HARNESS_ERROR
    assert verdicts[1].status is Status.PASSED, verdicts[1]
    assert verdicts[2].status is Status.WRONG, verdicts[2]


@pytest.mark.parametrize(
    ("printed", "expected", "status"),
    [
        ("1e-99999999999999999999", "1", Status.WRONG),
        ("1e-99999999999999999999", "0", Status.PASSED),
        ("0e99999999999999999999", "1", Status.WRONG),
        ("1e99999999999999999999", "1", Status.WRONG),
    ],
)
def test_no_exponent_ends_the_process_that_compares(
    judge: Judge, printed: str, expected: str, status: Status
) -> None:
    tests = ScriptTests(cases=(ScriptExample("", expected),), atol=1e-6)
    assert judge(f"print({printed!r})", tests).status is status


ASKED = "import importlib\ndef accept(text, got, expected):\n    return importlib.import_module({}).x"


@pytest.mark.parametrize(
    ("checker", "status"),
    [
        (ASKED.format("got.strip()"), Status.WRONG),
        (ASKED.format("'no_such_module'"), Status.HARNESS_ERROR),
        ("def accept(text, got, expected):\n    return __import__(got.strip()).x", Status.WRONG),
        ("def accept(text, got, expected):\n    import no_such_module", Status.HARNESS_ERROR),
        ("def accept(text, got, expected):\n    from math import nothing", Status.HARNESS_ERROR),
    ],
)
def test_a_module_that_the_program_names_is_no_fault_of_its_tests(
    judge: Judge, checker: str, status: Status
) -> None:
    tests: Any = ScriptTests(cases=(ScriptExample("", "4"),), checker=checker)
    assert judge("print('no_such_module')", tests).status is status


@pytest.mark.parametrize("accept", ["sys.exit(got)", "int(got) or exit(0)"])
def test_an_oracle_that_exits_does_not_accept(judge: Judge, accept: str) -> None:
    oracle = f"import sys\ndef accept(arguments, got, wanted):\n    return got == wanted or {accept}"
    square = "def f(x):\n    return x * x"
    tests = InputTests(inputs=((2,),), reference=square, entry_point="f", oracle=oracle)
    assert judge("def f(x):\n    return 0", tests).status is Status.WRONG
    assert judge(square, tests).status is Status.PASSED
