"""Every verdict equals what plain Python says of the same program and tests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from pathlib import Path

import pytest
from referee import LIMITS, Entry, Truth, agreement, find_truths, read_entries

from codesample.execution import Executor
from codesample.records import CodeTests, Status, Verdict

WAIT_SECONDS = 300
ENTRIES = read_entries()
FEWEST, FEWEST_FAILED = 600, 200

Verdicts = dict[str, "Future[Verdict]"]
Truths = dict[str, Truth]

QUICK = ENTRIES[::3]
"""Of every file some; the whole corpus is slow."""


def each(entries: Sequence[Entry]) -> pytest.MarkDecorator:
    quick = {entry.name for entry in QUICK}
    return pytest.mark.parametrize(
        "entry",
        [
            pytest.param(entry, marks=() if entry.name in quick else pytest.mark.slow, id=entry.name)
            for entry in entries
        ],
    )


each_entry = each(ENTRIES)


@pytest.fixture(scope="session")
def asked(request: pytest.FixtureRequest) -> list[Entry]:
    """The entries that this session asks for: the quick ones, or all."""
    quick = {entry.name for entry in QUICK}
    here = [item for item in request.session.items if item.path == Path(__file__)]
    given = {item.callspec.params["entry"].name for item in here if "entry" in item.fixturenames}
    of_all = any("verdicts" in item.fixturenames and "entry" not in item.fixturenames for item in here)
    return list(ENTRIES) if of_all or not given <= quick else QUICK


@pytest.fixture(scope="session")
def verdicts(asked: list[Entry]) -> Iterator[Verdicts]:
    """Verdicts by name, all asked for at once."""
    with Executor(limits=LIMITS) as executor:
        yield {entry.name: executor.submit(entry.program) for entry in asked}


@pytest.fixture(scope="session")
def truths(asked: list[Entry]) -> Truths:
    return find_truths(asked)


@each_entry
def test_verdict_equals_plain_python(entry: Entry, verdicts: Verdicts, truths: Truths) -> None:
    verdict, truth = verdicts[entry.name].result(WAIT_SECONDS), truths[entry.name]
    assert verdict.status is not Status.HARNESS_ERROR, verdict
    if not entry.should_pass(truth):
        assert not verdict.passed, truth.reason
    elif entry.undecided:
        assert verdict.status in (Status.PASSED, Status.UNSUPPORTED_VALUE), verdict
    else:
        assert verdict.passed, verdict


@each([entry for entry in ENTRIES if entry.form])
def test_tests_alone_decide_the_form(entry: Entry, verdicts: Verdicts) -> None:
    assert verdicts[entry.name].result(WAIT_SECONDS).integrity == entry.form


@each_entry
def test_plain_python_says_what_the_entry_means(entry: Entry, truths: Truths) -> None:
    truth = truths[entry.name]
    assert truth.passed is not entry.wrong, truth.reason
    if entry.expect is not None:
        assert entry.should_pass(truth) is not truth.passed, "what is expected is what Python says anyway"


@pytest.mark.slow
def test_corpus_is_large_and_no_entry_is_there_twice(
    verdicts: Verdicts, truths: Truths, capsys: pytest.CaptureFixture[str]
) -> None:
    assert [name for name, count in Counter(entry.name for entry in ENTRIES).items() if count > 1] == []
    contents = Counter((entry.source.strip(), entry.tests.strip()) for entry in ENTRIES)
    assert [content for content, count in contents.items() if count > 1] == []
    totals = Counter(
        agreement(entry, truths[entry.name], verdicts[entry.name].result(WAIT_SECONDS)) for entry in ENTRIES
    )
    failed = sum(not truth.passed for truth in truths.values())
    with capsys.disabled():
        print(
            f"\n{len(ENTRIES)} entries, {failed} that plain Python fails: "
            f"{totals['false pass']} false passes, {totals['false wrong']} false wrong, "
            f"{totals['not judged']} not judged"
        )
    assert len(ENTRIES) >= FEWEST
    assert failed >= FEWEST_FAILED


def test_entry_is_read_with_its_stub_and_options(tmp_path: Path) -> None:
    head = "=== name of it | entry=f checks wrong weak undecided expect=passed\n"
    body = "def f(): return x\n--- stub\nx = 1\n--- tests\nassert f()\n@f\ndef g():\n    pass\n"
    (tmp_path / "some.txt").write_text("What it is.\n\n" + head + body)
    (entry,) = read_entries(tmp_path)
    assert (entry.file, entry.name, entry.form) == ("some.txt", "name of it", "weak")
    assert (entry.wrong, entry.undecided, entry.expect) == (True, True, "passed")
    tests = entry.program.tests
    assert entry.program.source == "x = 1\n\ndef f(): return x\n"
    assert isinstance(tests, CodeTests)
    assert (tests.stub, tests.entry_point, tests.source) == ("x = 1\n", "f", "")
    assert tests.checks == ("assert f()", "@f\ndef g():\n    pass")


@pytest.mark.parametrize(
    "text", ["=== a | wrnog\n--- tests\n", "=== a | expect=wrong\n--- tests\n", "=== a\nx = 1\n"]
)
def test_entry_that_is_not_written_as_it_should_be_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "some.txt").write_text(text)
    with pytest.raises(ValueError, match=r"some\.txt: 'a' has"):
        read_entries(tmp_path)


ENDINGS = {
    "the end of the tests": ("", "assert True", True),
    "a failing test": ("", "assert False", False),
    "an exit in the program": ("import sys\nsys.exit(0)", "", False),
    "an exit at once": ("import os\nos._exit(0)", "", False),
    "an exit in the tests": ("def f(): raise SystemExit(0)", "f()\nassert False", False),
    "tests that are no Python": ("", "assert (", False),
    "a program that is no Python": ("def", "assert True", False),
    "a signal after the tests": ("import atexit, os\natexit.register(os.kill, os.getpid(), 9)", "", False),
    "passing unit tests": (
        "def f(): return 1",
        "import unittest\nclass T(unittest.TestCase):\n    def test(self): self.assertEqual(f(), 1)\n"
        "unittest.main()",
        True,
    ),
    "failing unit tests": (
        "def f(): return 2",
        "import unittest\nclass T(unittest.TestCase):\n    def test(self): self.assertEqual(f(), 1)\n"
        "unittest.main()",
        False,
    ),
    "an exit by the program inside unit tests": (
        "import sys\ndef f(): sys.exit(0)",
        "import unittest\nclass T(unittest.TestCase):\n    def test(self): self.assertEqual(f(), 1)\n"
        "unittest.main()",
        False,
    ),
}


def test_plain_python_passes_what_comes_to_its_end_and_nothing_else() -> None:
    entries = [Entry("", name, program, tests) for name, (program, tests, _) in ENDINGS.items()]
    found = find_truths(entries)
    assert {name: truth.passed for name, truth in found.items()} == {
        name: passed for name, (_, _, passed) in ENDINGS.items()
    }


def test_no_entry_finds_what_another_left() -> None:
    leaving = "import math, sys\nmath.left = sys.left = 1\n"
    looking = "import math, sys, random\nassert not hasattr(math, 'left') and not hasattr(sys, 'left')\n"
    drawn = "assert random.random() == 0.8444218515250481"
    programs = [(leaving, ""), (leaving, ""), ("", looking + drawn), ("", looking + drawn)]
    entries = [Entry("", str(number), *texts) for number, texts in enumerate(programs)]
    assert [truth.reason for truth in find_truths(entries).values()] == [""] * 4
