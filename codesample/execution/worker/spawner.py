"""The worker's side of a zygote: start it, ask it for children, replace it when it is old or broken."""

from __future__ import annotations

import _socket
import json
import os
import socket
import subprocess
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from codesample.execution.isolation.confinement import Confinement
from codesample.execution.limits import Limits
from codesample.execution.wire import launch
from codesample.execution.worker.control_group import ControlGroup, make_group

__all__ = ["Forked", "HarnessFault", "Interruption", "Spawner", "Usage"]

_PROGRAMS_PER_ZYGOTE = 1_000
_MAX_REPLY = 1 << 12
_START_SECONDS = 60.0
_REPLY_SECONDS = 30.0


class Interruption(BaseException):
    """Work on a program cannot go on; not an `Exception`, so that tests do not catch it by accident."""


class HarnessFault(Interruption):
    """The sandbox itself failed; says nothing about the program."""


@dataclass(frozen=True, slots=True)
class Forked:
    """A fresh child: its pid as this process sees it, and the socket it serves."""

    pid: int
    sock: socket.socket


@dataclass(frozen=True, slots=True)
class Usage:
    """What a child that ended had used: wait status, CPU seconds, peak resident bytes."""

    status: int
    cpu_seconds: float
    peak_memory: int


class Spawner:
    """Owns one zygote at a time; makes one child at a time."""

    def __init__(self, confinement: Confinement) -> None:
        """Remember how to start zygotes; the first starts with the first child."""
        self._confinement = confinement
        self._imports: tuple[str, ...] = ()
        self._scratch = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self.group: ControlGroup | None = None
        """Bounds what the zygote's children hold, where the machine grants it."""
        self._zygote_pid = 0
        self._forked = 0

    @property
    def pid(self) -> int | None:
        """Process id of the zygote, if one runs."""
        return self._process.pid if self._process else None

    def fork(self, limits: Limits, streams: Sequence[int] = ()) -> Forked:
        """Fork a child that confines itself and then serves its socket.

        Children with other imports than those before, or another scratch folder, need another zygote.

        Args:
            limits: Kernel limits for the child.
            streams: Of a script: descriptors of its standard input, output and error, and of its source, in
                this order. The child then runs it, and serves nothing.

        Raises:
            HarnessFault: no zygote could be started, or it broke; the next call starts another.
        """
        self.ready(limits)
        ours, theirs = socket.socketpair()
        request = {
            "zygote": self._zygote_pid,
            "cpu_seconds": limits.cpu_seconds,
            "memory": limits.memory,
            "bounded_space": not limits.imports,
            "result_bytes": limits.result_bytes,
        }
        try:
            with theirs:
                reply = self._ask(request, (theirs.fileno(), *streams))
        except HarnessFault:
            ours.close()
            raise
        self._forked += 1
        ours.setblocking(False)
        return Forked(pid=reply["pid"], sock=ours)

    def ready(self, limits: Limits) -> None:
        """See that a zygote runs which may fork a child with such limits; raises as `fork`.

        A fork of this process that does so itself comes after this, so that what is kept here is true.
        """
        kept = limits.imports == self._imports and limits.scratch == self._scratch
        if self._forked >= _PROGRAMS_PER_ZYGOTE or not kept:
            self.close()
            self._imports, self._scratch = limits.imports, limits.scratch
        if self._control is None:
            self._start()
        if self.group is not None:
            self.group.admit(limits.memory + limits.scratch)

    def forked_elsewhere(self, *, collected: bool) -> None:
        """Count a child that a fork of this process had the zygote make, and that it collected or not."""
        self._forked += 1
        if not collected:
            self.close()

    def reap(self) -> Usage:
        """Collect the current child, which has ended or was killed.

        A zygote whose child left processes behind, or files that would not go, is replaced.

        Raises:
            HarnessFault: the zygote broke.
        """
        reply = self._ask({"reap": True}, ())
        if reply["left"]:
            self.close()
        return Usage(reply["status"], reply["cpu_seconds"], reply["peak_memory"])

    def ran_out_of_memory(self) -> bool:
        """Whether the control group has ended the current child, or one of its own, for what it held."""
        return self.group is not None and self.group.ran_out()

    def close(self) -> None:
        """End the zygote, and with it any child."""
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
        if self.group is not None:
            self.group.close()
            self.group = None

    def _start(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        packages = self._confinement.packages if self._imports else ()
        confinement = self._confinement._replace(packages=packages, scratch=self._scratch)
        parent = 0 if confinement.bwrap else os.getpid()
        settings = (confinement.as_json(), self._imports)
        arguments = [str(theirs.fileno()), str(parent), *map(json.dumps, settings)]
        log = os.memfd_create("zygote", os.MFD_CLOEXEC)
        try:
            try:
                with theirs:
                    self._process = launch.start(
                        "child.zygote",
                        arguments,
                        pass_fds=[theirs.fileno()],
                        stderr=log,
                        wrapper=confinement.wrapper,
                    )
                ours.settimeout(_START_SECONDS)
                hello = ours.recv(_MAX_REPLY)
            except OSError as error:
                hello = b""
                os.write(log, str(error).encode())
            if not hello:
                ours.close()
                self.close()
                said = os.pread(log, 4_000, 0).decode(errors="replace").strip().splitlines()
                raise HarnessFault("the sandbox did not start: " + (said[-1] if said else "no reason given"))
        finally:
            os.close(log)
        ours.settimeout(_REPLY_SECONDS)
        self._control, self._forked = ours, 0
        self._zygote_pid = json.loads(hello)["zygote"]
        self.group = make_group(self._zygote_pid)

    def _ask(self, request: dict[str, Any], descriptors: Sequence[int]) -> dict[str, Any]:
        if self._control is None:
            raise HarnessFault("the zygote is gone")
        rights = [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, array("i", descriptors))] if descriptors else []
        try:
            self._control.sendmsg([json.dumps(request).encode()], rights)
            reply = self._control.recv(_MAX_REPLY)
        except OSError as error:
            self.close()
            raise HarnessFault(f"the zygote does not answer: {error}") from None
        if not reply:
            self.close()
            raise HarnessFault("the zygote ended")
        answer: dict[str, Any] = json.loads(reply)
        return answer
