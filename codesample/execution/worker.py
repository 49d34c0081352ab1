"""The trusted process beside a zygote: takes jobs from the scheduler, runs tests, returns findings.

One job at a time, in one thread; what a program did never outlives its job here but as plain data.
"""

from __future__ import annotations

import json
import socket
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from codesample.execution import channel, codec
from codesample.execution.calls import run_calls
from codesample.execution.confinement import Confinement
from codesample.execution.judging import Finding, judge
from codesample.execution.limits import Limits
from codesample.execution.prepared import Prepared, prepare
from codesample.execution.proxy import Remote
from codesample.execution.script import run_case
from codesample.execution.session import CallerGone, Session
from codesample.execution.spawner import HarnessFault, Spawner, Usage
from codesample.execution.watch import ChecksTimedOut, limited_checks
from codesample.execution.wire import CHECKS_TIMED_OUT, HELD_TESTS, limits_from, tests_from
from codesample.records import Status

__all__ = ["main"]

_ATTEMPTS = 2


def main(arguments: Sequence[str]) -> None:
    """Serve jobs until the scheduler closes the socket.

    Args:
        arguments: Descriptor of the socket; JSON of a `Confinement`, of modules to import, of a wrapper.
    """
    sock = socket.socket(fileno=int(arguments[0]))
    confinement, imports, wrapper = (json.loads(text) for text in arguments[1:4])
    spawner = Spawner(Confinement.from_json(confinement), imports, wrapper)
    worker = _Worker(sock, spawner)
    try:
        while (request := channel.receive(sock)) is not None:
            sock.sendall(channel.frame(codec.encode(worker.work(*codec.decode(request)))))
    except (CallerGone, BrokenPipeError, ConnectionResetError):
        pass
    finally:
        spawner.close()


class _Worker:
    """Prepared tests and the means to run programs."""

    def __init__(self, sock: socket.socket, spawner: Spawner) -> None:
        self._caller = sock.fileno()
        self._spawner = spawner
        self._held: OrderedDict[str, Prepared | HarnessFault] = OrderedDict()

    def work(self, job: dict[str, Any], tests: dict[str, Any] | None) -> dict[str, Any]:
        """Do one job; a failure of the sandbox is tried once more on a fresh zygote."""
        limits = limits_from(job["limits"])
        prepared = self._prepared(job["tests_key"], tests) if "tests_key" in job else None
        trouble = ""
        for _ in range(_ATTEMPTS):
            try:
                if isinstance(prepared, HarnessFault):
                    raise prepared
                if prepared is not None:
                    return self._judge(prepared, job["source"], limits)
                return self._call(job, limits)
            except HarnessFault as fault:
                trouble = str(fault)
                self._spawner.close()
        return {"fault": trouble}

    def _prepared(self, key: str, tests: dict[str, Any] | None) -> Prepared | HarnessFault:
        """Return the job's tests made ready, keeping those of the problems seen last."""
        if tests is not None:
            try:
                self._held[key] = prepare(tests_from(tests))
            except HarnessFault as fault:
                self._held[key] = fault
        self._held.move_to_end(key)
        if len(self._held) > HELD_TESTS:
            self._held.popitem(last=False)
        return self._held[key]

    def _judge(self, prepared: Prepared, source: str, limits: Limits) -> dict[str, Any]:
        if prepared.tests.io:
            return self._judge_script(prepared.tests.io, source, limits)
        session = Session(self._spawner, limits, caller=self._caller)
        try:
            with limited_checks(limits.check_seconds):
                finding = judge(prepared, source, Remote(session))
        except ChecksTimedOut:
            finding = Finding(Status.CPU_TIMEOUT, CHECKS_TIMED_OUT, (False,) * len(prepared.checks))
        finally:
            wall = session.wall_seconds
            usage = session.close()
        integrity = "weak" if prepared.tests.mode == "in_process" else "split"
        return _verdict(finding, [usage], wall, integrity)

    def _judge_script(
        self, cases: tuple[tuple[str, str], ...], source: str, limits: Limits
    ) -> dict[str, Any]:
        usages, total = [], 0.0
        finding = Finding(Status.HARNESS_ERROR, "no case to run")
        for case in cases:
            finding, usage, wall = run_case(self._spawner, limits, source, case, caller=self._caller)
            usages.append(usage)
            total += wall
            if finding.status is not Status.PASSED:
                break
        return _verdict(finding, usages, total, "io")

    def _call(self, job: dict[str, Any], limits: Limits) -> dict[str, Any]:
        def start() -> Session:
            return Session(self._spawner, limits, caller=self._caller)

        with limited_checks(limits.check_seconds):
            outcomes = run_calls(start, job["source"], job["entry_point"], job["inputs"])
        return {"outcomes": outcomes}


def _verdict(finding: Finding, usages: list[Usage], wall: float, integrity: str) -> dict[str, Any]:
    return {
        "status": finding.status.value,
        "detail": finding.detail,
        "checks": finding.checks,
        "cpu_seconds": sum(usage.cpu_seconds for usage in usages),
        "wall_seconds": wall,
        "peak_memory": max(usage.peak_memory for usage in usages) if usages else None,
        "integrity": integrity,
    }
