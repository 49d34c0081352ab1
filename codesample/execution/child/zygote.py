"""The process that programs are forked from: imports ready, rights given up, and nothing secret in it.

It is started by exec, so it shares no memory with tests or results, and it never reads a program: it
hands the socket on which one will arrive to a fresh child.
"""

from __future__ import annotations

import _socket
import builtins
import gc
import importlib
import json
import os
import resource
import sys
import time
from _sitebuiltins import Quitter
from array import array
from collections.abc import Sequence
from typing import Any

from codesample.execution.child import exit_status, server
from codesample.execution.isolation import linux
from codesample.execution.isolation.confinement import Confinement, Kit

__all__ = ["PRELOADED", "main"]

PRELOADED = (
    "bisect",
    "cmath",
    "collections",
    "copy",
    "datetime",
    "functools",
    "heapq",
    "itertools",
    "json",
    "math",
    "operator",
    "random",
    "re",
    "string",
    "typing",
)
"""Modules that programs find imported; more would slow every fork."""

_MAX_REQUEST = 1 << 16
_FORK_ATTEMPTS = 600
_FORK_SECONDS = 60.0
_MAX_DESCRIPTORS = 4


def main(arguments: Sequence[str]) -> None:
    """Serve fork requests until the worker closes the control socket.

    Args:
        arguments: Descriptor of the control socket; the worker's pid, or 0 to trust whoever is the
            parent; JSON of a `Confinement`; JSON list of further modules to import.
    """
    # inherited is the bound of the worker, which is not that of programs
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))
    control = _socket.socket(fileno=int(arguments[0]))
    confinement = Confinement.from_json(json.loads(arguments[2]))
    sys.path.extend(confinement.packages)
    for name in (*PRELOADED, *json.loads(arguments[3])):
        importlib.import_module(name)
    sys.dont_write_bytecode = True
    os.environ.clear()
    _look_like_a_script()
    linux.prctl(linux.PR_SET_CHILD_SUBREAPER, 1)
    kit = Kit(confinement)
    linux.die_with_parent(int(arguments[1]) or os.getppid())
    server.rehearse()
    gc.collect()
    gc.freeze()
    control.sendall(json.dumps({"zygote": os.getpid()}).encode())
    os.dup2(1, 2)
    _serve(control, kit)


def _look_like_a_script() -> None:
    """Give programs what `python FILE` would: no arguments of ours, two built-ins that `-S` leaves out."""
    sys.argv, sys.orig_argv = [""], [""]
    builtins.exit, builtins.quit = Quitter("exit", "Ctrl-D"), Quitter("quit", "Ctrl-D")


def _serve(control: _socket.socket, kit: Kit) -> None:
    pid = 0
    while True:
        request, descriptors = _receive(control)
        if request is None:
            if pid:
                os.kill(pid, linux.SIGKILL)
            return
        if "reap" in request:
            reply = _reap(pid, sweep=not kit.single_process)
            pid = 0
        else:
            pid = _fork()
            if pid == 0:
                _become_child(control, kit, request, descriptors)
            for descriptor in descriptors:
                os.close(descriptor)
            reply = {"pid": pid}
        control.sendall(json.dumps(reply).encode())


def _fork() -> int:
    """Fork, and wait while a program's threads take every process id that there is."""
    for _ in range(_FORK_ATTEMPTS):
        try:
            return os.fork()
        except BlockingIOError:
            time.sleep(_FORK_SECONDS / _FORK_ATTEMPTS)
    return os.fork()


def _receive(control: _socket.socket) -> tuple[dict[str, Any] | None, list[int]]:
    """Read one request with its descriptors; None once the worker is gone."""
    room = _socket.CMSG_SPACE(_MAX_DESCRIPTORS * array("i").itemsize)
    body, ancillary, _, _ = control.recvmsg(_MAX_REQUEST, room, _socket.MSG_CMSG_CLOEXEC)
    descriptors = array("i")
    for _, _, data in ancillary:
        descriptors.frombytes(data)
    return (json.loads(body) if body else None), list(descriptors)


def _become_child(control: _socket.socket, kit: Kit, request: dict[str, Any], descriptors: list[int]) -> None:
    """Confine this fresh child and let it serve one program; never returns."""
    status = exit_status.UNCONFINED
    try:
        linux.die_with_parent(request["zygote"])
        job, *streams = descriptors
        sock = _socket.socket(fileno=job)
        for target, source in enumerate(streams):
            os.dup2(source, target, inheritable=False)
        _close_others({0, 1, 2, job, *kit.kept})
        try:
            kit.confine(
                cpu_seconds=request["cpu_seconds"],
                memory=request["memory"],
                bounded_space=request["bounded_space"],
            )
        except OSError as error:
            server.refuse(sock, str(error))
            return
        status = exit_status.BROKEN
        server.serve(sock, request["result_bytes"])
        status = 0
    except MemoryError:
        status = exit_status.MEMORY
    except BaseException:
        # it may not run on as a second zygote; the status tells the worker what went wrong
        pass
    finally:
        os._exit(status)


def _close_others(kept: set[int]) -> None:
    low = 0
    for descriptor in sorted(kept):
        if low < descriptor:
            os.closerange(low, descriptor)
        low = descriptor + 1
    os.closerange(low, os.sysconf("SC_OPEN_MAX"))


def _reap(pid: int, *, sweep: bool) -> dict[str, Any]:
    """Wait for the child; with `sweep`, end and collect the processes it left behind."""
    _, status, usage = os.wait4(pid, 0)
    left = 0
    while sweep and (orphans := _children()):
        left += len(orphans)
        for orphan in orphans:
            os.kill(orphan, linux.SIGKILL)
            os.waitpid(orphan, 0)
    return {
        "status": status,
        "cpu_seconds": usage.ru_utime + usage.ru_stime,
        "peak_memory": usage.ru_maxrss * 1024,
        "left": left,
    }


def _children() -> list[int]:
    with open("/proc/thread-self/children") as file:
        return [int(pid) for pid in file.read().split()]
