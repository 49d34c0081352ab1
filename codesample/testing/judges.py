"""A conformance kit for judges: what any of them owes to whoever hands it programs.

Each check takes a judge and raises ExecutionError where it breaks a promise; `check_judge` runs them all.
Programs are small and honest but for one that loops and one that dies: what a judge withstands is not
told here, only what it says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextlib import suppress
from types import MappingProxyType
from typing import TypeVar

from codesample.errors import ExecutionError, ParameterError
from codesample.execution import Isolation, Judge, Outcome, Program
from codesample.records import CodeTests, InputTests, ScriptExample, ScriptTests, Status, Tests, Verdict
from codesample.records.validation import validated

__all__ = ["CHECKS", "MakeJudge", "check_judge"]

T = TypeVar("T")

MakeJudge = Callable[[], Judge]

_SECONDS = 300.0

_RIGHT = "def f(x):\n    return x * x\nif __name__ == '__main__':\n    print(f(int(input())))\n"
_WRONG = _RIGHT.replace("x * x", "x + x")
_ERRING = "def f(x):\n    return x.missing\nf(3)\n"
_LOOPING = "def f(x):\n    while True:\n        pass\nif __name__ == '__main__':\n    f(1)\n"
_DYING = """
import os
def f(x):
    return x * x if x < 3 else os.abort()
if __name__ == '__main__':
    print(f(int(input())))
"""

# the wrong program is right at 0 and 2 alone, so a judge that stops at a failure or starts over shows
_ARGUMENTS = (0, 1, 2, 3, 2)
_KINDS: Mapping[str, Tests] = MappingProxyType(
    {
        "code": CodeTests(
            checks=tuple(f"assert f({x}) == {x * x}" for x in _ARGUMENTS), entry_point="f", time_limit=0.5
        ),
        "inputs": InputTests(
            inputs=tuple((x,) for x in _ARGUMENTS), entry_point="f", reference=_RIGHT, time_limit=0.5
        ),
        "scripts": ScriptTests(
            cases=tuple(ScriptExample(f"{x}\n", f"{x * x}\n") for x in _ARGUMENTS), time_limit=0.5
        ),
    }
)
_EXPECTED: Mapping[str, tuple[str, Status, tuple[bool, ...]]] = MappingProxyType(
    {
        "right": (_RIGHT, Status.PASSED, (True, True, True, True, True)),
        "wrong": (_WRONG, Status.WRONG, (True, False, True, False, True)),
        "erring": (_ERRING, Status.ERROR, (False, False, False, False, False)),
        "looping": (_LOOPING, Status.CPU_TIMEOUT, (False, False, False, False, False)),
        "dying": (_DYING, Status.CRASHED, (True, True, True, False, False)),
    }
)
_BROKEN = CodeTests(source="assert f(", entry_point="f")


@validated
def check_judge(make_judge: MakeJudge) -> None:
    """Make judges and run every check, the closing ones last.

    Args:
        make_judge: Makes a fresh, open judge each time it is called.

    Raises:
        ExecutionError: a promise is broken; names the check and what was got.
    """
    for name, check in CHECKS.items():
        try:
            check(make_judge)
        except ExecutionError as error:
            raise ExecutionError(f"{name}: {error}") from error


def _check_statements(make_judge: MakeJudge) -> None:
    with make_judge() as judge:
        _require(
            isinstance(judge.isolation, Isolation),
            f"isolation is {judge.isolation!r}, expected the report that stands in a run's record",
        )
        _require(judge.workers >= 1, f"workers = {judge.workers}, expected at least 1")
        _require(
            judge.in_flight >= judge.workers,
            f"in_flight = {judge.in_flight}, expected at least workers = {judge.workers}",
        )


def _check_keys(make_judge: MakeJudge) -> None:
    """Equal and different programs, more than are held at once, each under a key of its own."""
    tests = _KINDS["code"]
    with make_judge() as judge:
        count = judge.in_flight + 3
        settled: list[Future[Verdict]] = []
        futures = []
        for n in range(count):
            source = _RIGHT if n % 2 else f"{_RIGHT}# {n}\n"
            futures.append(judge.submit(Program(f"kit/{n % 5}", n, source, tests)))
            futures[-1].add_done_callback(settled.append)
        for n, future in enumerate(futures):
            verdict = _result(future)
            key, wanted = (verdict.task_id, verdict.index), (f"kit/{n % 5}", n)
            _require(key == wanted, f"the verdict on {wanted} came under {key}")
            _require(verdict.passed, f"{wanted}: {verdict.status} ({verdict.detail}), expected passed")
    _require(len(settled) == count, f"{len(settled)} verdicts on {count} programs")


def _check_kinds(make_judge: MakeJudge) -> None:
    """Programs of every sort under every kind of tests: status, and a result for each check."""
    with make_judge() as judge:
        waiting = [
            (
                f"{sort} program, tests by {kind}",
                status,
                checks,
                judge.submit(Program(kind, 0, source, tests)),
            )
            for kind, tests in _KINDS.items()
            for sort, (source, status, checks) in _EXPECTED.items()
        ]
        for label, status, checks, future in waiting:
            verdict = _result(future)
            _require(
                verdict.status is status,
                f"{label}: {verdict.status} ({verdict.detail}), expected {status}",
            )
            _require(verdict.checks == checks, f"{label}: checks {verdict.checks}, expected {checks}")


def _check_harness_failures(make_judge: MakeJudge) -> None:
    """Tests that can judge no program make a verdict, and the next program is judged as ever."""
    with make_judge() as judge:
        broken = judge.submit(Program("broken", 0, _RIGHT, _BROKEN))
        after = judge.submit(Program("after", 0, _RIGHT, _KINDS["code"]))
        try:
            verdict = _result(broken)
        except Exception as error:
            raise ExecutionError(f"tests that are no Python raised {error!r}, expected a verdict") from error
        _require(
            verdict.status is Status.HARNESS_ERROR and bool(verdict.detail),
            f"tests that are no Python: {verdict.status} ({verdict.detail}), expected harness_error",
        )
        _require(_result(after).passed, "a program after broken tests was not judged")


def _check_calls(make_judge: MakeJudge) -> None:
    """One outcome for each argument list; a call that dies costs its own input."""
    source = (
        "import os\ndef f(x):\n    return os._exit(0) if x == 1 else [x, (x,)] if x != 3 else x.missing\n"
    )
    wanted = [Status.PASSED, Status.CRASHED, Status.PASSED, Status.ERROR]
    with make_judge() as judge:
        outcomes = _result(judge.submit_calls(source, "f", [(x,) for x in range(4)]))
        none = _result(judge.submit_calls(source, "f", []))
        looping = _result(judge.submit_calls(_LOOPING, "f", [(1,)], cpu_seconds=0.5))
        _require_refused(judge, "calls with an argument that is not plain data", _submit_odd_calls)
        _require_refused(judge, "tests with an input that is not plain data", _submit_odd_inputs)
    _require(all(type(each) is Outcome for each in outcomes), f"calls came to {outcomes}, expected outcomes")
    got = [outcome.status for outcome in outcomes]
    _require(got == wanted, f"four calls came to {got}, expected {wanted}")
    values = [outcome.value for outcome in outcomes]
    _require(values == [[0, (0,)], None, [2, (2,)], None], f"four calls returned {values}")
    _require(none == [], f"no argument list: {none}, expected []")
    ended = [outcome.status for outcome in looping]
    _require(ended == [Status.CPU_TIMEOUT], f"a call of 0.5 CPU seconds at most came to {ended}")


def _check_cancelling(make_judge: MakeJudge) -> None:
    """A cancelled program disturbs none, not even its equal."""
    tests = _KINDS["code"]
    with make_judge() as judge:
        twins = [judge.submit(Program("twin", n, f"{_RIGHT}# twin", tests)) for n in range(3)]
        twins[0].cancel()
        others = [judge.submit(Program("other", n, f"{_RIGHT}# {n}", tests)) for n in range(3)]
        for future in (*twins[1:], *others):
            try:
                verdict = _result(future)
            except BaseException as error:
                raise ExecutionError(f"a program beside a cancelled one raised {error!r}") from error
            _require(verdict.passed, f"a program beside a cancelled one: {verdict.status}")


def _check_leaving(make_judge: MakeJudge) -> None:
    """Leaving the block waits for verdicts."""
    with make_judge() as judge:
        futures = [judge.submit(Program("t", n, f"{_RIGHT}# {n}", _KINDS["code"])) for n in range(5)]
    _require(all(future.done() for future in futures), "the block was left before every verdict was in")
    judged = [future for future in futures if not future.cancelled() and future.exception() is None]
    passed = sum(future.result().passed for future in judged)
    _require(passed == len(futures), f"{passed} of {len(futures)} programs were judged as the block ended")


def _check_closing(make_judge: MakeJudge) -> None:
    """A closed judge refuses, and fails what waits."""
    judge = make_judge()
    tests = CodeTests(source="assert f(1) == 1", entry_point="f", time_limit=60.0)
    waiting = judge.submit(Program("t", 0, _LOOPING, tests))
    judge.close()
    judge.close()
    try:
        verdict: object = _result(waiting)
    except ExecutionError:
        verdict = None
    _require(
        verdict is None, f"a program still waiting at the end came to {verdict}, expected ExecutionError"
    )
    for label, submit in (
        ("submit", lambda: judge.submit(Program("t", 1, _RIGHT, tests))),
        ("submit_calls", lambda: judge.submit_calls(_RIGHT, "f", [(1,)])),
    ):
        try:
            submit()
        except ExecutionError:
            continue
        raise ExecutionError(f"{label} on a closed judge was accepted, expected ExecutionError")


CHECKS: Mapping[str, Callable[[MakeJudge], None]] = MappingProxyType(
    {
        "what it states": _check_statements,
        "keys": _check_keys,
        "kinds of tests": _check_kinds,
        "harness failures": _check_harness_failures,
        "calls": _check_calls,
        "cancelling": _check_cancelling,
        "leaving the block": _check_leaving,
        "closing": _check_closing,
    }
)
"""Every check by name."""


def _submit_odd_calls(judge: Judge) -> None:
    judge.submit_calls(_RIGHT, "f", [(object(),)])


def _submit_odd_inputs(judge: Judge) -> None:
    tests = InputTests(inputs=((object(),),), entry_point="f", reference=_RIGHT)
    judge.submit(Program("t", 0, _RIGHT, tests))


def _require_refused(judge: Judge, label: str, submit: Callable[[Judge], None]) -> None:
    with suppress(ParameterError):
        submit(judge)
        raise ExecutionError(f"{label} were accepted, expected ParameterError")


def _result(future: Future[T]) -> T:
    try:
        return future.result(_SECONDS)
    except FutureTimeoutError:
        raise ExecutionError(f"nothing came of a program within {_SECONDS:g} seconds") from None


def _require(held: bool, complaint: str) -> None:
    if not held:
        raise ExecutionError(complaint)
