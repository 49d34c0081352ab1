"""Programs go to the judge and verdicts to the folder, never more open than the judge likes to hold."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

import pytest

from codesample.evaluation.observer import Tally
from codesample.evaluation.verdict_collector import VerdictCollector
from codesample.execution.judge import Program
from codesample.records import CodeTests, Status, Verdict

TESTS = CodeTests(source="assert f()")


class Slow:
    """A judge that settles its oldest program when it is asked to hold one more than `in_flight`."""

    in_flight = 3

    def __init__(self) -> None:
        self.open: list[tuple[Program, Future[Verdict]]] = []
        self.most = 0

    def submit(self, program: Program) -> Future[Verdict]:
        future: Future[Verdict] = Future()
        self.open.append((program, future))
        self.most = max(self.most, len(self.open))
        if len(self.open) == self.in_flight:
            self.settle()
        return future

    def settle(self) -> None:
        program, future = self.open.pop(0)
        future.set_result(Verdict(program.task_id, program.index, Status.PASSED))


class Folder:
    def __init__(self) -> None:
        self.kept: list[int] = []

    def add_verdict(self, verdict: Verdict) -> None:
        self.kept.append(verdict.index)


def collector(judge: Any, folder: Folder) -> VerdictCollector:
    return VerdictCollector(judge, run=folder, tally=Tally({"x": 10}))  # type: ignore[arg-type]


def test_no_more_programs_are_open_than_the_judge_likes_to_hold() -> None:
    judge, folder = Slow(), Folder()
    collecting = collector(judge, folder)
    for index in range(10):
        collecting.submit(Program("x", index, "", TESTS))
    assert judge.most == 3
    assert folder.kept == list(range(7))


def test_every_verdict_is_kept_once_and_in_the_end_none_is_open() -> None:
    judge, folder = Slow(), Folder()
    collecting, seen = collector(judge, folder), []

    def settle_another() -> None:
        seen.append(len(folder.kept))
        if judge.open:
            judge.settle()

    for index in range(10):
        collecting.submit(Program("x", index, "", TESTS))
        collecting.collect()
    judge.settle()
    collecting.finish(after_each=settle_another)
    assert sorted(folder.kept) == list(range(10))
    assert seen == sorted(seen)


def test_what_is_known_when_a_run_ends_early_is_kept() -> None:
    judge, folder = Slow(), Folder()
    collecting = collector(judge, folder)
    for index in range(5):
        collecting.submit(Program("x", index, "", TESTS))
    left = [future for _, future in judge.open]
    collecting.abandon()
    assert folder.kept == [0, 1, 2]
    assert all(future.cancelled() for future in left)


def test_a_judge_that_cannot_work_at_all_ends_the_run() -> None:
    judge = Slow()
    collecting = collector(judge, Folder())
    collecting.submit(Program("x", 0, "", TESTS))
    judge.open[0][1].set_exception(RuntimeError("gone"))
    with pytest.raises(RuntimeError, match="gone"):
        collecting.collect()
