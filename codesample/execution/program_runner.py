"""Runs programs for rerankers and best-of-n, by any judge: checks, and outputs as comparable text."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from typing import Any, TypeVar

from codesample.execution.judge import Judge, Program
from codesample.records import Status, Tests

__all__ = ["ProgramRunner", "canonical", "settled"]

_DECIMAL_BITS = 8192
T = TypeVar("T")


def settled(judge: Judge, calls: Iterable[Callable[[], Future[T]]]) -> Iterator[T]:
    """Make the calls and yield what each came to, in order; no more are open than the judge likes to hold.

    Args:
        judge: Whose methods the calls are.
        calls: Each submits something to it.
    """
    waiting: deque[Future[T]] = deque()
    for call in calls:
        if len(waiting) >= max(1, judge.in_flight):
            yield waiting.popleft().result()
        waiting.append(call())
    while waiting:
        yield waiting.popleft().result()


class ProgramRunner(ExitStack):
    """Runs programs for rerankers and for `best_of_n`; what it opens itself it closes with its block.

    Args:
        judge: Open, or a function that opens one when a program has to be run for the first time.
        task_id: Of the problem or prompt that the programs belong to; for messages.

    Attributes:
        failures: Why the harness failed on a program, for each on which it did.
    """

    def __init__(self, judge: Judge | Callable[[], AbstractContextManager[Judge]], task_id: str) -> None:
        super().__init__()
        self._opener = judge if callable(judge) else None
        self._judge: Judge | None = None if callable(judge) else judge
        self._task_id = task_id
        self.failures: list[str] = []

    def open(self) -> Judge:
        """Return the judge, opening it if need be; raises as the function that opens it."""
        if self._judge is None:
            assert self._opener is not None
            self._judge = self.enter_context(self._opener())
        return self._judge

    def check(self, programs: Sequence[str], tests: Tests) -> list[tuple[bool, ...] | None]:
        """Return, per program, a result for each check of `tests`; None where the harness itself failed.

        Raises:
            ExecutionError: the judge as a whole failed.
        """
        judge = self.open()
        jobs = (Program(self._task_id, index, source, tests) for index, source in enumerate(programs))
        verdicts = list(settled(judge, (partial(judge.submit, job) for job in jobs)))
        faults = [verdict for verdict in verdicts if verdict.status is Status.HARNESS_ERROR]
        self._note(fault.detail for fault in faults)
        return [None if verdict.status is Status.HARNESS_ERROR else verdict.checks for verdict in verdicts]

    def outputs(
        self, programs: Sequence[str], entry_point: str, inputs: Sequence[tuple[Any, ...]]
    ) -> list[tuple[str | None, ...] | None]:
        """Return, per program, the canonical text of what a function returns for each of `inputs`.

        None stands for a call that raised, exceeded a limit or returned no plain data, and, as a whole
        row, for a failure of the harness.

        Raises:
            ParameterError: an input is not plain data.
            ExecutionError: the judge as a whole failed.
        """
        judge = self.open()
        calls = (partial(judge.submit_calls, source, entry_point, inputs) for source in programs)
        found: list[tuple[str | None, ...] | None] = []
        for outcomes in settled(judge, calls):
            faults = [each for each in outcomes if each.status is Status.HARNESS_ERROR]
            if faults:
                self._note([faults[0].detail])
                found.append(None)
            else:
                found.append(
                    tuple(
                        canonical(each.value) if each.status is Status.PASSED else None for each in outcomes
                    )
                )
        return found

    def _note(self, reasons: Iterable[str]) -> None:
        self.failures += [f"{self._task_id}: {reason or 'no reason known'}" for reason in reasons]


def canonical(value: Any) -> str:
    """Return one text for all values that Python holds equal, and different ones for others.

    Args:
        value: Plain data, such as a result that came back from a program.
    """
    if isinstance(value, complex) and value.imag == 0:
        value = value.real
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int):
        number = int(value)
        return str(number) if number.bit_length() <= _DECIMAL_BITS else hex(number)
    if isinstance(value, list):
        return f"[{','.join(map(canonical, value))}]"
    if isinstance(value, tuple):
        return f"({','.join(map(canonical, value))},)"
    if isinstance(value, set | frozenset):
        return f"set({','.join(sorted(map(canonical, value)))})"
    if isinstance(value, dict):
        pairs = sorted(f"{canonical(key)}:{canonical(item)}" for key, item in value.items())
        return f"{{{','.join(pairs)}}}"
    return repr(bytes(value) if isinstance(value, bytearray) else value)
