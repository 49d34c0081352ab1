"""Judge by Python that runs beside the program, in its process: for tests that cannot be split from it.

They need not be trusted, and a program can fake what they say: the verdict's integrity is "weak".
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from codesample.execution.limits import Limits
from codesample.execution.worker.checklist import Checklist, Finding, Judged, Start, judge_process, settle
from codesample.execution.worker.faults import Trouble
from codesample.execution.worker.pace import Pace
from codesample.execution.worker.remote import Remote, said
from codesample.records import CodeTests, Status

__all__ = ["PreparedBeside"]

_NOT_THE_TESTS = "the program answered in place of the tests"


@dataclass(frozen=True, slots=True)
class PreparedBeside:
    """Tests that are handed over as they are, not looked into here; to load and to run are a step each."""

    tests: CodeTests
    pace: Pace

    def judge(self, source: str, limits: Limits, start: Start) -> Judged:
        """Judge a program; see `kinds.Prepared`."""

        def run(source: str, allowance: Callable[[int], float]) -> Judged:
            return judge_process(
                lambda remote: self.find(source, remote, limits.check_seconds),
                limits,
                start,
                integrity="weak",
                allowance=allowance,
            )

        return self.pace.judge(source, run)

    def find(self, source: str, remote: Remote, check_seconds: float) -> Finding:
        """Run program and tests in the child, and believe what it says of each check."""
        checklist = Checklist(len(self.tests.checks))
        return settle(checklist, lambda: self._run(source, remote, checklist), check_seconds)

    def _run(self, source: str, remote: Remote, checklist: Checklist) -> None:
        tests = self.tests
        token = secrets.token_hex(16)
        try:
            remote.exchange.step()
            remote.load(source)
            remote.exchange.step()
            reply = remote.perform("run", tests.source, list(tests.checks), token)
        except AssertionError as error:
            checklist.end(Trouble(Status.WRONG, said(error)))
            return
        except Exception as error:
            checklist.end(Trouble(Status.ERROR, said(error)))
            return
        match reply:
            case [str(answer), list(checks)] if answer == token and len(checks) == len(tests.checks):
                for check in checks:
                    checklist.add(None if check is True else Trouble(Status.WRONG, ""))
            case _:
                checklist.end(Trouble(Status.CRASHED, _NOT_THE_TESTS))
