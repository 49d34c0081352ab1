"""Which unittest classes a text has, the checks that run them, and that programs cannot get round those."""

from __future__ import annotations

import re
from textwrap import dedent

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codesample.errors import DataError
from codesample.execution import Executor, Program
from codesample.records import CodeTests, Status, Verdict
from codesample.tasks.unittest_form import Suite, read_suite, refuse_idle_tests

TWO = """
import unittest

class TestB(unittest.TestCase):
    def test_z(self): pass
    def test_a(self): pass
    def helper(self): pass
    test_data = [1, 2]

class TestA(unittest.TestCase):
    async def test_m(self): pass
"""


def suite(text: str, **more: list[str]) -> Suite:
    found = read_suite(dedent(text), where="f:1", **more)
    assert found is not None
    return found


def test_each_method_is_a_check_in_the_order_of_unittest() -> None:
    found = suite(TWO)
    assert found.names == ("TestA.test_m", "TestB.test_a", "TestB.test_z")
    assert found.source == TWO
    assert all(f'"{name}"' in check for name, check in zip(found.names, found.checks, strict=True))


def test_named_classes_alone_count_in_their_order() -> None:
    assert suite(TWO, only=["TestB"]).names == ("TestB.test_a", "TestB.test_z")
    assert suite(TWO, only=["TestB", "TestA"]).names[0] == "TestB.test_a"


CLASSES = {
    "another name for the base": "from unittest import TestCase as T\nclass A(T):\n"
    "    def test_x(self): pass",
    "another name for the module": "import unittest as u\nclass A(u.TestCase):\n    def test_x(self): pass",
    "a base of another package": "from pyfakefs.fake_filesystem_unittest import TestCase\n"
    "class A(TestCase):\n    def test_x(self): pass",
    "asynchronous": "import unittest\nclass A(unittest.IsolatedAsyncioTestCase):\n"
    "    async def test_x(self): pass",
    "within a condition": "import unittest\nif True:\n    class A(unittest.TestCase):\n"
    "        def test_x(self): pass",
    "a method within a condition": "import unittest\nclass A(unittest.TestCase):\n    if True:\n"
    "        def test_x(self): pass\n    else:\n        def helper(self): pass",
    "patched": "import unittest\nfrom unittest.mock import patch\n@patch('os.getcwd')\n"
    "class A(unittest.TestCase):\n    @patch('os.getpid')\n    def test_x(self, *mocks): pass",
    "defined twice": "import unittest\nclass A(unittest.TestCase):\n    def test_x(self): pass\n"
    "    def test_x(self): pass",
    "read elsewhere": "import unittest\nclass A(unittest.TestCase):\n    limit = 3\n"
    "    def test_x(self): pass\ndef helper(): return A.limit",
}


@pytest.mark.parametrize("way", CLASSES)
def test_a_class_is_found_however_it_is_written(way: str) -> None:
    assert suite(CLASSES[way]).names == ("A.test_x",)


def test_what_is_inherited_is_tested_as_well() -> None:
    text = """
        import unittest
        class Mixin:
            def test_of_mixin(self): pass
        class Base(unittest.TestCase):
            def test_of_base(self): pass
        class A(Mixin, Base):
            def test_own(self): pass
        """
    assert suite(text).names == (
        *("A.test_of_base", "A.test_of_mixin", "A.test_own"),
        "Base.test_of_base",
    )


UNSURE = {
    "parametrised": "from parameterized import parameterized\nclass A(unittest.TestCase):\n"
    "    @parameterized.expand([(1,)])\n    def test_x(self, n): pass",
    "added to": "class A(unittest.TestCase):\n    def test_x(self): pass\n"
    "for n in range(3): setattr(A, f'test_{n}', A.test_x)",
    "assigned in the class": "def make(): return lambda self: None\nclass A(unittest.TestCase):\n"
    "    test_x = make()",
    "a loop in the class": "class A(unittest.TestCase):\n    def test_x(self): pass\n"
    "    for n in range(2):\n        locals()[f'test_{n}'] = test_x",
    "given to a function": "class A(unittest.TestCase):\n    def test_x(self): pass\nwith_more(A)",
    "with a metaclass": "class A(unittest.TestCase, metaclass=M):\n    def test_x(self): pass",
}


@pytest.mark.parametrize("way", UNSURE)
def test_a_class_that_may_get_more_tests_is_one_check(way: str) -> None:
    assert suite(f"import unittest\n{UNSURE[way]}").names == ("A",)


BY_ITSELF = {
    "main": "unittest.main()",
    "a runner": "assert unittest.TextTestRunner().run(unittest.makeSuite(A)).wasSuccessful()",
    "a result": "r = unittest.TestResult()\nA('test_x').run(r)\nassert r.wasSuccessful()",
    "a suite": "unittest.TestSuite([A('test_x')]).debug()",
    "a guard with more in it": "if __name__ == '__main__':\n    r = unittest.main(exit=False)\n    assert r",
    "a guard with another way": "if __name__ == '__main__':\n    unittest.main()\nelse:\n    f()",
}


@pytest.mark.parametrize("way", BY_ITSELF)
def test_a_text_that_runs_its_classes_is_left_alone(way: str) -> None:
    text = f"import unittest\nclass A(unittest.TestCase):\n    def test_x(self): pass\n{BY_ITSELF[way]}"
    assert read_suite(text, where="f:1") is None


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_guard_that_runs_the_tests_is_blanked_out_and_lines_keep_their_numbers(end: str) -> None:
    text = "import unittest\nclass A(unittest.TestCase):\n    def test_x(self):\n        '\f\u2028'\n\n"
    guard = "if __name__ == '__main__':\n    unittest.main()\n"
    found = suite((text + guard + "x = 1\n").replace("\n", end))
    assert found.names == ("A.test_x",)
    assert "main" not in found.source
    assert [line.strip() for line in re.split(r"\r\n|\r|\n", found.source)].index("x = 1") == 7


def test_a_run_that_drops_its_result_is_blanked_out_too() -> None:
    text = "import unittest\nclass A(unittest.TestCase):\n    def test_x(self): pass\n"
    found = suite(f"{text}unittest.main(argv=[''], exit=False)\nx = 1\n")
    assert found.names == ("A.test_x",)
    assert found.source == f"{text}\nx = 1\n"


@pytest.mark.parametrize("text", ["assert f(1) == 1", "", "def check(f):\n    assert f(1)", "class A: pass"])
def test_a_text_without_such_classes_has_none(text: str) -> None:
    assert read_suite(text, where="f:1") is None


REFUSED = [
    ("class A(unittest.TestCase):\n    def check_x(self): pass", r"line 2 of the tests: A holds no test"),
    ("class A(:", "the tests are not Python: .*line 2"),
]


@pytest.mark.parametrize(("text", "complaint"), REFUSED)
def test_what_cannot_be_run_is_refused_with_its_place(text: str, complaint: str) -> None:
    with pytest.raises(DataError, match=f"^f:1: {complaint}"):
        read_suite(f"import unittest\n{text}", where="f:1")


def test_a_class_that_is_to_be_run_must_be_there() -> None:
    with pytest.raises(DataError, match="f:1: the tests define no class 'TestCases', which is to be run"):
        read_suite(TWO, where="f:1", only=["TestCases"])


IDLE = [
    ("def test_a():\n    assert f(1) == 1", 1, "test_a"),
    ("import pytest\n'text'\nclass TestF:\n    def test_a(self): pass", 3, "TestF"),
    ("X = 3\nasync def test_a(): pass\ndef helper(): pass", 2, "test_a"),
]


@pytest.mark.parametrize(("text", "line", "name"), IDLE)
def test_tests_that_nothing_runs_are_refused(text: str, line: int, name: str) -> None:
    with pytest.raises(
        DataError, match=f"^f:1: line {line} of the tests defines {name}, which nothing calls"
    ):
        refuse_idle_tests(text, where="f:1")


@pytest.mark.parametrize(
    "text",
    [
        "def test_a(): pass\ntest_a()",
        "def helper(): pass",
        "@run\ndef test_a(): pass",
        "def test_a(): pass\nfor each in (test_a,): each()",
        "assert f(1) == 1",
    ],
)
def test_tests_that_something_may_run_are_not(text: str) -> None:
    refuse_idle_tests(text, where="f:1")


CASE = "import unittest\nclass A(unittest.TestCase):\n    def test_x(self): assert f(1) == 1\n"
DROPPED = [
    (CASE + "unittest.TextTestRunner().run(unittest.makeSuite(A))", 4),
    (CASE + "runner = unittest.TextTestRunner()\nrunner.run(unittest.makeSuite(A))", 5),
    (CASE + "result = unittest.TextTestRunner().run(unittest.makeSuite(A))", 4),
    (CASE + "def go():\n    unittest.main(exit=False)\ngo()", 5),
    ("X = 'not for >>> f(1)'\nimport doctest\ndoctest.testmod()", 3),
    ("x = f(1)\nx == 2", 2),
    ("def check(f):\n    f(1) == 2\ncheck(f)", 2),
]


@pytest.mark.parametrize(("text", "line"), DROPPED)
def test_tests_whose_result_is_dropped_are_refused(text: str, line: int) -> None:
    assert read_suite(text, where="f:1") is None
    with pytest.raises(
        DataError, match=f"^f:1: line {line} of the tests runs tests and drops what comes of them"
    ):
        refuse_idle_tests(text, where="f:1")


@pytest.mark.parametrize(
    "more",
    [
        "result = unittest.TextTestRunner().run(unittest.makeSuite(A))\nassert result.wasSuccessful()",
        "if unittest.TextTestRunner().run(unittest.makeSuite(A)).failures:\n    raise SystemExit(1)",
        "unittest.TextTestRunner().run(unittest.makeSuite(A))\nassert f(2) == 2",
        "import doctest\ndoctest.testmod(raise_on_error=True)",
        "def go():\n    unittest.main()\ngo()",
    ],
)
def test_tests_whose_result_counts_are_not(more: str) -> None:
    refuse_idle_tests(CASE + more, where="f:1")


names = st.sampled_from(["test_a", "test_b", "testC", "helper", "setUp"])
classes = st.dictionaries(
    st.sampled_from(["A", "B", "C"]), st.lists(names, min_size=1, max_size=4), min_size=1
).filter(lambda found: any(name.startswith("test") for each in found.values() for name in each))


@given(classes)
def test_the_checks_are_what_unittest_would_run(found: dict[str, list[str]]) -> None:
    import unittest

    text = "import unittest\n" + "".join(
        f"class {name}(unittest.TestCase):\n"
        + "".join(f"    def {method}(self): pass\n" for method in methods)
        for name, methods in found.items()
    )
    module: dict[str, object] = {"__name__": "made"}
    exec(text, module)
    expected = [
        f"{name}.{method}"
        for name in sorted(found)
        for method in unittest.defaultTestLoader.getTestCaseNames(module[name])  # type: ignore[arg-type]
    ]
    assert list(suite(text).names) == expected


TESTS = """
import os, unittest
from unittest.mock import patch

class TestSquares(unittest.TestCase):
    def setUp(self):
        self.three = 3
    def test_a(self):
        self.assertEqual(f(1), 1)
    @patch("os.getcwd", return_value="there")
    def test_b(self, where):
        self.assertEqual(f(self.three), 9)
        self.assertEqual(os.getcwd(), "there")
    def test_c(self):
        with self.assertRaises(ValueError):
            f(-1)
"""


def judged(executor: Executor, program: str, text: str = TESTS) -> Verdict:
    found = suite(text)
    tests = CodeTests(source=found.source, checks=found.checks, entry_point="f")
    return executor.submit(Program("t", 0, program, tests)).result(60)


@pytest.mark.parametrize(
    ("program", "status", "checks"),
    [
        ("def f(x):\n    if x < 0: raise ValueError\n    return x * x", Status.PASSED, (True, True, True)),
        ("def f(x):\n    return x * x", Status.WRONG, (True, True, False)),
        ("def f(x):\n    raise ValueError", Status.WRONG, (False, False, True)),
        ("def g(x):\n    return x", Status.WRONG, (False, False, False)),
        ("import unittest\nclass TestSquares(unittest.TestCase):\n    def test_a(self): pass\nf = abs",
         Status.WRONG, (True, False, False)),
    ],
)  # fmt: skip
def test_each_method_has_a_result_of_its_own(
    executor: Executor, program: str, status: Status, checks: tuple[bool, ...]
) -> None:
    verdict = judged(executor, program)
    assert (verdict.status, verdict.checks, verdict.integrity) == (status, checks, "weak"), verdict


FAKERS = {
    "main does nothing": "unittest.main = lambda *args, **more: None",
    "main ends well": "unittest.main = end",
    "assertions hold": "unittest.TestCase.assertEqual = nothing\n"
    "    unittest.TestCase.assertRaises = context",
    "methods do nothing": "sys.modules['__main__'].TestSquares.test_b = nothing",
    "setUp does more": "sys.modules['__main__'].TestSquares.setUp = lambda case: vars(case).update("
    "assertEqual=nothing, assertRaises=context)",
    "another class": "sys.modules['__main__'].TestSquares = Other",
    "nothing is run": "unittest.TestCase.run = lambda case, result=None: result",
    "no result": "unittest.TextTestRunner.run = lambda runner, tests: unittest.TestResult()",
    "another test is loaded": "unittest.TestLoader.loadTestsFromName = lambda *args: "
    "unittest.FunctionTestCase(nothing)",
    "failures are dropped": "unittest.TextTestResult.addFailure = unittest.TestResult.addFailure = nothing",
    "the rest is skipped": "raise unittest.SkipTest('later') if x != 1 else KeyError",
    "the end": "raise SystemExit(0)",
}
FAKING = """
import contextlib, sys, unittest
nothing = lambda *args, **more: None
context = lambda *args: contextlib.nullcontext()
def end(*args, **more): raise SystemExit(0)
class Other(unittest.TestCase):
    test_a = test_b = test_c = lambda self: None
def f(x):
    {way}
    return 1
"""


@pytest.mark.parametrize("way", FAKERS)
def test_a_program_that_is_right_once_cannot_make_the_other_checks_hold(executor: Executor, way: str) -> None:
    verdict = judged(executor, FAKING.replace("{way}", FAKERS[way]))
    assert not verdict.passed, verdict


PYTEST = """
import os
from unittest.mock import patch
@patch("os.getcwd")
def test_a(where):
    assert f(1) == 1
class TestF:
    @staticmethod
    def test_b(): assert f(2)
"""


@pytest.mark.parametrize("text", [TESTS, PYTEST])
def test_tests_that_are_defined_and_not_run_judge_nobody(executor: Executor, text: str) -> None:
    verdict = executor.submit(Program("t", 0, "def f(x): pass", CodeTests(source=text))).result(60)
    assert verdict.status is Status.HARNESS_ERROR
    assert "the tests define tests and run none of them" in verdict.detail


def test_tests_that_a_function_of_their_own_runs_judge(executor: Executor) -> None:
    text = "import threading\ndef run(test): test(threading.Lock())\n@run\ndef test_a(lock): assert f(lock)"
    for program, passes in (("def f(x): return 1", True), ("def f(x): return 0", False)):
        assert executor.submit(Program("t", 0, program, CodeTests(source=text))).result(60).passed is passes
