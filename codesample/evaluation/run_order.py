"""Words for which problems of a run are listed, and in which order; light, for help pages."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["Only", "Order"]


class Order(StrEnum):
    """In which order problems are listed.

    TASK is the task's own, PASSED begins with the smallest share of programs that pass, and LOST with the
    problems that most rerankers lose, or those that are asked about; of equal ones, where most programs pass.
    """

    TASK = "task"
    PASSED = "passed"
    LOST = "lost"


class Only(StrEnum):
    """Which problems are listed, by how many of their graded candidates pass."""

    NONE_PASS = "none-pass"
    SOME_PASS = "some-pass"
    ALL_PASS = "all-pass"
