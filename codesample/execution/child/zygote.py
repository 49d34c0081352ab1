"""The process that programs are forked from: imports ready, rights given up, and nothing secret in it.

It is started by exec, so it shares no memory with tests or results, and it never reads a program: it
hands the socket on which one will arrive, or the file that holds a script, to a fresh child.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import _socket
import builtins
import gc
import importlib
import json
import os
import resource
import sys
import time
from _sitebuiltins import Quitter, _Helper, _Printer
from array import array
from collections.abc import Callable, Sequence
from typing import Any

from codesample.execution.child import exit_status, script, server, stacks
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
_MAX_DESCRIPTORS = 5


def main(arguments: Sequence[str]) -> None:
    """Serve fork requests until the worker closes the control socket; return in a child that runs a script.

    Args:
        arguments: Descriptor of the control socket; the worker's pid, or 0 to trust whoever is the
            parent; JSON of a `Confinement`; JSON list of further modules to import.
    """
    _hear_signals()
    # inherited is the bound of the worker, which is not that of programs
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))
    control = _socket.socket(fileno=int(arguments[0]))
    confinement = Confinement.from_json(json.loads(arguments[2]))
    sys.path.extend(confinement.packages)
    # before anything takes the functions that start threads
    stacks.make_room_with_threads()
    for name in (*PRELOADED, *json.loads(arguments[3])):
        importlib.import_module(name)
    sys.dont_write_bytecode = True
    os.environ.clear()
    _look_like_a_script()
    script.open_streams()
    linux.prctl(linux.PR_SET_CHILD_SUBREAPER, 1)
    empty = _emptier(confinement)
    kit = Kit(confinement)
    # the folder that programs are in now
    scratch = os.open(".", os.O_RDONLY | os.O_DIRECTORY)
    # what the interpreter would find out for each script: that its source is not an archive of modules
    sys.path_importer_cache[sys.argv[0]] = None
    ours = [name for name in sys.modules if name.partition(".")[0] == "codesample"]
    linux.die_with_parent(int(arguments[1]) or os.getppid())
    operations = server.rehearse()
    gc.collect()
    gc.freeze()
    control.sendall(json.dumps({"zygote": os.getpid()}).encode())
    os.dup2(1, 2)
    _serve(control, kit, operations, lambda: empty(scratch), ours)


def _hear_signals() -> None:
    """Take back what whoever started this ignores or blocks: children could not be waited for, nor ended."""
    for number in _signal.valid_signals() - {_signal.SIGPIPE, _signal.SIGXFSZ}:
        if _signal.getsignal(number) == _signal.SIG_IGN:
            _signal.signal(number, _signal.SIG_DFL)
    _signal.pthread_sigmask(_signal.SIG_SETMASK, ())


def _emptier(confinement: Confinement) -> Callable[[int], bool]:
    """Return what empties the programs' folder between two of them; most cannot write to it."""
    if not confinement.scratch:
        return lambda folder: True
    # other zygotes need not pay for it at each fork; later it cannot be read
    from codesample.execution.child.scratch import emptied

    return emptied


def _look_like_a_script() -> None:
    """Give programs what `python FILE` would: no arguments of ours, and the built-ins of `site`."""
    del sys.argv[1:]
    sys.orig_argv = list(sys.argv)
    builtins.exit, builtins.quit = Quitter("exit", "Ctrl-D"), Quitter("quit", "Ctrl-D")
    builtins.help = _Helper()
    for name in ("copyright", "credits", "license"):
        setattr(builtins, name, _Printer(name, f"{sys.copyright}\n"))


def _serve(
    control: _socket.socket,
    kit: Kit,
    operations: server.Operations,
    emptied: Callable[[], bool],
    ours: Sequence[str],
) -> None:
    """Fork children until the worker is gone, which ends this process; return in one that runs a script."""
    pid = 0
    while True:
        request, descriptors = _receive(control)
        if request is None:
            if pid:
                os.kill(pid, linux.SIGKILL)
            os._exit(0)
        if "reap" in request:
            reply = _reap(pid, sweep=not kit.single_process)
            reply["left"] += not emptied()
            pid = 0
        else:
            pid = _fork()
            if pid == 0:
                control.detach()
                _become_child(kit, operations, request, descriptors, ours)
                return
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


def _become_child(
    kit: Kit,
    operations: server.Operations,
    request: dict[str, Any],
    descriptors: list[int],
    ours: Sequence[str],
) -> None:
    """Confine this fresh child and let it serve one program; return only where it is to run a script."""
    status = exit_status.UNCONFINED
    is_script = False
    try:
        linux.die_with_parent(request["zygote"])
        job, *streams = descriptors
        sock = _socket.socket(fileno=job)
        targets = (0, 1, 2, script.source_descriptor())
        for target, descriptor in zip(targets, streams, strict=False):
            os.dup2(descriptor, target)
        _close_others({job, *kit.kept, *(targets if streams else targets[:3])})
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
        if streams:
            server.confirm(sock)
            sock.close()
            script.become_script(ours)
            is_script = True
            return
        server.serve(operations, sock, request["result_bytes"])
        status = 0
    except MemoryError:
        status = exit_status.MEMORY
    except BaseException:
        # it may not run on as a second zygote; the status tells the worker what went wrong
        pass
    finally:
        if not is_script:
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
