"""The trusted process beside a zygote: takes jobs from the scheduler, runs tests, returns findings.

One job at a time, in one thread; what a program did never outlives its job here but as plain data.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from codesample.execution import channel, codec
from codesample.execution.calls import Called, run_calls
from codesample.execution.confinement import Confinement
from codesample.execution.isolation import linux
from codesample.execution.judging import Finding, judge
from codesample.execution.limits import Limits
from codesample.execution.prepared import Prepared, prepare
from codesample.execution.proxy import Reading, Remote
from codesample.execution.script import run_case
from codesample.execution.session import CallerGone, Session
from codesample.execution.spawner import HarnessFault, Spawner, Usage
from codesample.execution.watch import ChecksTimedOut, limited_checks
from codesample.execution.wire import (
    CHECKS_TIMED_OUT,
    HELD_TESTS,
    READY,
    REFERENCE_PATIENCE,
    limits_from,
    tests_from,
)
from codesample.records import Status

__all__ = ["main"]

_ATTEMPTS = 2


def main(arguments: Sequence[str]) -> None:
    """Serve jobs until the scheduler closes the socket.

    Args:
        arguments: Descriptor of the socket; JSON of a `Confinement`; JSON list of modules to import.
    """
    # a program that runs as the same user may not look into the tests
    linux.prctl(linux.PR_SET_DUMPABLE, 0)
    # as an exception it would pass for a failure of the tests
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    sock = socket.socket(fileno=int(arguments[0]))
    confinement, imports = (json.loads(text) for text in arguments[1:3])
    spawner = Spawner(Confinement.from_json(confinement), imports)
    worker = _Worker(sock, spawner)
    try:
        sock.sendall(channel.frame(READY))
        while (request := channel.receive(sock)) is not None:
            sock.sendall(channel.frame(codec.encode(worker.work(*codec.decode(request)))))
    except (CallerGone, BrokenPipeError, ConnectionResetError):
        pass
    finally:
        spawner.close()
    # the caller may have been killed before it could clean up
    with contextlib.suppress(OSError):
        os.rmdir(confinement["folder"])


class _Worker:
    """Prepared tests and the means to run programs."""

    def __init__(self, sock: socket.socket, spawner: Spawner) -> None:
        self._caller = sock.fileno()
        self._spawner = spawner
        self._held: OrderedDict[str, Prepared | HarnessFault] = OrderedDict()

    def work(self, job: dict[str, Any], tests: dict[str, Any] | None) -> dict[str, Any]:
        """Do one job; a failure of the sandbox is tried once more on a fresh zygote."""
        limits = limits_from(job["limits"])
        trouble = ""
        for _ in range(_ATTEMPTS):
            try:
                if "tests_key" not in job:
                    return self._call(job, limits)
                prepared = self._prepared(job["tests_key"], tests, limits)
                return self._judge(prepared, job["source"], limits)
            except HarnessFault as fault:
                trouble = str(fault)
                self._spawner.close()
        return {"fault": trouble}

    def _prepared(self, key: str, tests: dict[str, Any] | None, limits: Limits) -> Prepared:
        """Return the job's tests made ready, keeping those of the problems seen last.

        Raises:
            HarnessFault: they cannot be made ready.
        """
        held = self._held.get(key)
        if held is None or (isinstance(held, HarnessFault) and tests is not None):
            held = self._held[key] = self._prepare(tests or {}, limits)
        self._held.move_to_end(key)
        if len(self._held) > HELD_TESTS:
            self._held.popitem(last=False)
        if isinstance(held, HarnessFault):
            raise held
        return held

    def _prepare(self, tests: dict[str, Any], limits: Limits) -> Prepared | HarnessFault:
        patient = replace(limits, cpu_seconds=REFERENCE_PATIENCE * limits.cpu_seconds)

        def run_reference(source: str, entry_point: str, inputs: list[Any]) -> Called:
            return run_calls(lambda: self._session(patient), source, entry_point, inputs)

        try:
            return prepare(tests_from(tests), run_reference)
        except HarnessFault as fault:
            return fault

    def _session(self, limits: Limits) -> Session:
        return Session(self._spawner, limits, caller=self._caller)

    def _judge(self, prepared: Prepared, source: str, limits: Limits) -> dict[str, Any]:
        if prepared.tests.io:
            return self._judge_script(prepared.tests.io, source, limits)
        limits = replace(limits, cpu_seconds=max(limits.cpu_seconds, prepared.least_cpu))
        session = self._session(limits)
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
        with limited_checks(limits.check_seconds):
            called = run_calls(
                lambda: self._session(limits), job["source"], job["entry_point"], job["inputs"]
            )
            return {"outcomes": [_outcome(reading) for reading in called.readings]}


def _outcome(reading: Reading) -> list[Any]:
    try:
        codec.encode(reading.value)
    except codec.CodecError as error:
        return [Status.UNSUPPORTED_VALUE.value, None, str(error)]
    return [reading.status.value, reading.value, reading.detail]


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
