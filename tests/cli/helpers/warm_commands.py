"""Commands as a user types them, without the seconds that every process takes to import torch.

Each is a fork of one process that has imported what commands need, with streams and a folder of its own. What
depends on how a process starts (Ctrl-C, streams that are closed, what is imported) is tested in fresh ones.
"""

from __future__ import annotations

import array
import atexit
import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

__all__ = ["call", "refusal"]

SERVER = Path(__file__).with_name("command_server.py")
SECONDS = 300
# pytest's own
PASSING = {"PYTEST_CURRENT_TEST"}


class _Server:
    def __init__(self, environment: dict[str, str]) -> None:
        self.environment = environment
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, str(SERVER), str(theirs.fileno())],
                env=environment,
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
            )

    def run(self, words: list[str], cwd: Path, stdin: str) -> subprocess.CompletedProcess[str]:
        message = json.dumps({"words": words, "cwd": str(cwd)}).encode()
        with TemporaryFile() as given, TemporaryFile() as out, TemporaryFile() as err:
            given.write(stdin.encode())
            given.seek(0)
            rights = array.array("i", [each.fileno() for each in (given, out, err)])
            self._control.settimeout(SECONDS)
            self._control.sendmsg([message], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
            answer = self._control.recv(1 << 12)
            if not answer:
                raise RuntimeError(f"the server of commands ended while it ran {words}")
            return subprocess.CompletedProcess(words, json.loads(answer), _text(out), _text(err))

    def close(self) -> None:
        self._control.close()
        self._process.kill()
        self._process.wait()


def _text(stream: IO[bytes]) -> str:
    stream.seek(0)
    return stream.read().decode().replace("\r\n", "\n")


# the last of them was asked last; libraries read their environment when they are imported
_servers: list[_Server] = []
_MOST = 2


def _server_for(environment: dict[str, str]) -> _Server:
    for at, each in enumerate(_servers):
        if each.environment == environment:
            _servers.append(_servers.pop(at))
            return _servers[-1]
    while len(_servers) >= _MOST:
        _servers.pop(0).close()
    _servers.append(_Server(environment))
    return _servers[-1]


def _close() -> None:
    while _servers:
        _servers.pop().close()


atexit.register(_close)


def call(*words: object, cwd: Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command in a folder; returns its exit status and what it printed."""
    typed = list(map(str, words))
    environment = {name: value for name, value in os.environ.items() if name not in PASSING}
    try:
        return _server_for(environment).run(typed, cwd, stdin)
    except BaseException:
        _close()
        raise


def refusal(*words: object, cwd: Path) -> str:
    """Return the one line that a refused command prints."""
    done = call(*words, cwd=cwd)
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    return line
