"""A judge without a sandbox that fails as it is told: on programs, or as a whole."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

from codesample import Level, Program, Status, Verdict
from codesample.errors import ExecutionError
from codesample.execution import probe_isolation


class FailingJudge:
    """Passes programs that hold `x + 1` for "adding/1", and no others.

    Args:
        failures: By a mark in a program, how often the harness fails on that.
        broken: Whether no program can be judged at all.
        level: Of isolation that it says it has.
        integrity: Of its verdicts.
    """

    workers, in_flight = 1, 64

    def __init__(
        self,
        *,
        failures: dict[str, int] | None = None,
        broken: bool = False,
        level: str = "confined",
        integrity: str = "split",
    ) -> None:
        self._failures, self._broken, self._integrity = dict(failures or {}), broken, integrity
        self.isolation = replace(probe_isolation(), level=Level.parse(level))

    def submit(self, program: Program) -> Future[Verdict]:
        future: Future[Verdict] = Future()
        if self._broken:
            future.set_exception(ExecutionError("no more room"))
            return future
        mark = next((each for each in self._failures if each in program.source), None)
        if mark is not None and self._failures[mark] > 0:
            self._failures[mark] -= 1
            verdict = Verdict(program.task_id, program.index, Status.HARNESS_ERROR, detail="out of order")
        else:
            right = "x + 1\n" in program.source or "x + 1  #" in program.source
            status = Status.PASSED if right else Status.WRONG
            verdict = Verdict(program.task_id, program.index, status, integrity=self._integrity)
        future.set_result(verdict)
        return future

    def submit_calls(self, source: str, entry_point: str, inputs: Any, *, cpu_seconds: Any = None) -> Any:
        raise AssertionError("rewards ask for no calls")

    def close(self) -> None:
        pass

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass
