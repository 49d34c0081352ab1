"""Small problems for tests of rewards: functions that add, with tests of one piece and of several checks."""

from __future__ import annotations

from dataclasses import replace

from codesample import CodeTests, Problem

BODIES = (
    "    return x + 1\n",
    "    return x + 2\n",
    "    return 0\n",
    "    return\n",
    "    retur\n",
    "",
    "    import os\n    os._exit(0)\n",
)
"""What models write, right for some of the problems or for none."""


def adding(time_limit: float | None = None) -> list[Problem]:
    """Return problems "adding/1", "adding/2", "adding/3" and "adding/5", which add so much."""
    return [_adding(addend, time_limit) for addend in (1, 2, 3, 5)]


def numbers_task(time_limit: float | None = None) -> list[Problem]:
    """Return one problem, "numbers", with four checks: a function that adds 1 to 0, 1, 5 and 9."""
    problem = _adding(1, None)
    checks = tuple(f"assert add({x}) == {x + 1}" for x in (0, 1, 5, 9))
    return [
        replace(
            problem,
            task_id="numbers",
            tests=CodeTests(checks=checks, entry_point="add", time_limit=time_limit),
        )
    ]


def _adding(addend: int, time_limit: float | None) -> Problem:
    return Problem(
        task_id=f"adding/{addend}",
        prompt=f'def add(x):\n    """Return x + {addend}."""\n',
        tests=CodeTests(
            source=f"assert add(10) == {10 + addend}\nassert add(-1) == {addend - 1}",
            entry_point="add",
            time_limit=time_limit,
        ),
        entry_point="add",
        reference=f"    return x + {addend}\n",
    )
