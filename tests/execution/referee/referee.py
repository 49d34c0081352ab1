"""The judge's own referee: pairs of program and tests, and what plain Python says of each.

Every file `*.txt` beside this one holds entries after a first paragraph of its own:

    === name | option option ...
    the program
    --- tests
    the tests

A line `--- stub` after the program begins trusted definitions that the prompt shows before the program; the
program's text then has them at its top as well. The options:

    entry=f           the entry point
    checks            each statement of the tests is a check of its own
    wrong             plain Python fails this program; without it, plain Python passes it
    split, weak       the form in which the tests are judged
    undecided         neither form can tell: a program that plain Python passes may be unsupported_value
    expect=failed     the right verdict, where names shared by program and tests mislead plain Python
    expect=passed     likewise

To look at some entries, or at all, with their verdicts: `python referee.py --judge [NAME...]`.
"""

from __future__ import annotations

import argparse
import ast
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from codesample.execution import Executor, Limits, Program
from codesample.records import CodeTests, Status, Verdict

__all__ = ["LIMITS", "Entry", "Truth", "agreement", "find_truths", "read_entries"]

FOLDER = Path(__file__).parent
LIMITS = Limits(cpu_seconds=3.0, wall_seconds=10.0)
"""Of every program in the corpus: far more than an honest one takes on a busy machine."""

_DRIVERS = 2
_DRIVER_SECONDS = 300
_HEAD = "=== "
_FLAGS = {"checks", "wrong", "split", "weak", "undecided"}


@dataclass(frozen=True, slots=True)
class Entry:
    """A program with tests, and what its author says of them; see the module's text."""

    file: str
    name: str
    source: str
    tests: str
    stub: str = ""
    entry_point: str | None = None
    checks: bool = False
    wrong: bool = False
    form: Literal["split", "weak"] | None = None
    undecided: bool = False
    expect: Literal["passed", "failed"] | None = None

    @property
    def program(self) -> Program:
        """What is submitted to the judge."""
        tests = CodeTests(
            source="" if self.checks else self.tests,
            checks=tuple(_statements(self.tests)) if self.checks else (),
            entry_point=self.entry_point,
            stub=self.stub,
        )
        return Program(self.name, 0, self.source, tests)

    def should_pass(self, truth: Truth) -> bool:
        """Whether the program is right: as plain Python says, unless the entry states otherwise."""
        return truth.passed if self.expect is None else self.expect == "passed"


@dataclass(frozen=True, slots=True)
class Truth:
    """What plain Python says of an entry; `reason` is the last line of its error, for people."""

    passed: bool
    reason: str


def read_entries(folder: Path = FOLDER) -> list[Entry]:
    """Read all entries of a folder, by default the whole corpus.

    Raises:
        ValueError: an entry is not written as the module's text says; the message names it.
    """
    entries = []
    for path in sorted(folder.glob("*.txt")):
        # not splitlines: an entry may hold any character
        for text in ("\n" + path.read_text("utf-8")).split("\n" + _HEAD)[1:]:
            entries.append(_parsed(path.name, text))
    return entries


def find_truths(entries: Sequence[Entry]) -> dict[str, Truth]:
    """Run entries in plain Python, each in a process of its own, two at a time; return truths by name."""
    shares = [entries[start::_DRIVERS] for start in range(_DRIVERS)]
    with ThreadPoolExecutor(_DRIVERS) as pool:
        found = pool.map(_drive, shares)
    return {
        entry.name: Truth(*result)
        for share, results in zip(shares, found, strict=True)
        for entry, result in zip(share, results, strict=True)
    }


def agreement(entry: Entry, truth: Truth, verdict: Verdict) -> str:
    """Say how a verdict compares with the truth.

    Returns: "agrees", or one of "false pass", "false wrong" (any verdict against a right program) and
    "not judged" (a right program whose value neither form can tell, or a failure of the harness).
    """
    if verdict.status is Status.HARNESS_ERROR:
        return "not judged"
    if verdict.passed == entry.should_pass(truth):
        return "agrees"
    if verdict.passed:
        return "false pass"
    return "not judged" if verdict.status is Status.UNSUPPORTED_VALUE else "false wrong"


def _parsed(file: str, text: str) -> Entry:
    head, _, body = text.partition("\n")
    name, *options = head.split(" | ")
    # program, then tests and perhaps a stub, in any order
    source, *parts = re.split(r"^--- (tests|stub)\n", body, flags=re.MULTILINE)
    parted = dict(zip(parts[::2], parts[1::2], strict=True))
    if "tests" not in parted:
        raise ValueError(f"{file}: {name!r} has no line '--- tests'")
    stub = parted.get("stub", "")
    values = dict(option.partition("=")[::2] for option in " ".join(options).split())
    unknown = values.keys() - _FLAGS - {"entry", "expect"}
    if unknown or values.get("expect", "passed") not in ("passed", "failed"):
        raise ValueError(f"{file}: {name!r} has options that mean nothing: {head!r}")
    return Entry(
        file=file,
        name=name,
        source=f"{stub}\n{source}" if stub else source,
        tests=parted["tests"],
        stub=stub,
        entry_point=values.get("entry"),
        checks="checks" in values,
        wrong="wrong" in values,
        form="weak" if "weak" in values else "split" if "split" in values else None,
        undecided="undecided" in values,
        expect=values.get("expect"),  # type: ignore[arg-type]
    )


def _statements(source: str) -> list[str]:
    """Return the text of each statement at the top of `source`."""
    lines = source.split("\n")
    found = []
    for node in ast.parse(source).body:
        first = min([node.lineno, *(item.lineno for item in getattr(node, "decorator_list", []))])
        found.append("\n".join(lines[first - 1 : node.end_lineno]))
    return found


def _drive(entries: Sequence[Entry]) -> list[tuple[bool, str]]:
    """Return results of plain Python, in order."""
    with tempfile.TemporaryDirectory(prefix="referee-") as folder:
        given, results = Path(folder, "entries.json"), Path(folder, "results.json")
        given.write_text(json.dumps([(entry.source, entry.tests) for entry in entries]), "utf-8")
        subprocess.run(
            [sys.executable, "-X", "utf8", "-P", str(FOLDER / "plain_python.py"), str(given), str(results)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            env={"PYTHONHASHSEED": "0"},
            cwd=folder,
            timeout=_DRIVER_SECONDS,
            check=True,
        )
        return json.loads(results.read_text("utf-8"))


def _main() -> None:
    parser = argparse.ArgumentParser(description="Print entries of the corpus and what Python says of them.")
    parser.add_argument("names", nargs="*", help="beginnings of names or files; all where none is given")
    parser.add_argument("--judge", action="store_true", help="judge them too")
    options = parser.parse_args()
    entries = [
        entry
        for entry in read_entries()
        if not options.names or any(text in (entry.file, entry.name) for text in options.names)
    ]
    truths = find_truths(entries)
    verdicts: dict[str, Verdict] = {}
    if options.judge:
        with Executor(limits=LIMITS) as executor:
            futures = {entry.name: executor.submit(entry.program) for entry in entries}
            verdicts = {name: future.result() for name, future in futures.items()}
    for entry in entries:
        truth = truths[entry.name]
        print(f"{entry.name} -> {'passed' if truth.passed else 'failed: ' + truth.reason}")
        if truth.passed is entry.wrong:
            print("    NOT AS MEANT")
        if verdict := verdicts.get(entry.name):
            print(f"    {agreement(entry, truth, verdict)}: {verdict.status}, {verdict.integrity}")
            print("".join(f"        {line}\n" for line in verdict.detail.splitlines()[-3:]), end="")


if __name__ == "__main__":
    _main()
