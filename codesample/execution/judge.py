"""The seam between what runs programs and whoever wants verdicts on them.

`Executor` is the judge of this machine. Whatever else keeps this contract, such as one that hands
programs to other machines, can take its place; `codesample.testing.judges` checks it.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol, Self, runtime_checkable

from codesample.execution.isolation.grants import Isolation
from codesample.records import Status, Tests, Verdict
from codesample.records.short import one_line
from codesample.records.validation import validated

__all__ = ["Judge", "Outcome", "Program"]


@validated
@dataclass(frozen=True, slots=True)
class Program:
    """One program to be judged.

    Attributes:
        task_id, index: Which candidate; copied into the verdict.
        source: What is run, whole: prompt and candidate, or the code of an answer.
        tests: What judges it; a kind of tests, of `codesample.records`.
    """

    task_id: str
    index: int
    source: str
    tests: Tests

    __repr__ = one_line


@validated
@dataclass(frozen=True, slots=True)
class Outcome:
    """What one call of a program's function came to.

    Attributes:
        status: PASSED where it returned plain data; ERROR, a limit, or UNSUPPORTED_VALUE elsewhere.
        value: What it returned, plain data of built-in types; None without PASSED.
        detail: First lines of the traceback or the limit hit.
    """

    status: Status
    value: Any = None
    detail: str = ""

    __repr__ = one_line


@runtime_checkable
class Judge(Protocol):
    """Takes programs from any thread and returns futures; a context manager that waits and closes."""

    @property
    def isolation(self) -> Isolation:
        """What programs are kept from; stands in every run's record."""
        ...

    @property
    def workers(self) -> int:
        """How many programs run at once."""
        ...

    @property
    def in_flight(self) -> int:
        """How many unsettled programs keep it busy; whoever streams programs holds no more than these."""
        ...

    def submit(self, program: Program) -> Future[Verdict]:
        """Queue a program; its verdict arrives in the future, under the program's own key.

        The verdict has one result for each of the tests' `check_count` checks, unless its status is
        HARNESS_ERROR: so a failure that concerns one program is reported. A future that is cancelled
        disturbs no other. The future raises ExecutionError only where the judge cannot work at all.

        Raises:
            ExecutionError: the judge is closed.
            ParameterError: the tests hold inputs that are not plain data, or are of no kind it judges.
        """
        ...

    def submit_calls(
        self,
        source: str,
        entry_point: str,
        inputs: Sequence[tuple[Any, ...]],
        *,
        cpu_seconds: float | None = None,
    ) -> Future[list[Outcome]]:
        """Queue calls of an untrusted program's function; one outcome for each argument list arrives.

        Args:
            source: The program.
            entry_point: Name of the function to call.
            inputs: Argument lists of plain data.
            cpu_seconds: For all calls together; None means the judge's own limit. A call that exceeds
                it, or crashes, costs that input alone, a bounded number of times.

        Raises:
            ExecutionError: the judge is closed.
            ParameterError: an argument is not plain data.
        """
        ...

    def close(self) -> None:
        """End all processes; futures still waiting raise ExecutionError. May be called twice."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Wait for what was submitted, unless leaving by an exception, and close."""
        ...
