"""The trusted process beside a zygote: takes jobs from the scheduler, runs tests, returns findings.

One job at a time, in one thread; what a program did never outlives its job here but as plain data.
"""

from __future__ import annotations

import contextlib
import faulthandler
import json
import os
import resource
import select
import signal
import socket
import sys
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from codesample.execution.isolation import linux
from codesample.execution.isolation.confinement import Confinement
from codesample.execution.isolation.program_folder import program_folder
from codesample.execution.limits import MIB, Limits
from codesample.execution.wire import channel, codec
from codesample.execution.wire.messages import (
    HELD_TESTS,
    MAX_MESSAGE,
    READY,
    REFERENCE_PATIENCE,
    limits_from,
    pack_checks,
    tests_from,
)
from codesample.execution.worker.apart import judge_apart
from codesample.execution.worker.capture import Capture
from codesample.execution.worker.checklist import Judged, here
from codesample.execution.worker.exchange import CallerGone, Exchange
from codesample.execution.worker.faults import TestsFault
from codesample.execution.worker.kinds import Prepared, prepare
from codesample.execution.worker.measured import Measured, measure
from codesample.execution.worker.readings import shown
from codesample.execution.worker.run_calls import TOO_MUCH, Called, run_calls
from codesample.execution.worker.spawner import HarnessFault, Spawner
from codesample.records import InputTests, Status

__all__ = ["main"]

_ATTEMPTS = 2
_CALLS_ROOM = 256 * MIB
_MOST_TOLD = 128 * MIB
_MEMORY = 4_096 * MIB


def main(arguments: Sequence[str]) -> None:
    """Serve jobs until the scheduler closes the socket.

    Args:
        arguments: Descriptor of the socket; JSON of a `Confinement`, whose folder is made here; the folder
            to make it in.
    """
    # a program that runs as the same user may not look into the tests
    linux.prctl(linux.PR_SET_DUMPABLE, 0)
    # as an exception it would pass for a failure of the tests
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    # tests may be led to compute something huge from what a program returned
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    least = _MEMORY if most == resource.RLIM_INFINITY else min(_MEMORY, most)
    resource.setrlimit(resource.RLIMIT_DATA, (least, most))
    sock = socket.socket(fileno=int(arguments[0]))
    confinement = Confinement.from_json(json.loads(arguments[1]))
    # what programs may be granted, their tests may import anyway
    sys.path.extend(confinement.packages)
    with program_folder(confinement.level, arguments[2]) as folder:
        _serve(sock, Spawner(confinement._replace(folder=folder)))


def _serve(sock: socket.socket, spawner: Spawner) -> None:
    """Answer until the scheduler closes the socket, however it does; it is gone then, or gave this up."""
    worker = _Worker(sock, spawner)
    caller = os.pidfd_open(os.getppid())
    try:
        sock.sendall(channel.frame(READY))
        with _unheard():
            while (request := _next_job(sock, caller)) is not None:
                sock.sendall(channel.frame(worker.work(*codec.decode(request, trusted=True))))
    except (CallerGone, BrokenPipeError, ConnectionResetError):
        pass
    finally:
        spawner.close()


@contextlib.contextmanager
def _unheard() -> Iterator[None]:
    """Let nobody keep what tests print, which may be without end; what ends this process is logged."""
    log = os.dup(2)
    # written by the handler itself, even in the middle of a call into C: how a process ended is not always
    # told to whoever started it
    faulthandler.register(signal.SIGXCPU, file=log, all_threads=False, chain=True)
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    os.close(null)
    try:
        yield
    finally:
        os.dup2(log, 2)
        faulthandler.unregister(signal.SIGXCPU)
        os.close(log)


def _next_job(sock: socket.socket, caller: int) -> bytes | None:
    """Wait for a job; None once the caller is gone, also where a fork of it holds the socket open."""
    ready, _, _ = select.select([sock.fileno(), caller], [], [])
    return channel.receive(sock) if sock.fileno() in ready else None


class _Unprepared(NamedTuple):
    """Tests as they came, and what is known of their reference."""

    tests: list[Any] | None
    measured: str | None


class _Worker:
    """Prepared tests and the means to run programs."""

    def __init__(self, sock: socket.socket, spawner: Spawner) -> None:
        self._sock, self._caller = sock, sock.fileno()
        self._spawner = spawner
        self._held: OrderedDict[str, Prepared | TestsFault | _Unprepared] = OrderedDict()

    def work(self, job: dict[str, Any], tests: list[Any] | None, measured: str | None = None) -> bytes:
        """Do one job and encode the reply; where the sandbox fails, try once more on a fresh zygote.

        Args:
            job: What to do.
            tests: Encoded as `messages.encode_tests` does; None where they are held here.
            measured: What is known of their reference, packed; None where nothing is.
        """
        limits = limits_from(job["limits"])
        trouble = ""
        for _ in range(_ATTEMPTS):
            try:
                if "tests_key" not in job:
                    return self._call(job, limits)
                prepared = self._prepared(job["tests_key"], _Unprepared(tests, measured), limits)
                judged = self._judged(prepared, job["source"], limits)
                return codec.encode(_verdict(judged, prepared.integrity))
            except TestsFault as fault:
                trouble = str(fault)
                break
            except HarnessFault as fault:
                trouble = str(fault)
                self._spawner.close()
        return codec.encode({"fault": shown(trouble)})

    def _judged(self, prepared: Prepared, source: str, limits: Limits) -> Judged:
        """Judge one program, in processes of their own where its tests may leave something behind."""

        def once(judge: Callable[[], Judged]) -> Judged:
            self._spawner.ready(limits)
            judged = judge_apart(judge, limits, caller=self._caller, checks=prepared.tests.check_count)
            self._spawner.forked_elsewhere(collected=bool(judged.usages))
            return judged

        return prepared.judge(source, limits, self._start, once if prepared.alone else here)

    def _prepared(self, key: str, sent: _Unprepared, limits: Limits) -> Prepared:
        """Return the job's tests made ready, keeping those of the problems seen last.

        Raises:
            HarnessFault: they cannot be made ready.
        """
        held = self._held.setdefault(key, sent)
        self._held.move_to_end(key)
        if len(self._held) > HELD_TESTS:
            self._held.popitem(last=False)
        if isinstance(held, _Unprepared):
            # stays as it came where the sandbox fails, for the next try
            held = self._held[key] = self._prepare(held, limits)
        if isinstance(held, TestsFault):
            raise held
        return held

    def _prepare(self, sent: _Unprepared, limits: Limits) -> Prepared | TestsFault:
        patient = replace(limits, cpu_seconds=REFERENCE_PATIENCE * limits.cpu_seconds)

        def run_reference(source: str, entry_point: str, inputs: list[Any]) -> Called:
            return run_calls(
                lambda: self._start(patient),
                source,
                entry_point,
                inputs,
                check_seconds=patient.check_seconds,
                timed=True,
            )

        def learn(tests: InputTests) -> Measured:
            if sent.measured is not None:
                return Measured.unpacked(sent.measured)
            measured = measure(tests, run_reference)
            self._tell(measured)
            return measured

        try:
            return prepare(tests_from(sent.tests or []), learn)
        except TestsFault as fault:
            return fault

    def _tell(self, measured: Measured) -> None:
        """Let the caller keep what a reference took long to say, before this goes on."""
        try:
            packed = measured.packed()
        except codec.CodecError:
            return
        if len(packed) <= _MOST_TOLD:
            self._sock.sendall(channel.frame(codec.encode({"measured": packed})))

    def _start(
        self, limits: Limits, *, streams: tuple[int, ...] = (), captures: Sequence[Capture] = ()
    ) -> Exchange:
        return Exchange(self._spawner, limits, caller=self._caller, streams=streams, captures=captures)

    def _call(self, job: dict[str, Any], limits: Limits) -> bytes:
        called = run_calls(
            lambda: self._start(limits),
            job["source"],
            job["entry_point"],
            job["inputs"],
            check_seconds=limits.check_seconds,
            room=_CALLS_ROOM,
            packs=True,
        )
        reply = b'{"d":[["outcomes",[%s]]]}' % b",".join(called.packed)
        if len(reply) > MAX_MESSAGE:
            return codec.encode({"status": Status.OUTPUT_LIMIT.value, "detail": TOO_MUCH})
        return reply


def _verdict(judged: Judged, integrity: str) -> dict[str, Any]:
    finding, usages = judged.finding, judged.usages
    return {
        "status": finding.status.value,
        "detail": shown(finding.detail),
        "checks": pack_checks(finding.checks),
        "cpu_seconds": sum(usage.cpu_seconds for usage in usages),
        "wall_seconds": judged.wall_seconds,
        "peak_memory": max(usage.peak_memory for usage in usages) if usages else None,
        "integrity": integrity,
        **({"loaded": True} if judged.loaded else {}),
    }
