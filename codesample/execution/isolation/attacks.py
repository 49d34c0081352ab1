"""Small attacks that a probe runs inside a confined child, to see each of them fail."""

from __future__ import annotations

from codesample.execution.isolation.level import Level

__all__ = ["NAMES", "REQUIRED", "SOURCE"]

_WRITING = ("write a file", "change a mode", "make a folder")
_REACHING = (
    "start a process",
    "run a command",
    "open a socket",
    "signal its parent",
    "send to a named socket",
)
_READING = ("read a file of the machine", "list a folder of the machine", "read its own process files")

NAMES = (*_WRITING, *_REACHING, *_READING)

REQUIRED: dict[Level, tuple[str, ...]] = {
    Level.NONE: (),
    Level.LIMITED: (*_WRITING, *_REACHING),
    Level.CONFINED: NAMES,
    Level.NAMESPACED: NAMES,
}
"""Which attacks must fail for a level to count as granted."""

SOURCE = """
import os
import socket

def fails(action):
    try:
        action()
    except OSError:
        return True
    return False

def write():
    open("/tmp/codesample-probe", "w").close()
    os.remove("/tmp/codesample-probe")

def make():
    os.mkdir("/tmp/codesample-probe.d")
    os.rmdir("/tmp/codesample-probe.d")

def start():
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)

def run():
    try:
        os.execv("/codesample-probe", ["probe"])
    except FileNotFoundError:
        # the call itself was let through
        return

def send():
    first, second = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        first.sendto(b"x", "\\0codesample-probe")
    except ConnectionRefusedError:
        # nobody listens, but the message left
        return

held = {
    "write a file": fails(write),
    "change a mode": fails(lambda: os.chmod(".", 0o755)),
    "make a folder": fails(make),
    "start a process": fails(start),
    "run a command": fails(run),
    "open a socket": fails(lambda: socket.socket().close()),
    "signal its parent": fails(lambda: os.kill(os.getppid(), 0)),
    "send to a named socket": fails(send),
    "read a file of the machine": fails(lambda: open("/etc/passwd").close()),
    "list a folder of the machine": fails(lambda: os.listdir("/etc")),
    "read its own process files": fails(lambda: open("/proc/self/environ").close()),
}
"""
