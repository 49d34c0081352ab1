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
QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_DISABLE_IMPORT_WARNING": "1", "RAY_DEDUP_LOGS": "0"}
_START = ["-c", "from ray.scripts.scripts import main; main()", "start", "--disable-usage-stats"]
_SMALL = ["--object-store-memory", "80000000", "--include-dashboard", "false"]


def raise_loopback() -> None:
    """Bring up the only interface of a new network namespace."""
    import fcntl
    import socket
    import struct

    up, running, set_flags = 0x1, 0x40, 0x8914
    with socket.socket() as any_socket:
        fcntl.ioctl(any_socket, set_flags, struct.pack("16sh", b"lo", up | running | 0x8))


def start_node(folder: Path, *, cpus: int, head: bool = False) -> int:
    """Start a node, and return the process that is its raylet."""
    before = set(raylets())
    words = ["--num-cpus", str(cpus), "--node-ip-address", "127.0.0.1", "--temp-dir", str(folder)]
    where = ["--head", "--port", str(PORT)] if head else ["--address", ADDRESS]
    if not head:
        words = words[:-2]
    shared = _SMALL if head else _SMALL[:2]
    subprocess.run(
        [sys.executable, *_START, *where, *words, *shared],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        timeout=120,
        env=os.environ | QUIET,
    )
    (pid,) = set(raylets()) - before
    return pid


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
