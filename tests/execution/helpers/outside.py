"""What programs are told of and must not reach, and whether they did."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path


class Outside:
    """A secret file, a process and listeners that programs are told of and must not reach."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="outside-"))
        self.canary = self.folder / "canary"
        self.canary.write_text("secret")
        self.process = subprocess.Popen(["sleep", "1000"])
        self.tcp = socket.create_server(("127.0.0.1", 0))
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind(("127.0.0.1", 0))
        self.unix = socket.socket(socket.AF_UNIX)
        self.unix.bind(str(self.folder / "stream"))
        self.unix.listen()
        self.dgram = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.dgram.bind(str(self.folder / "dgram"))
        self.listeners = (self.tcp, self.udp, self.unix, self.dgram)
        for listener in self.listeners:
            listener.setblocking(False)
        # anyone may use them: what keeps programs away is the sandbox, not file modes
        for path in (self.folder, *self.folder.iterdir()):
            path.chmod(0o777)
        self.before = self.state()

    def fill_in(self, source: str) -> str:
        words = {
            "CANARY": self.canary,
            "FOLDER": self.folder,
            "PID": self.process.pid,
            "TCP": self.tcp.getsockname()[1],
            "UDP": self.udp.getsockname()[1],
            "UNIX": self.folder / "stream",
            "DGRAM": self.folder / "dgram",
        }
        for word, value in words.items():
            source = source.replace(f"@{word}@", str(value))
        return source

    def state(self) -> dict[str, object]:
        """Everything that a program could have changed."""
        status = self.canary.stat()
        places = (".", "/tmp", "/dev/shm", "/var/tmp", os.path.dirname(os.__file__), os.path.expanduser("~"))
        return {
            "canary": self.canary.read_text(),
            "canary status": (status.st_mode, status.st_uid, status.st_mtime, status.st_nlink),
            "folder": sorted(os.listdir(self.folder)),
            "process": self.process.poll(),
            "process's niceness": os.getpriority(os.PRIO_PROCESS, self.process.pid),
            "process's cores": os.sched_getaffinity(self.process.pid),
            "listeners": [_heard(listener) for listener in self.listeners],
            "planted": [
                place for place in places if os.path.exists(os.path.join(place, "codesample-planted"))
            ],
        }

    def close(self) -> None:
        for listener in self.listeners:
            listener.close()
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.folder)


def _heard(listener: socket.socket) -> bool:
    try:
        if listener.type == socket.SOCK_DGRAM:
            listener.recv(10)
        else:
            listener.accept()[0].close()
    except BlockingIOError:
        return False
    return True
