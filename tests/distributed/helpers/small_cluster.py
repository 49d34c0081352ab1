"""Ray in a network of its own, with only a loopback: nodes that a test starts and kills, and what runs there.

Run as a script within `unshare --net --pid`: whatever it started ends with it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

PORT = 6399
ADDRESS = f"127.0.0.1:{PORT}"
NAMESPACES = ["unshare", "--net", "--pid", "--fork", "--mount-proc", "--kill-child"]
QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DISABLE_IMPORT_WARNING": "1",
    "RAY_DEDUP_LOGS": "0",
    # a token that Ray has left in the home folder once would be asked for
    "RAY_AUTH_MODE": "disabled",
}
_START = ["-c", "from ray.scripts.scripts import main; main()", "start"]


def raise_loopback() -> None:
    """Bring up the only interface of a new network namespace."""
    import fcntl
    import socket
    import struct

    up, running, set_flags = 0x1, 0x40, 0x8914
    with socket.socket() as any_socket:
        fcntl.ioctl(any_socket, set_flags, struct.pack("16sh", b"lo", up | running | 0x8))


def start_head(folder: Path, *, cpus: int = 1) -> int:
    """Start a cluster, and return the process that is its raylet."""
    _start(["--head", "--port", str(PORT), "--temp-dir", str(folder)], cpus).wait(120)
    (pid,) = raylets()
    return pid


def start_nodes(count: int, *, cpus: int = 1) -> set[int]:
    """Start more nodes, side by side, and return the processes that are their raylets."""
    before = set(raylets())
    for each in [_start(["--address", ADDRESS], cpus) for _ in range(count)]:
        each.wait(120)
    return set(raylets()) - before


def _start(where: list[str], cpus: int) -> subprocess.Popen[bytes]:
    words = ["--num-cpus", str(cpus), "--node-ip-address", "127.0.0.1", "--object-store-memory", "80000000"]
    silent = subprocess.DEVNULL
    command = [sys.executable, *_START, *where, *words]
    return subprocess.Popen(command, stdout=silent, stderr=silent, env=os.environ | QUIET)


def processes() -> dict[int, tuple[int, str]]:
    """Return parent and command line of each process of this namespace."""
    found = {}
    for each in Path("/proc").iterdir():
        if each.name.isdecimal():
            try:
                words = (each / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                parent = int((each / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
            found[int(each.name)] = (parent, words)
    return found


def raylets() -> list[int]:
    return [pid for pid, (_, words) in processes().items() if "/raylet/raylet " in words]


def actors(kind: str, node: int | None = None) -> list[int]:
    """Return the processes of the actors of a class, on the node of a raylet."""
    return sorted(
        pid
        for pid, (parent, words) in processes().items()
        if f"ray::{kind}" in words and node in (None, parent)
    )


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


def wait_until(holds, *, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.05)
