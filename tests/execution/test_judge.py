"""The executor keeps what the protocol of judges promises, and each check of the kit can fail."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import replace
from typing import Any, Self

import pytest

from codesample.errors import ExecutionError
from codesample.execution import Executor, Isolation, Judge, Outcome, Program
from codesample.records import CodeTests, Status, Verdict
from codesample.testing import judges
from codesample.testing.judges import CHECKS, check_judge


def make_executor() -> Judge:
    return Executor(workers=2)


def test_the_executor_is_a_judge() -> None:
    check_judge(make_executor)


def test_naming_a_judge_loads_no_executor() -> None:
    code = (
        "import sys; from codesample.execution.judge import Judge, Outcome, Program\n"
        "from codesample.execution import Limits\n"
        "odd = [n for n in sys.modules if n.startswith(('codesample.execution.caller', "
        "'codesample.execution.worker', 'asyncio', 'torch', 'subprocess'))]\n"
        "assert not odd, odd"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_an_executor_holds_enough_programs_to_keep_its_workers_busy() -> None:
    with Executor(workers=1) as small, Executor(workers=7) as large:
        assert (small.in_flight, large.in_flight) == (64, 224)


class Faulty:
    """A judge that is right in everything; each subclass breaks one promise."""

    in_flight: int = 5
    workers: int = 2

    def __init__(self, judge: Judge) -> None:
        self._judge, self._closed = judge, False
        self._open: list[Future[Any]] = []

    @property
    def isolation(self) -> Isolation:
        return self._judge.isolation

    def submit(self, program: Program) -> Future[Verdict]:
        self._refuse_if_closed()
        inner = self._judge.submit(program)
        future: Future[Verdict] = Future()
        self._open.append(future)
        inner.add_done_callback(lambda done: self._settle(future, program, done))
        return future

    def _settle(self, future: Future[Verdict], program: Program, done: Future[Verdict]) -> None:
        if not future.cancelled() and not future.done():
            future.set_result(self.changed(program, done.result()))

    def changed(self, program: Program, verdict: Verdict) -> Verdict:
        return verdict

    def submit_calls(
        self,
        source: str,
        entry_point: str,
        inputs: Sequence[tuple[Any, ...]],
        *,
        cpu_seconds: float | None = None,
    ) -> Future[list[Outcome]]:
        self._refuse_if_closed()
        return self._judge.submit_calls(source, entry_point, inputs, cpu_seconds=cpu_seconds)

    def _refuse_if_closed(self) -> None:
        if self._closed:
            raise ExecutionError("closed")

    def close(self) -> None:
        self._closed = True
        for future in self._open:
            if not future.done():
                future.set_exception(ExecutionError("closed"))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for future in self._open:
            if not future.cancelled():
                future.exception()
        self.close()


class StatesNothing(Faulty):
    isolation = None  # type: ignore[assignment]


class HoldsTooLittle(Faulty):
    in_flight = 1


class MixesKeys(Faulty):
    def changed(self, program: Program, verdict: Verdict) -> Verdict:
        return replace(verdict, index=verdict.index // 2)


class PassesEverything(Faulty):
    def changed(self, program: Program, verdict: Verdict) -> Verdict:
        if verdict.status is Status.HARNESS_ERROR:
            return verdict
        return replace(verdict, status=Status.PASSED, checks=(True,) * program.tests.check_count)


class StopsAtTheFirstFailure(Faulty):
    def changed(self, program: Program, verdict: Verdict) -> Verdict:
        if False in verdict.checks:
            at = verdict.checks.index(False)
            return replace(verdict, checks=verdict.checks[:at] + (False,) * (len(verdict.checks) - at))
        return verdict


class HoldsWhatWasNotReached(Faulty):
    def changed(self, program: Program, verdict: Verdict) -> Verdict:
        dead = verdict.status is Status.CRASHED
        return replace(verdict, checks=(True,) * len(verdict.checks)) if dead else verdict


class ForgetsChecks(Faulty):
    def changed(self, program: Program, verdict: Verdict) -> Verdict:
        return replace(verdict, checks=())


class RaisesForBrokenTests(Faulty):
    def _settle(self, future: Future[Verdict], program: Program, done: Future[Verdict]) -> None:
        if done.result().status is Status.HARNESS_ERROR:
            future.set_exception(ExecutionError("broken"))
        else:
            super()._settle(future, program, done)


class CallsBrokenTestsWrong(Faulty):
    def changed(self, program: Program, verdict: Verdict) -> Verdict:
        return replace(verdict, status=Status.WRONG) if verdict.status is Status.HARNESS_ERROR else verdict


class DropsCalls(Faulty):
    def submit_calls(self, *args: Any, **more: Any) -> Future[list[Outcome]]:
        future: Future[list[Outcome]] = Future()
        future.set_result(super().submit_calls(*args, **more).result()[:-1])
        return future


class CallsWithoutLimit(Faulty):
    def submit_calls(self, *args: Any, cpu_seconds: float | None = None) -> Future[list[Outcome]]:
        future: Future[list[Outcome]] = Future()
        outcomes = super().submit_calls(*args, cpu_seconds=cpu_seconds).result()
        timed_out = [
            Outcome(Status.PASSED, 1) if each.status is Status.CPU_TIMEOUT else each for each in outcomes
        ]
        future.set_result(timed_out)
        return future


class TakesAnything(Faulty):
    def submit_calls(self, source: str, entry_point: str, inputs: Any, **more: Any) -> Future[list[Outcome]]:
        plain = [tuple(each for each in given if type(each) is int) for given in inputs]
        return super().submit_calls(source, entry_point, plain, **more)


class CancelsTwins(Faulty):
    def submit(self, program: Program) -> Future[Verdict]:
        # no verdict may be there before it is cancelled
        future = super().submit(replace(program, source=f"{program.source}\n# {time.time_ns()}"))
        twins = self._open if program.task_id == "twin" else []

        def cancel(done: Future[Verdict]) -> None:
            if done.cancelled():
                for twin in twins[:3]:
                    twin.cancel()

        future.add_done_callback(cancel)
        return future


class LeavesEarly(Faulty):
    def __exit__(self, *_: object) -> None:
        self.close()


class AcceptsWhenClosed(Faulty):
    def _refuse_if_closed(self) -> None:
        pass


class SettlesAtTheEnd(Faulty):
    def close(self) -> None:
        self._closed = True
        for future in self._open:
            if not future.done():
                future.set_result(Verdict("t", 0, Status.CPU_TIMEOUT))


FAULTS = [
    (StatesNothing, "what it states", "isolation is None"),
    (HoldsTooLittle, "what it states", "in_flight = 1, expected at least workers = 2"),
    (MixesKeys, "keys", r"the verdict on \('kit/1', 1\) came under \('kit/1', 0\)"),
    (PassesEverything, "kinds of tests", "wrong program, tests by code: passed"),
    (StopsAtTheFirstFailure, "kinds of tests", r"wrong program, tests by code: checks \(True, False, False"),
    (HoldsWhatWasNotReached, "kinds of tests", "dying program, tests by code: checks"),
    (ForgetsChecks, "kinds of tests", r"right program, tests by code: checks \(\)"),
    (RaisesForBrokenTests, "harness failures", "tests that are no Python raised"),
    (CallsBrokenTestsWrong, "harness failures", "expected harness_error"),
    (DropsCalls, "calls", "four calls came to"),
    (CallsWithoutLimit, "calls", "a call of 0.5 CPU seconds at most came to"),
    (TakesAnything, "calls", "calls with an argument that is not plain data were accepted"),
    (CancelsTwins, "cancelling", "a program beside a cancelled one raised"),
    (LeavesEarly, "leaving the block", "programs were judged as the block ended|before every verdict"),
    (AcceptsWhenClosed, "closing", "submit on a closed judge was accepted"),
    (SettlesAtTheEnd, "closing", "expected ExecutionError"),
]


@pytest.fixture(scope="module")
def real() -> Iterator[Judge]:
    executor = Executor(workers=2)
    yield executor
    # what faulty judges did not wait for is still under way
    executor.close()


def test_the_stand_in_is_right_before_it_is_broken(real: Judge) -> None:
    for name in ("what it states", "keys", "kinds of tests", "harness failures", "calls", "cancelling"):
        CHECKS[name](lambda: Faulty(real))


@pytest.mark.parametrize(("kind", "check", "complaint"), FAULTS, ids=[row[0].__name__ for row in FAULTS])
def test_a_judge_that_breaks_a_promise_is_found(
    real: Judge, kind: type[Faulty], check: str, complaint: str
) -> None:
    with pytest.raises(ExecutionError, match=complaint):
        CHECKS[check](lambda: kind(real))


def test_every_check_of_the_kit_is_seen_to_fail() -> None:
    assert {check for _, check, _ in FAULTS} == set(CHECKS)


def test_the_kit_names_the_check_that_failed(real: Judge) -> None:
    with pytest.raises(ExecutionError, match=r"^what it states: in_flight = 1"):
        check_judge(lambda: HoldsTooLittle(real))


def test_a_judge_that_says_nothing_is_found_and_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judges, "_SECONDS", 0.05)
    tests = CodeTests(source="assert f(1) == 1", entry_point="f")
    with Executor(workers=1) as executor:
        slow = executor.submit(Program("t", 0, "import time\ntime.sleep(1)\nf = abs", tests))
        with pytest.raises(ExecutionError, match=r"nothing came of a program within 0\.05 seconds"):
            judges._result(slow)
