"""Results of a program's checks as they come, and what they add up to.

The first check that fails says status and detail. A limit that is hit, or a program that dies, ends the
checks: those not reached count as failed. It also takes over status and detail, unless the failure was
decided by then. For five checks, of which the second fails and the fourth never returns:

    decided after each check (scripts)   second fails: wrong; the rest goes on under a curb of a second
                                         or so, and stops at the fourth: (True, False, True, False, False)
    never decided (code)                 the program goes on under its own limits, and stops at the
                                         fourth: cpu_timeout, with the same results
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from codesample.execution.limits import Limits
from codesample.execution.wire.messages import CHECKS_TIMED_OUT
from codesample.execution.worker.capture import Capture
from codesample.execution.worker.check_limit import ChecksTimedOut, limited_checks
from codesample.execution.worker.exchange import Exchange, ProgramStopped
from codesample.execution.worker.faults import Trouble
from codesample.execution.worker.raised import said
from codesample.execution.worker.remote import Remote
from codesample.execution.worker.spawner import Usage
from codesample.records import Status

__all__ = ["Checklist", "Finding", "Judged", "Once", "Start", "here", "judge_process", "settle"]


@dataclass(frozen=True, slots=True)
class Finding:
    """The part of a verdict that tests decide: one result for each check, and what the first failure says."""

    status: Status
    detail: str = ""
    checks: tuple[bool, ...] = ()


@dataclass(frozen=True, slots=True)
class Judged:
    """A finding and how it came about.

    Attributes:
        finding: What the tests decide.
        usages: What each process of the program used.
        wall_seconds: Of all together.
        steps: CPU seconds of each step of the tests that was begun, where the tests name their steps.
        overran: Whether the last of them took more than it was allowed.
        loaded: Whether the machine was busy with other things when time ran out.
    """

    finding: Finding
    usages: list[Usage]
    wall_seconds: float
    steps: list[float] = field(default_factory=list)
    overran: bool = False
    loaded: bool = False


Once = Callable[[Callable[[], Judged]], Judged]
"""Has a program judged once, where nothing stays of what its tests change."""


def here(judge: Callable[[], Judged]) -> Judged:
    """Judge in this process: for tests that change nothing, and where no other program comes after."""
    return judge()


class Start(Protocol):
    """Starts a confined process for a program."""

    def __call__(
        self, limits: Limits, *, streams: tuple[int, ...] = (), captures: Sequence[Capture] = ()
    ) -> Exchange:
        """Return the exchange with a fresh child; see `Exchange`."""
        ...


class Checklist:
    """Collects the results of `count` checks in their order.

    Args:
        count: How many checks there are.
        curb: Called once a failure is decided, to bound what the rest may take.
    """

    def __init__(self, count: int, curb: Callable[[], None] = lambda: None) -> None:
        self._count, self._curb = count, curb
        self._results: list[bool] = []
        self._trouble: Trouble | None = None
        self._decided = False

    @property
    def failed(self) -> bool:
        """Whether a check failed or something ended them."""
        return self._trouble is not None

    def add(self, trouble: Trouble | None) -> None:
        """Record the next check: None where it held, else why it did not."""
        self._results.append(trouble is None)
        self._trouble = self._trouble or trouble

    def skip_to(self, count: int) -> None:
        """Let the checks up to the first `count`, as far as they have no result, hold: nobody judges them."""
        self._results += [True] * (count - len(self._results))

    def decide(self) -> None:
        """Hold on to the first failure, if there is one: what ends the checks later changes it no more."""
        if self._trouble is not None and not self._decided:
            self._decided = True
            self._curb()

    def end(self, trouble: Trouble) -> None:
        """Record what keeps the remaining checks from being reached."""
        if not self._decided:
            self._trouble = trouble

    def finding(self) -> Finding:
        """Return what the results add up to."""
        checks = (*self._results, *[False] * (self._count - len(self._results)))
        if self._trouble is not None:
            return Finding(*self._trouble, checks)
        assert all(checks), "nothing failed, and not every check was reached"
        return Finding(Status.PASSED, "", checks)


def settle(checklist: Checklist, run: Callable[[], None], check_seconds: float) -> Finding:
    """Call `run`, which adds to `checklist`, and record what ends it early.

    Args:
        checklist: Fresh.
        run: Runs trusted tests; what it does with a program's objects may raise anything.
        check_seconds: CPU seconds that the tests may take in this process.

    Raises:
        TestsFault, HarnessFault: as `run`.
    """
    try:
        with limited_checks(check_seconds):
            run()
    except ChecksTimedOut:
        checklist.end(Trouble(Status.CPU_TIMEOUT, CHECKS_TIMED_OUT))
    except ProgramStopped as stopped:
        checklist.end(Trouble(stopped.status, stopped.detail))
    except Exception as error:
        # what a program returned may break code that reads it, which must not spare it a verdict
        try:
            reason = said(error)
        except (ProgramStopped, ChecksTimedOut):
            # the text of the error asks the program
            reason = type(error).__name__
        detail = f"the tests do not get along with what the program returned: {reason}"
        checklist.end(Trouble(Status.ERROR, detail))
    return checklist.finding()


def judge_process(
    find: Callable[[Remote], Finding],
    limits: Limits,
    start: Start,
    *,
    allowance: Callable[[int], float] | None = None,
) -> Judged:
    """Start one process for a program, judge it by `find`, and end it.

    Args:
        find: Judges what is behind the remote.
        limits: For the process.
        start: Makes it.
        allowance: CPU seconds for each step of the tests, by its number; None where `find` sees to it.

    Raises:
        TestsFault, HarnessFault, CallerGone: as `find` and `start`.
    """
    exchange = start(limits)
    steps = exchange.steps
    if allowance is not None:
        steps.allowance = allowance
    remote = Remote(exchange)
    try:
        finding = find(remote)
    finally:
        wall = exchange.wall_seconds
        usage = exchange.close()
        # the library may keep a stand-in, as the key of a cache: it must not ask the next program's process
        remote.over = True
        exchange.ended = exchange.ended or ProgramStopped(Status.CRASHED, "its verdict is over")
    return Judged(
        finding,
        [usage],
        wall,
        steps=steps.taken(usage.cpu_seconds),
        overran=steps.overran,
        loaded=exchange.loaded,
    )
