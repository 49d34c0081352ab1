"""Runs programs for rerankers and best-of-n, by any judge: checks, and outputs as comparable text."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from hashlib import sha256
from typing import Any, TypeVar

from codesample.execution.judge import Judge, Outcome, Program
from codesample.execution.questions import SAY, Did, Questions, with_evaluator
from codesample.execution.worker.compare_output import normal_output, same_output
from codesample.records import Status, Tests

__all__ = [
    "ProgramRunner",
    "canonical",
    "kept_text",
    "printed_alike",
    "printed_text",
    "settled",
]

_DECIMAL_BITS = 8192
_LONGEST_TEXT, _TEXT_SHOWN = 500, 200
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

    def answers(self, programs: Sequence[str], questions: Questions) -> list[Did | None]:
        """Return, per program, what comes of expressions, statements or inputs; None for a harness failure.

        A value is None where the call raised, took longer than 0.1 CPU seconds (a run of a script: 0.5), or
        gave no plain data or too much of it. After three calls of one program that took too long, or one
        CPU second of calls (for a script: five), the rest of it fails unasked. What one call makes of its
        arguments the next one does not see; what a program keeps in its own names it does.

        Raises:
            ExecutionError: the judge as a whole failed.
        """
        judge = self.open()
        if not questions.asked:
            return [Did((), ()) for _ in programs]
        calls = (
            partial(
                judge.submit_calls,
                with_evaluator(source, questions),
                SAY,
                questions.asked,
                cpu_seconds=questions.cpu_seconds,
            )
            for source in programs
        )
        text_of = printed_text if questions.inputs else canonical
        statements = len(questions.statements)
        return [self._did(outcomes, statements, text_of) for outcomes in settled(judge, calls)]

    def _did(self, outcomes: Sequence[Outcome], statements: int, text_of: Callable[[Any], str]) -> Did | None:
        fault = next((each for each in outcomes if each.status is Status.HARNESS_ERROR), None)
        if fault is not None:
            self._note([fault.detail])
            return None
        texts = [
            kept_text(text_of(each.value)) if each.status is Status.PASSED else None for each in outcomes
        ]
        values = len(texts) - statements
        return Did(tuple(texts[:values]), tuple(text is not None for text in texts[values:]))

    def _note(self, reasons: Iterable[str]) -> None:
        self.failures += [f"{self._task_id}: {reason or 'no reason known'}" for reason in reasons]


def printed_alike(got: str, expected: str, *, atol: float = 0.0, rtol: float = 0.0) -> bool:
    """Whether what a script printed counts as the expected output; as in `ScriptTests`."""
    return same_output(got, expected, atol=atol, rtol=rtol)


def printed_text(printed: str) -> str:
    """Return one text for all outputs of scripts that count as equal where no numbers are compared."""
    return normal_output(printed)


def kept_text(text: str) -> str:
    """Return a text to keep in its place: itself, or its beginning and its hash where it is long."""
    if len(text) <= _LONGEST_TEXT:
        return text
    return f"{text[:_TEXT_SHOWN]}... {sha256(text.encode(errors='surrogatepass')).hexdigest()}"


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
