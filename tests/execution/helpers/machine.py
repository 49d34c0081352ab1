"""What this machine lacks for a level of isolation, found out without the code that is tested.

A test may be skipped for that alone: a sandbox that does not start where the machine has all it needs is a
failure.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

from codesample.execution import Level

__all__ = ["TRY", "lacks", "skip_unless_granted"]

TRY = """
import ctypes, errno, os, shutil, subprocess, sys
libc = ctypes.CDLL(None, use_errno=True)
def need(what, result, fine=0):
    if result < 0 and ctypes.get_errno() != fine:
        sys.exit(f"{what}: {os.strerror(ctypes.get_errno())}")
def namespaces():
    user, group = os.geteuid(), os.getegid()
    # mount, host name, IPC, network, and the users that make the rest an ordinary user's
    need("namespaces", libc.unshare(0x4C020000 | (0x10000000 if user else 0)))
    if user:
        maps = {"setgroups": "deny", "uid_map": f"{user} {user} 1", "gid_map": f"{group} {group} 1"}
        for name, text in maps.items():
            try:
                open(f"/proc/self/{name}", "w").write(text)
            except OSError as error:
                sys.exit(f"namespaces with users: {error}")
    need("mounts in a namespace", libc.mount(b"none", b"/", b"none", 0x44000, None))
    need("mounts in a namespace", libc.mount(b"tmpfs", b"/tmp", b"tmpfs", 0, b"size=1m"))
level = sys.argv[1]
if level != "none":
    if os.uname().machine not in ("x86_64", "aarch64"):
        sys.exit("a processor that filters are shipped for")
    # a filter at address 0 is refused as such only where there are filters
    need("seccomp filters", libc.prctl(22, 2, None, 0, 0), errno.EFAULT)
if level in ("confined", "namespaced"):
    need("Landlock", libc.syscall(444, None, 0, 1))
if level == "namespaced":
    wrapper = [shutil.which("bwrap"), *"--unshare-user --unshare-net --unshare-ipc --unshare-uts".split()]
    wrapper += "--ro-bind / / true".split()
    if os.geteuid() == 0 or not wrapper[0] or subprocess.run(wrapper, capture_output=True).returncode:
        namespaces()
"""
"""Ends with the name of what is lacking, and the kernel's word on it, as its error."""


def lacks(level: Level, *, python: str = sys.executable, user: int | None = None) -> str:
    """Say in one line what the machine lacks for `level`; "" where it lacks nothing.

    Args:
        python: An interpreter that `user` may start.
        user: Who asks, by number; None for the user of this process.
    """
    done = subprocess.run(
        [python, "-I", "-c", TRY, level.label],
        user=user,
        group=user,
        extra_groups=None if user is None else [],
        cwd="/",
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout == ""
    assert bool(done.returncode) is bool(done.stderr), done
    (line,) = done.stderr.splitlines() or [""]
    return line


def skip_unless_granted(level: Level, *, python: str = sys.executable, user: int | None = None) -> None:
    """Skip the test where the machine itself cannot grant `level`, and say why."""
    if lacking := lacks(level, python=python, user=user):
        whom = "" if user is None else " to an ordinary user"
        pytest.skip(f"this machine does not grant{whom} what the level {level.label!r} needs: {lacking}")
