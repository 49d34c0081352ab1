"""Judge by trusted Python that calls the program: it runs here, the program in its own process."""

from __future__ import annotations

import importlib
import random
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from types import CodeType
from typing import Any, ClassVar

from codesample.execution.limits import Limits
from codesample.execution.worker.apart import found_apart
from codesample.execution.worker.check_limit import ChecksTimedOut
from codesample.execution.worker.checklist import (
    Checklist,
    Finding,
    Judged,
    Once,
    Start,
    here,
    judge_process,
    settle,
)
from codesample.execution.worker.ended import ProgramStopped
from codesample.execution.worker.failed_statement import Text, located, read_text
from codesample.execution.worker.faults import NO_PYTHON, TestsFault, Trouble, blame, compiled, undecided
from codesample.execution.worker.pace import Pace, pace_of
from codesample.execution.worker.raised import crossed, said
from codesample.execution.worker.remote import SEED, Remote
from codesample.execution.worker.spawner import Interruption
from codesample.execution.worker.stand_ins import Handle
from codesample.execution.worker.wanted_names import wanted_names
from codesample.records import CodeTests, Status

__all__ = ["PreparedCode", "prepare_code"]

_TESTS, _CHECK = "<tests>", "<check>"


@dataclass(frozen=True, slots=True)
class PreparedCode:
    """Compiled tests of one problem.

    Attributes:
        tests: Where they came from.
        stub: Compiled `CodeTests.stub`.
        body, checks: `CodeTests.source` and `CodeTests.checks`, ready to run.
        names: Names that the program must supply, the entry point first.
        rebound: Names of the tests' own that they may read before they bind them.
        bound: Names of the tests' own, which the program's functions may read.
        own: Those of them that the tests read as well.
        modules: Standard modules that the tests use without importing them.
        alone: See `kinds.Prepared`.
        pace: How long loading the program, `body` and each check may take.
    """

    tests: CodeTests
    stub: CodeType
    body: Text
    checks: list[Text]
    names: tuple[str, ...]
    bound: tuple[str, ...]
    rebound: tuple[str, ...]
    own: frozenset[str]
    modules: dict[str, Any]
    alone: bool
    pace: Pace

    integrity: ClassVar[str] = "split"

    def judge(self, source: str, limits: Limits, start: Start, once: Once = here) -> Judged:
        """Judge a program; see `kinds.Prepared`."""

        def run(source: str, allowance: Callable[[int], float]) -> Judged:
            return once(
                lambda: judge_process(
                    lambda remote: self.find(source, remote, limits.check_seconds),
                    limits,
                    start,
                    allowance=allowance,
                )
            )

        return self.pace.judge(source, run)

    def find(self, source: str, remote: Remote, check_seconds: float) -> Finding:
        """Load a program, run the tests against it, and return the finding; the child may live on.

        Passing needs the tests to end here, in this process, with every check executed. The checks share
        one namespace and the limits of one program, so that a limit hit after a failure still decides.

        Raises:
            TestsFault: the tests cannot judge any program.
            HarnessFault: the sandbox failed.
        """
        checklist = Checklist(len(self.checks))
        return settle(checklist, lambda: self._run(source, remote, checklist), check_seconds)

    def _run(self, source: str, remote: Remote, checklist: Checklist) -> None:
        names = _namespace(self.stub, self.modules)
        remote.exchange.step()
        found = remote.load_or_stop(source, (*self.names, *self.rebound), bound=self.bound)
        names.update(found)
        remote.watch_names(names, self.own)
        entry = self.tests.entry_point
        if entry and entry not in found:
            checklist.end(Trouble(Status.ERROR, f"NameError: the program does not define {entry!r}"))
            return
        random.seed(SEED)
        remote.exchange.step()
        texts = {_TESTS: self.body}
        if trouble := _attempt(_TESTS, texts, names, remote):
            checklist.end(trouble)
            return
        for check in self.checks:
            remote.exchange.step()
            checklist.add(_attempt(_CHECK, texts | {_CHECK: check}, names, remote))
        if not checklist.failed and not remote.calls:
            checklist.end(self._unused(names))

    def _unused(self, names: dict[str, Any]) -> Trouble:
        """Say why tests held that never called the program; raises TestsFault where no program could help."""
        if not any(_mentions(text.code, self.names) for text in (self.body, *self.checks)):
            raise TestsFault("the tests never use the program")
        for name in self.names:
            if not isinstance(names.get(name), Handle):
                detail = f"the tests used nothing of the program: it defines no function {name!r}"
                return Trouble(Status.ERROR, detail)
        return Trouble(Status.UNSUPPORTED_VALUE, "the tests never asked the program for anything")


def prepare_code(tests: CodeTests, *, alone: bool) -> PreparedCode:
    """Compile `tests` and find the names they need.

    Args:
        tests: Trusted.
        alone: See `kinds.Prepared`.

    Raises:
        TestsFault: they are no Python, or need a module that is not here.
        HarnessFault: the process in which their stub ran was ended.
    """
    try:
        stub = compiled(tests.stub, "stub")
        body = read_text(tests.source, _TESTS, "the tests")
        checks = [read_text(check, _CHECK, f"check {number}") for number, check in enumerate(tests.checks, 1)]
        # what the stub binds is known by running it, for it may import everything from a module
        # in a process of its own where it may leave something behind
        runs_apart = alone and bool(tests.stub)
        given = set(found_apart(lambda: list(_namespace(stub, {}))) if runs_apart else _namespace(stub, {}))
        text = "\n".join((tests.source, *tests.checks))
        if tests.entry_point:
            given.discard(tests.entry_point)
        wanted = wanted_names(text, tests.entry_point, given)
    except NO_PYTHON as error:
        raise TestsFault(f"the tests are not valid Python: {error}") from None
    try:
        modules = {name: importlib.import_module(name) for name in wanted.modules}
    except ImportError as error:
        raise TestsFault(f"the tests need a module that is not here: {error}") from None
    return PreparedCode(
        tests=tests,
        stub=stub,
        body=body,
        checks=checks,
        names=wanted.program,
        bound=(*wanted.bound, "__name__"),
        rebound=wanted.rebound,
        own=wanted.own,
        modules=modules,
        alone=alone,
        pace=pace_of(tests),
    )


def _mentions(code: CodeType, names: Collection[str]) -> bool:
    """Whether code, or a function in it, reads or binds one of these names."""
    inner = (each for each in code.co_consts if isinstance(each, CodeType))
    return not set(names).isdisjoint(code.co_names) or any(_mentions(each, names) for each in inner)


def _namespace(stub: CodeType, modules: dict[str, Any]) -> dict[str, Any]:
    """Return fresh globals in which the stub has run; raises TestsFault where it fails."""
    names: dict[str, Any] = {"__name__": "__main__", **modules}
    try:
        exec(stub, names)
    except Exception as error:
        raise TestsFault(f"the stub of the tests fails: {said(error)}") from None
    return names


def _attempt(
    filename: str, texts: Mapping[str, Text], names: dict[str, Any], remote: Remote
) -> Trouble | None:
    """Run one of the texts; return None where it ended normally, else why it did not, and where."""
    remote.met_opaque = False
    try:
        exec(texts[filename].code, names)
    except ProgramStopped as stopped:
        stopped.detail = located(stopped.detail, stopped, texts)
        raise
    except (Interruption, ChecksTimedOut):
        raise
    except BaseException as error:
        if remote.exchange.ended is None:
            status, detail = blame(error, remote)
            trouble = Trouble(status, located(detail, error, texts))
            if isinstance(error, NameError) and not crossed(error) and remote.perform("defined", error.name):
                # the program bound it since its names were taken
                return undecided(trouble.detail)
            return trouble
    if remote.exchange.ended is not None:
        # the tests swallowed it
        raise remote.exchange.ended
    if remote.met_opaque:
        return undecided("they hold only if the program is believed")
    return None
