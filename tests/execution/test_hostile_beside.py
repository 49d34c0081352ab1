"""Which hostile programs are stopped where their tests run beside them, and which are not, and why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hostile_programs import HOSTILE, SQUARES, TIGHT

from codesample.execution.worker.checklist import Finding
from codesample.records import Status

Beside = Callable[..., Finding]


TESTS = {
    "squares": SQUARES.source,
    "unittest": """
import unittest
class Squares(unittest.TestCase):
    def test_two(self):
        self.assertEqual(f(2), 4)
    def test_three(self):
        self.assertEqual(f(3), 9)
if __name__ == "__main__":
    unittest.main()
""",
    "guarded": """
first = f(2)
if __name__ == "__main__":
    assert first == 4
    assert f(3) == 9
""",
    "helpers": """
def same(first, second):
    assert first == second
same(f(2), 4)
same(f(3), 9)
""",
    "decorated": """
@traced
def same(first, second):
    assert first == second
same(f(2), 4)
same(f(3), 9)
""",
    "methods": """
class Checker:
    def same(self, first, second):
        assert first == second
Checker().same(f(2), 4)
Checker().same(f(3), 9)
""",
    "constants": """
import math
assert abs(f(2) / math.pi - 4 / math.pi) < 1e-9
assert abs(f(3) / math.pi - 9 / math.pi) < 1e-9
""",
    "objects": """
import json
assert json.loads(str(f(2))) == 4
assert json.loads(str(f(3))) == 9
""",
    "runner": """
import unittest
class Squares(unittest.TestCase):
    def test_two(self):
        self.assertEqual(f(2), 4)
result = unittest.TestResult()
unittest.defaultTestLoader.loadTestsFromTestCase(Squares).run(result)
assert result.wasSuccessful()
""",
    "expected": """
EXPECTED = {2: 4, 3: 9}
for x in EXPECTED:
    assert f(x) == EXPECTED[x]
""",
    "words": """
two, three = f(2), f(3)
assert sum([two]) == 4, "sum"
assert sum([three]) == 9, dict(sum=three)
""",
    "plain": "assert f(2) == 4\nassert f(3) == 9\n",
}


@dataclass(frozen=True)
class Faker:
    name: str
    tests: str
    statuses: frozenset[Status]
    why: str
    source: str


def statuses(text: str) -> frozenset[Status]:
    return frozenset(Status(word.strip()) for word in text.split(","))


def read_fakers() -> list[Faker]:
    found = []
    for entry in (HOSTILE / "weak_fakers.txt").read_text("utf-8").split("\n=== ")[1:]:
        head, _, source = entry.partition("\n")
        name, tests, ends, why = head.split(" | ")
        found.append(Faker(name, TESTS[tests], statuses(ends), why, source))
    return found


def read_table() -> dict[str, tuple[frozenset[Status], str]]:
    """Return by name what becomes of the fakers that all forms are tried with, and why."""
    lines = (HOSTILE / "verdict_fakers_beside.txt").read_text("utf-8").split("\n\n", 1)[1].splitlines()
    rows = [line.split(" | ") for line in lines]
    return {name: (statuses(ends), why) for name, ends, why in rows}


FAKERS, TABLE = read_fakers(), read_table()
HONEST = "def f(x):\n    return x * x\ndef traced(function):\n    return function\n"
STOPPED = "not stopped: "

RIGHT_AT_TIMES = {
    # agrees with what the tests ask, until they call abs()
    "equal to everything",
    "lies about its class",
    "list that lies about all it holds",
    "text equal to everything",
}


@pytest.mark.parametrize("weak_faker", FAKERS, ids=lambda faker: faker.name)
def test_a_faker_of_its_own_ends_as_the_file_says(weak_faker: Faker, beside: Beside) -> None:
    finding = beside(weak_faker.source, weak_faker.tests, limits=TIGHT, entry_point="f")
    assert finding.status in weak_faker.statuses, finding


def test_a_faker_of_all_forms_ends_as_the_table_says(faker: Any, beside: Beside) -> None:
    finding = beside(faker.source, TESTS["squares"], limits=TIGHT, entry_point="f")
    assert finding.status in TABLE[faker.name][0], finding


def test_the_table_has_every_faker(fakers: Any) -> None:
    assert sorted(TABLE) == sorted(item.name for item in fakers[0])


def test_what_is_not_stopped_is_said_and_passes_in_python_too(fakers: Any, plain: Any) -> None:
    sources = {item.name: item.source for item in fakers[0]}
    rows = [(name, TESTS["squares"], *TABLE[name], sources[name]) for name in TABLE]
    rows += [(item.name, item.tests, item.statuses, item.why, item.source) for item in FAKERS]
    passing = [row for row in rows if Status.PASSED in row[2]]
    assert {row[0] for row in rows if row[3].startswith(STOPPED)} == {row[0] for row in passing}
    assert all(row[2] == {Status.PASSED} for row in passing)
    assert all(map(all, plain([(row[4], (row[1],)) for row in passing])))


@pytest.mark.parametrize("tests", TESTS)
def test_an_honest_program_passes_the_tests_that_fakers_fail(tests: str, beside: Beside) -> None:
    assert beside(HONEST, TESTS[tests], entry_point="f").status is Status.PASSED
    assert beside(HONEST.replace("x * x", "x"), TESTS[tests], entry_point="f").status is Status.WRONG


def test_no_check_is_held_that_was_not_earned(faker: Any, beside: Beside) -> None:
    checks = ("assert f(2) == 4", "assert abs(f(-4)) == 16, f(-4)", "assert f(3) is not None and f(3) == 9")
    finding = beside(faker.source, checks=checks, limits=replace(TIGHT, cpu_seconds=0.2), entry_point="f")
    if Status.PASSED not in TABLE[faker.name][0] and faker.name not in RIGHT_AT_TIMES:
        assert not any(finding.checks), finding
