"""Programs that fake verdicts, harm the machine or end falsely, and the tests that they are run with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from codesample.execution import Limits
from codesample.records import CodeTests, InputTests, ScriptExample, ScriptTests, Status

HOSTILE = Path(__file__).parents[1] / "hostile"
TIGHT = Limits(cpu_seconds=0.5, wall_seconds=1.0, memory=256 << 20, check_seconds=1.0)
"""What hostile programs are given: honest ones in the same place take far less."""


@dataclass(frozen=True)
class Hostile:
    name: str
    statuses: frozenset[Status]
    source: str


def read_hostile(file: str) -> list[Hostile]:
    """Read the entries of one of the files in `hostile/`."""
    entries = (HOSTILE / file).read_text("utf-8").split("\n=== ")[1:]
    found = []
    for entry in entries:
        head, _, source = entry.partition("\n")
        name, _, statuses = head.partition(" | ")
        found.append(Hostile(name, frozenset(Status(text.strip()) for text in statuses.split(",")), source))
    return found


VERDICT_FAKERS = read_hostile("verdict_fakers.txt")
MACHINE_ATTACKS = read_hostile("machine_attacks.txt")
SCRIPT_CHEATS = read_hostile("script_cheats.txt")

SQUARES = CodeTests(
    source="""
assert f(2) == 4
assert f(3) == 9
assert abs(f(-4)) == 16
assert [f(n) for n in range(5)] == [0, 1, 4, 9, 16]
for n, square in zip(range(3), map(f, range(3))):
    assert square == n * n
assert f(7) == 49
""",
    entry_point="f",
)
WON = CodeTests(source="assert f() == 'won'", entry_point="f")

OTHER_WAYS = {
    "checks": CodeTests(checks=("assert f(2) == 4", "assert abs(f(-4)) == 16, f(-4)"), entry_point="f"),
    "inputs": InputTests(
        inputs=((2,), (3,), (-4,)), reference="def f(x):\n    return x * x", entry_point="f", atol=1e-6
    ),
    "io": ScriptTests(cases=(ScriptExample("2\n", "4\n"), ScriptExample("3\n", "9\n"))),
}
"""Tests for squares that are no plain source."""
