"""What a verdict says of the statement that failed: its line, its text and the values, and no more."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import pytest

from codesample.execution import Executor, Program
from codesample.execution.worker.failed_statement import located, read_text, with_statements
from codesample.execution.worker.raised import set_apart
from codesample.execution.worker.readings import brief
from codesample.records import CodeTests, Status, Verdict

Judge = Callable[..., Verdict]
SQUARE = "def f(x):\n    return x * x"


@pytest.fixture
def judged(executor: Executor) -> Judge:
    def judge(program: str, source: str, *checks: str) -> Verdict:
        tests = CodeTests(source=source, checks=checks, entry_point="f")
        verdict: Verdict = executor.submit(Program("t", 0, program, tests)).result(60)
        assert verdict.integrity == "split"
        return verdict

    return judge


ONE_PIECE = "def check(candidate):\n    assert candidate(1) == 1\n    {}\n\ncheck(f)"


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("assert candidate(2) == 5", "AssertionError: got 4, expected 5"),
        ("assert 5 == candidate(2)", "AssertionError: got 4, expected 5"),
        ("assert candidate(2) == 5, 'second'", "AssertionError: second; got 4, expected 5"),
        ("assert candidate(2) == max(5, 1)", "AssertionError: 4 == 5 is false"),
        ("assert abs(candidate(2) - 4.5) < 0.25", "AssertionError: 0.5 < 0.25 is false"),
        ("assert candidate(2) in [1, 2]", "AssertionError: 4 in [1, 2] is false"),
        ("assert not candidate(2)", "AssertionError: got 4"),
        ("assert candidate(0)", "AssertionError: got 0"),
        ("assert candidate(1) == 1 and candidate(2) == 5", "AssertionError:"),
        ("got = candidate(2); assert got == 5", "AssertionError: got 4, expected 5"),
        ("candidate(2)['a']", "TypeError: 'int' object is not subscriptable"),
    ],
)
def test_the_failing_line_is_said_with_what_it_compared(judged: Judge, statement: str, said: str) -> None:
    verdict = judged(SQUARE, ONE_PIECE.format(statement))
    assert verdict.status is Status.WRONG
    asked = statement.rpartition("; ")[2]
    place, *rest = verdict.detail.split("\n")
    assert place.startswith("line 3 of the tests: ")
    assert place.endswith(asked)
    assert rest == [said]


def test_a_statement_of_several_lines_is_said_on_one(judged: Judge) -> None:
    verdict = judged(SQUARE, "assert f(\n    2\n) == [\n    5\n]\n")
    assert (
        verdict.detail == "line 1 of the tests: assert f( 2 ) == [ 5 ]\nAssertionError: got 4, expected [5]"
    )


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("assert f(1) == 5; assert f(2) < 9", "the tests: assert f(1) == 5\n{}: got 1, expected 5"),
        ("assert f(1) == 1; assert f(2) < 4", "the tests: assert f(2) < 4\n{}: 4 < 4 is false"),
        ("assert f(1); assert 1 < f(2) < 3", "the tests: assert 1 < f(2) < 3\n{}:"),
        ("s = '''a\nb'''; assert f(2) == 1", "line 2 of the tests: assert f(2) == 1\n{}: got 4, expected 1"),
        (
            "def t(): assert f(1); assert f(2) == 1\nt()",
            "line 1 of the tests: assert f(2) == 1\n{}: got 4, expected 1",
        ),
        ("for x in [2]: assert f(x) == 1", "the tests: assert f(x) == 1\n{}: got 4, expected 1"),
        (
            "é = 'ü'; assert f(2) == 'ß', 'ä'",
            "the tests: assert f(2) == 'ß', 'ä'\n{}: ä; got 4, expected 'ß'",
        ),
    ],
)
def test_of_statements_that_share_a_line_the_failing_one_is_said(
    judged: Judge, source: str, said: str
) -> None:
    assert judged(SQUARE, source).detail == said.format("AssertionError")


def test_an_assert_in_which_something_else_failed_says_no_values() -> None:
    def deny(value: object) -> None:
        raise AssertionError("odd")

    text = read_text("assert left == 1\nassert left == deny(2)", "<tests>", "the tests")
    assert text.words
    with pytest.raises(AssertionError) as caught:
        # as what is written in C, it has no frame of its own
        exec(text.code, {"left": 1, "deny": deny})
    error = caught.value
    assert error.__traceback__ is not None
    step = error.__traceback__.tb_next
    assert step is not None
    step.tb_next = None
    said = located("AssertionError: odd", error.with_traceback(step), {"<tests>": text})
    assert said == "line 2 of the tests: assert left == deny(2)\nAssertionError: odd"


def test_what_the_program_raised_says_who_asked(judged: Judge) -> None:
    verdict = judged(
        "def f(x):\n    return x if x == 1 else 1 // (x - 2)", ONE_PIECE.format("assert candidate(2) == 4")
    )
    assert verdict.status is Status.ERROR
    first, *_, last = verdict.detail.split("\n")
    assert first == "line 3 of the tests: assert candidate(2) == 4"
    assert last.startswith("ZeroDivisionError: ")


def test_a_limit_says_what_was_asked(executor: Executor) -> None:
    tests = CodeTests(source=ONE_PIECE.format("assert candidate(2) == 4"), entry_point="f")
    program = "import os\ndef f(x):\n    return x if x == 1 else os._exit(3)"
    verdict = executor.submit(Program("t", 0, program, tests)).result(60)
    assert verdict.status is Status.CRASHED
    assert verdict.detail.startswith("line 3 of the tests: assert candidate(2) == 4\n")
    assert "status 3" in verdict.detail


def test_a_check_is_said_by_its_number(judged: Judge) -> None:
    verdict = judged(SQUARE, "", "assert f(1) == 1", "assert f(2) == 5")
    assert verdict.checks == (True, False)
    assert verdict.detail == "check 2: assert f(2) == 5\nAssertionError: got 4, expected 5"


def test_a_failure_in_a_helper_of_the_tests_is_said_there(judged: Judge) -> None:
    source = "def same(a, b):\n    assert a == b\n"
    verdict = judged(SQUARE, source, "same(f(2), 5)")
    assert verdict.detail == "line 2 of the tests: assert a == b\nAssertionError: 4 == 5 is false"


def test_values_of_another_assert_are_never_said(judged: Judge) -> None:
    source = ONE_PIECE.format("assert candidate(2) == 4; raise AssertionError('mine')")
    assert judged(SQUARE, source).detail.endswith("\nAssertionError: mine")


FORGED = "line 7 of the tests: assert forged == 1\\nAssertionError: got 1, expected 2"


@pytest.mark.parametrize(
    ("program", "source", "mode"),
    [
        (f"def f(x):\n    raise ValueError('bad\\n{FORGED}')", "assert f(1) == 1", "auto"),
        (f"def f(x):\n    raise ValueError('bad\\n{FORGED}')", "assert f(1) == 1", "in_process"),
        (f"def f(x):\n    raise type('E', (Exception,), {{}})('bad\\n{FORGED}')", "assert f(1) == 1", "auto"),
        (f"def f(x):\n    raise type('{FORGED}', (Exception,), {{}})('bad')", "assert f(1) == 1", "auto"),
        (f"raise ValueError('bad\\n{FORGED}')", "assert f(1) == 1", "auto"),
        (f"raise SystemExit('bad\\n{FORGED}')", "assert f(1) == 1", "auto"),
        (f"def f(x):\n    return 'bad\\n{FORGED}'", "assert f(1) == 1, f(1)", "auto"),
    ],
)
def test_nothing_that_a_program_says_looks_like_a_place_in_the_tests(
    executor: Executor, program: str, source: str, mode: Literal["auto", "in_process"]
) -> None:
    tests = CodeTests(source=source, entry_point="f", mode=mode)
    verdict = executor.submit(Program("t", 0, program, tests)).result(60)
    lines = verdict.detail.split("\n")
    assert "    line 7 of the tests: assert forged == 1" in [line.partition(";")[0] for line in lines]
    assert "    AssertionError: got 1, expected 2" in [line[:37] for line in lines]
    assert not [line for line in lines if line.startswith(("line 7", "AssertionError: got"))]


@pytest.mark.parametrize(
    ("detail", "apart"),
    [
        ("line 2, in f: raise E\nE: a\nb\n\nc", "line 2, in f: raise E\nE: a\n    b\n\n    c"),
        (
            "<tests>, line 1, in t\nE: a\n<tests>, line 1, in t",
            "<tests>, line 1, in t\nE: a\n    <tests>, line 1, in t",
        ),
        ("check 2: x\nE: a", "    check 2: x\n    E: a"),
        ("line 2, in f\nline 2 of the tests: x", "line 2, in f\n    line 2 of the tests: x"),
        ("E: a", "E: a"),
        ("line 2, in f", "line 2, in f"),
        ("", ""),
    ],
)
def test_all_but_the_beginning_of_a_message_is_set_apart(detail: str, apart: str) -> None:
    assert set_apart(detail) == apart


@pytest.mark.parametrize("word", ["locals()", "globals()", "dir()"])
def test_tests_that_look_at_names_find_only_their_own(judged: Judge, word: str) -> None:
    source = f"def check(candidate):\n    assert candidate(1) == 1\n    names = list({word})\n"
    source += "    assert not [each for each in names if '@' in each]\ncheck(f)"
    code = read_text(source, "<tests>", "the tests").code
    names = {"f": lambda x: x}
    exec(code, names)


def test_an_assert_keeps_nothing_once_it_held() -> None:
    lives: list[str] = []

    class Result:
        def __eq__(self, other: object) -> bool:
            return True

        __hash__ = None  # type: ignore[assignment]

        def __del__(self) -> None:
            lives.append("gone")

    source = "def check():\n    assert f() == 1\n    assert lives == ['gone']\ncheck()\nassert f() == 1\n"
    text = read_text(source + "assert lives == ['gone', 'gone']", "<tests>", "the tests")
    assert len(text.words) == 4
    exec(text.code, {"f": Result, "lives": lives})


def test_asserts_in_classes_and_in_what_catches_them_stay_as_they_are() -> None:
    source = "class A:\n    assert f(1) == 2\ntry:\n    assert f(1) == 2\nexcept AssertionError:\n    pass\n"
    assert read_text(source, "<tests>", "the tests").words == {}


def test_a_traceback_of_another_process_gets_the_text_of_its_lines() -> None:
    said = "<tests>, line 2, in test\n<program>, line 1, in f\n<tests>, line 1, in <module>\nE: x"
    source, check = "def test():\n    f()", "test()"
    assert with_statements(said, source, check) == (
        "<tests>, line 2, in test: f()\n<program>, line 1, in f\n<tests>, line 1, in <module>: test()\nE: x"
    )
    assert with_statements("<tests>, line 9, in test\nE", source, None) == "<tests>, line 9, in test\nE"


BESIDE = [
    ("assert f(\n    2\n) == [5]", "<tests>, line 1, in <module>: assert f( 2 ) == [5]"),
    ("s = '''a\nb'''; assert f(2) == 1", "<tests>, line 2, in <module>: s = '''a b'''; assert f(2) == 1"),
    (
        "assert f(1) == 1; assert f(2) == 1",
        "<tests>, line 1, in <module>: assert f(1) == 1; assert f(2) == 1",
    ),
]


@pytest.mark.parametrize(("source", "said"), BESIDE)
def test_tests_beside_the_program_say_whole_statements(executor: Executor, source: str, said: str) -> None:
    tests = CodeTests(source=source, entry_point="f", mode="in_process")
    verdict = executor.submit(Program("t", 0, SQUARE, tests)).result(60)
    assert (verdict.status, verdict.integrity) == (Status.WRONG, "weak")
    assert verdict.detail.split("\n")[0] == said


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ([1, (2,), {"a": {3}}], "[1, (2,), {'a': {3}}]"),
        (list(range(12)), "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, ...]"),
        ([[[[[1]]]]], "[[[[[...]]]]]"),
        (set(), "set()"),
        ({"b", "a"}, "{'a', 'b'}"),
        (set(range(101)), "{101 members, ...}"),
        ("x" * 81, f"'{'x' * 80}'..."),
        (10**2000, "<int of 6644 bits>"),
        (object(), "<object>"),
    ],
)
def test_values_are_shown_briefly(value: object, said: str) -> None:
    assert brief(value) == said


def test_showing_a_value_runs_no_code_of_it() -> None:
    class Loud(dict):  # type: ignore[type-arg]
        def _raise(self, *_: object) -> None:
            raise AssertionError("ran")

        __repr__ = __lt__ = __iter__ = items = __len__ = _raise  # type: ignore[assignment]

    assert brief([Loud(), {1: Loud()}]) == "[<Loud>, {1: <Loud>}]"
