"""Tests that run beside the program say what a fresh Python says, and the easy ways to fake it are seen."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codesample.execution import Limits
from codesample.execution.worker.beside_tests import _importable, prepare_beside
from codesample.execution.worker.checklist import Finding
from codesample.execution.worker.exchange import ProgramStopped
from codesample.execution.worker.faults import TestsFault
from codesample.execution.worker.remote import Remote
from codesample.records import CodeTests, Status

TIGHT = Limits(cpu_seconds=2.0, wall_seconds=4.0, memory=256 << 20)

Beside = Callable[..., Finding]
Plain = Callable[[Sequence[tuple[str, tuple[str, ...]]]], list[list[bool]]]


class Pair(NamedTuple):
    name: str
    program: str
    tests: tuple[str, ...]


def read_pairs() -> list[Pair]:
    """Read programs with their tests: a head, the program, then source and checks after lines of dashes."""
    text = (Path(__file__).parent / "beside_pairs.txt").read_text("utf-8")
    found = []
    for entry in text.split("\n=== ")[1:]:
        name, _, body = entry.partition("\n")
        program, *tests = body.split("\n--- tests\n")
        found += [Pair(name, program, tuple(part.split("\n--- check\n"))) for part in tests]
    return found


PAIRS = read_pairs()


@pytest.fixture(scope="module")
def truth(plain: Plain) -> dict[Pair, list[bool]]:
    """Say which of program, source and checks end well in a fresh Python, as far as they are reached."""
    return dict(zip(PAIRS, plain([(pair.program, pair.tests) for pair in PAIRS]), strict=True))


@pytest.mark.parametrize("pair", PAIRS, ids=[f"{pair.name} {number}" for number, pair in enumerate(PAIRS)])
def test_the_verdict_is_that_of_a_fresh_python(
    pair: Pair, beside: Beside, truth: dict[Pair, list[bool]]
) -> None:
    loaded, *held = truth[pair]
    finding = beside(pair.program, pair.tests[0], checks=pair.tests[1:])
    expected = (held[1:] + [False] * len(pair.tests))[: len(pair.tests) - 1]
    assert list(finding.checks) == expected, finding
    passed = loaded and all(held)
    assert (finding.status is Status.PASSED) == passed, finding
    assert passed or finding.status in (Status.WRONG, Status.ERROR), finding


def test_the_pairs_end_in_either_way(truth: dict[Pair, list[bool]]) -> None:
    good = sum(map(all, truth.values()))
    assert min(good, len(PAIRS) - good) > 25


@pytest.mark.parametrize("pair", PAIRS[::4], ids=[pair.name for pair in PAIRS[::4]])
def test_tests_that_are_not_trusted_say_the_same(
    pair: Pair, beside: Beside, truth: dict[Pair, list[bool]]
) -> None:
    finding = beside(pair.program, pair.tests[0], checks=pair.tests[1:], trusted=False)
    assert (finding.status is Status.PASSED) == all(truth[pair]), finding


F = "def f(x):\n    return x * x\n"
ASSERTED = "<tests>, line 1, in <module>: assert f(2) == 5, f(2)"


@pytest.mark.parametrize(
    ("program", "source", "status", "said"),
    [
        (F, "assert f(2) == 5, f(2)", "wrong", f"{ASSERTED}\nAssertionError: 4"),
        (F, "f('a')", "error", "TypeError: can't multiply sequence by non-int of type 'str'"),
        (F, "f(2)['a']", "wrong", "TypeError: 'int' object is not subscriptable"),
        (F, "g(2)", "error", "NameError: name 'g' is not defined"),
        (F, "from program import g", "error", "ImportError: cannot import name 'g' from"),
        (F, "raise SystemExit(0)", "error", "SystemExit: 0"),
        (F, "raise KeyboardInterrupt", "error", "KeyboardInterrupt: "),
        (F, "open('/x', 'w')", "error", "Error: "),
        (F, "[0] * 10**11", "memory", "MemoryError: "),
        (F, "import os\nos._exit(0)", "crashed", "ended with status 0 before its tests did"),
        ("assert False", "pass", "error", "<program>, line 1, in <module>\nAssertionError: "),
        ("def f(:", "pass", "error", "SyntaxError: "),
        ("import json.tool, importlib.util\ndef f(): pass", "assert f() is None", "passed", ""),
        (
            "def f(x):\n    assert x > 2\n    return f",
            "f(2)",
            "error",
            "<tests>, line 1, in <module>: f(2)\n<program>, line 2, in f\nAssertionError: ",
        ),
    ],
)
def test_a_status_says_whose_exception_it_was(
    beside: Beside, program: str, source: str, status: str, said: str
) -> None:
    finding = beside(program, source)
    assert finding.status.value == status, finding
    assert said in finding.detail


def test_a_failing_unittest_says_which_assertion(beside: Beside) -> None:
    source = """
import unittest
class T(unittest.TestCase):
    def test(self):
        self.assertEqual(f(2), 5)
unittest.main()
"""
    finding = beside(F, source)
    assert finding.status is Status.WRONG
    assert "AssertionError: 4 != 5" in finding.detail
    assert "line 5, in test: self.assertEqual(f(2), 5)" in finding.detail


def test_a_limit_keeps_the_results_of_the_checks_before(beside: Beside) -> None:
    program = "import os\ndef f(x):\n    while x: pass\ndef leave(): os._exit(0)"
    checks = ("f(0)", "assert f(0)", "f(1)", "f(0)")
    finding = beside(program, checks=checks, limits=replace(TIGHT, cpu_seconds=0.3))
    assert (finding.status, finding.checks) == (Status.CPU_TIMEOUT, (True, False, False, False))
    finding = beside(program, checks=("f(0)", "leave()", "f(0)"))
    assert (finding.status, finding.checks) == (Status.CRASHED, (True, False, False))


def test_the_verdict_does_not_wait_for_threads(beside: Beside) -> None:
    source = "import threading, time\nthreading.Thread(target=time.sleep, args=(1000,)).start()"
    assert beside(F, source).status is Status.PASSED


@pytest.mark.parametrize(
    "tests",
    [
        {"source": "assert f("},
        {"checks": ("assert f(2)", "assert f(")},
        {"source": "'\0'\n\0"},
        {"source": "import no_such_module"},
        {"source": "def check():\n    from no_such_module.part import x"},
        {"source": "import codesample"},
        {"source": "import winreg"},
        {"source": "import pytest"},
    ],
)
def test_trusted_tests_that_can_judge_nothing_are_at_fault_themselves(
    beside: Beside, tests: dict[str, Any]
) -> None:
    with pytest.raises(TestsFault):
        beside(F, **tests)
    finding = beside(F, trusted=False, **tests)
    assert finding.status is (Status.PASSED if "def" in tests.get("source", "") else Status.ERROR)


@pytest.mark.parametrize(
    "source",
    [
        "try:\n    import no_such_module\nexcept ImportError:\n    no_such_module = None",
        "import program, __main__, os.path, xml.etree.ElementTree as tree, unittest.mock",
        "from program import f as g",
    ],
)
def test_tests_that_import_what_is_there_or_can_do_without_are_not(beside: Beside, source: str) -> None:
    assert beside(F, source).status is Status.PASSED


def test_a_program_cannot_put_its_tests_at_fault(beside: Beside) -> None:
    program = "import sys\nsys.modules['fractions'] = None\ndef f(x): pass"
    assert beside(program, "def late():\n    import fractions\nlate()").status is Status.UNSUPPORTED_VALUE
    assert beside(program, "def late():\n    __import__('fractions')\nlate()").status is Status.ERROR
    assert beside("def f(x): raise ImportError", "f(1)").status is Status.ERROR


def test_modules_of_the_installation_are_there_where_they_are_granted() -> None:
    tests = prepare_beside(CodeTests(source="import numpy, codesample"), trusted=True)
    assert tests.demanded == ("codesample", "numpy")
    assert [_importable("numpy", packages) for packages in (False, True)] == [
        False,
        importlib.util.find_spec("numpy") is not None,
    ]
    assert not _importable("codesample", True)


BESIDE = prepare_beside(CodeTests(source="assert f(2) == 4", checks=("assert f(3) == 9",)), trusted=True)


@settings(max_examples=100)
@given(data=st.data())
def test_no_replies_but_the_passes_pass(remote: Any, any_reply: Any, data: st.DataObject) -> None:
    ours = st.tuples(st.sampled_from(["pass", "failed", "caught", "value"]), any_reply).map(
        lambda parts: b'["%s",%s]' % (parts[0].encode(), parts[1])
    )
    finding = BESIDE.find("", remote(*data.draw(st.lists(ours | any_reply, max_size=5))), 5.0)
    assert finding.status not in (Status.PASSED, Status.HARNESS_ERROR)
    assert finding.checks == (False,)


def test_the_passes_in_their_order_pass() -> None:
    exchange = Echo()
    assert BESIDE.find("", Remote(exchange), 5.0).checks == (True,)  # type: ignore[arg-type]
    for wrong in ([1, 0, 2], [0, 0, 2], [0, 1, 1], [2, 1, 0]):
        finding = BESIDE.find("", Remote(Echo(wrong)), 5.0)  # type: ignore[arg-type]
        assert (finding.status, finding.checks) == (Status.CRASHED, (False,))


class Echo:
    """Sends the passes that it was given, in the given order."""

    def __init__(self, order: Sequence[int] = (0, 1, 2)) -> None:
        self.sent: list[bytes] = []
        self.order = list(order)

    def send(self, request: bytes, *, answered: bool = True) -> None:
        self.sent.append(request)

    def receive(self, *, numbered: bool = True) -> bytes:
        size = len(self.sent[1]) // 3
        start = size * self.order.pop(0)
        return self.sent[1][start + 4 : start + size]

    def step(self) -> None:
        pass

    def stop(self, status: Status, detail: str) -> None:
        raise ProgramStopped(status, detail)
