"""Run trusted tests against a program in another process and say what came of it."""

from __future__ import annotations

import random
import secrets
from dataclasses import dataclass
from types import CodeType
from typing import Any

from codesample.execution.worker.check_limit import ChecksTimedOut
from codesample.execution.worker.compare import same_result
from codesample.execution.worker.exchange import ProgramStopped
from codesample.execution.worker.prepared_tests import Prepared, TestsFault
from codesample.execution.worker.remote import SEED, Handle, Remote, brief, crossed, said
from codesample.execution.worker.spawner import Interruption
from codesample.records import Status

__all__ = ["Finding", "judge"]

_LEFT_OUT = "{} inputs left out: the reference has no answer within the limits"


@dataclass(frozen=True, slots=True)
class Finding:
    """The part of a verdict that tests decide."""

    status: Status
    detail: str = ""
    checks: tuple[bool, ...] = ()


def judge(prepared: Prepared, source: str, remote: Remote) -> Finding:
    """Load a program, run the tests against it, and return the finding; the child may live on.

    Passing needs the tests to end here, in this process, with every check executed.

    Raises:
        TestsFault: the tests cannot judge any program.
        HarnessFault: the sandbox failed.
    """
    checks: list[bool] = []
    try:
        if prepared.tests.mode == "in_process":
            return _judge_beside(prepared, source, remote)
        names = prepared.namespace()
        missing = _load(prepared, source, names, remote)
        if missing:
            return Finding(
                Status.ERROR, f"NameError: the program does not define {missing!r}", _failed(prepared, checks)
            )
        random.seed(SEED)
        if prepared.tests.inputs is not None:
            return _judge_batch(prepared, names, remote)
        if trouble := _attempt(prepared.body, names, remote):
            return Finding(trouble.status, trouble.detail, _failed(prepared, checks))
        return _judge_checks(prepared, names, remote, checks)
    except ProgramStopped as stopped:
        return Finding(stopped.status, stopped.detail, _failed(prepared, checks))
    except Exception as error:
        # what a program returned may break code that reads it, which must not spare it a verdict
        detail = f"the tests do not get along with what the program returned: {said(error)}"
        return Finding(Status.ERROR, detail, _failed(prepared, checks))


def _load(prepared: Prepared, source: str, names: dict[str, Any], remote: Remote) -> str | None:
    """Run the program in its child and bind its names; return the entry point if that is missing."""
    try:
        found = remote.load(source, prepared.names)
    except Exception as error:
        remote.session.stop(Status.ERROR, said(error))
    names.update(found)
    entry = prepared.tests.entry_point
    return entry if entry and entry not in found else None


def _attempt(code: CodeType, names: dict[str, Any], remote: Remote) -> Finding | None:
    """Run test code; return None where it ended normally, else why it did not."""
    remote.met_opaque = False
    try:
        exec(code, names)
    except (Interruption, ChecksTimedOut):
        raise
    except BaseException as error:
        if remote.session.ended is None:
            return _blame(error, remote)
    if remote.session.ended is not None:
        # the tests swallowed it
        raise remote.session.ended
    return None


def _blame(error: BaseException, remote: Remote) -> Finding:
    if crossed(error):
        return Finding(Status.ERROR, said(error))
    _demand_imports(error)
    if remote.met_opaque:
        return Finding(
            Status.UNSUPPORTED_VALUE, f"the tests compare a value that is not plain data: {said(error)}"
        )
    if isinstance(error, NameError) and not isinstance(error, UnboundLocalError):
        return Finding(Status.ERROR, f"the program lacks a name the tests use: {said(error)}")
    return Finding(Status.WRONG, said(error))


def _demand_imports(error: BaseException) -> None:
    """Raise TestsFault for an import that failed in the tests themselves, and would for any program."""
    if isinstance(error, ImportError) and not crossed(error):
        raise TestsFault(f"the tests import what is not there: {said(error)}")


def _judge_checks(prepared: Prepared, names: dict[str, Any], remote: Remote, checks: list[bool]) -> Finding:
    first: Finding | None = None
    for code in prepared.checks:
        trouble = _attempt(code, names, remote)
        checks.append(trouble is None)
        first = first or trouble
    if first is not None:
        return Finding(first.status, first.detail, tuple(checks))
    if not remote.calls:
        for name in prepared.names:
            if type(names.get(name)) is not Handle:
                detail = f"the tests used nothing of the program: it defines no function {name!r}"
                return Finding(Status.ERROR, detail, tuple(checks))
        raise TestsFault("the tests never use the program")
    return Finding(Status.PASSED, "", tuple(checks))


def _judge_batch(prepared: Prepared, names: dict[str, Any], remote: Remote) -> Finding:
    """Call the entry point on every input at once and compare results as they come."""
    inputs = prepared.inputs
    function = names[prepared.names[0]]
    if type(function) is not Handle:
        return Finding(Status.ERROR, f"TypeError: {prepared.names[0]} is {brief(function)}, no function")
    results = remote.batch(function, prepared.inputs_json, len(inputs))
    for arguments, wanted, reply in zip(inputs, prepared.expected, results, strict=True):
        try:
            got = remote.result(reply)
        except Exception as error:
            return Finding(Status.ERROR, f"{said(error)}\nwith arguments {brief(arguments)}")
        if not _accepts(prepared, arguments, got, wanted):
            status = Status.UNSUPPORTED_VALUE if remote.met_opaque else Status.WRONG
            where = f"with arguments {brief(arguments)}"
            return Finding(status, f"got {brief(got)}, expected {brief(wanted)}\n{where}")
    left_out = prepared.left_out
    return Finding(Status.PASSED, _LEFT_OUT.format(left_out) if left_out else "")


def _accepts(prepared: Prepared, arguments: tuple[Any, ...], got: Any, wanted: Any) -> bool:
    if prepared.accept is None:
        return same_result(got, wanted, prepared.tests.atol)
    try:
        return bool(prepared.accept(arguments, got, wanted))
    except Exception as error:
        # an oracle computes with the result, and what it cannot compute with is not right
        _demand_imports(error)
        return False


def _judge_beside(prepared: Prepared, source: str, remote: Remote) -> Finding:
    """Run the tests in the child itself, for tests that cannot be split from the program."""
    tests = prepared.tests
    token = secrets.token_hex(16)
    try:
        remote.load(source)
        reply = remote.perform("run", tests.source, list(tests.checks), token)
    except AssertionError as error:
        return Finding(Status.WRONG, said(error), _failed(prepared, []))
    except Exception as error:
        return Finding(Status.ERROR, said(error), _failed(prepared, []))
    match reply:
        case [str(answer), list(checks)] if answer == token and len(checks) == len(tests.checks):
            held = tuple(check is True for check in checks)
            return Finding(Status.PASSED if all(held) else Status.WRONG, "", held)
    return Finding(Status.CRASHED, "the program answered in place of the tests", _failed(prepared, []))


def _failed(prepared: Prepared, done: list[bool]) -> tuple[bool, ...]:
    """Results of all checks, those not reached counting as failed."""
    return (*done, *[False] * (len(prepared.checks) - len(done)))
