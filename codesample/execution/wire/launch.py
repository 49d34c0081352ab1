"""Start the sandbox's own Python processes: by exec, with a built environment and few modules.

The package's `__init__` modules are stepped over, because they export the whole library: every page
a zygote holds is paid for again at each fork.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

__all__ = [
    "ENVIRONMENT",
    "HOSTING_ENVIRONMENT",
    "SOURCE_FILE",
    "command",
    "hosting_command",
    "signal_name",
    "start",
]

ENVIRONMENT = {
    "PYTHONHASHSEED": "0",
    "TZ": "UTC",
    "LANG": "C.UTF-8",
    "LC_ALL": "C.UTF-8",
    "MALLOC_ARENA_MAX": "2",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}

_PACKAGE = Path(__file__).resolve().parents[1]

HOSTING_ENVIRONMENT = {**ENVIRONMENT, "PYTHONPATH": str(_PACKAGE / "child" / "startup")}
"""For `hosting_command`."""

SOURCE_FILE = "/proc/self/fd/59"
"""Where a script finds its own source: beyond what a program opens, and below its limit of descriptors."""

_FLAGS = ("-s", "-P", "-X", "utf8")
_BOOT = """
import sys
def package(name, path):
    module = type(sys)(name)
    module.__path__ = [path]
    sys.modules[name] = module
package("codesample", sys.argv[1])
package("codesample.execution", sys.argv[2])
import importlib
importlib.import_module(sys.argv[3]).main(sys.argv[4:])
"""


def command(module: str, arguments: Sequence[str]) -> list[str]:
    """Return the command that runs `main(arguments)` of `codesample.execution.<module>` in a new Python.

    Isolated mode would do more, but it ignores PYTHONHASHSEED: the same program must see the same
    order of sets in every process.
    """
    boot = ["-c", _BOOT, str(_PACKAGE.parent), str(_PACKAGE), f"codesample.execution.{module}"]
    return [sys.executable, *_FLAGS, "-S", *boot, *arguments]


def hosting_command(arguments: Sequence[str]) -> list[str]:
    """Return the command of a zygote: a Python that runs a file, once `child/startup/site.py` lets it.

    The file is a descriptor that only a child for a script has open. That our `site` is found takes
    `HOSTING_ENVIRONMENT`, and no frozen modules, which would go before it.
    """
    return [sys.executable, *_FLAGS, "-X", "frozen_modules=off", SOURCE_FILE, *arguments]


def start(
    command: Sequence[str],
    *,
    pass_fds: Sequence[int],
    stderr: int,
    wrapper: Sequence[str] = (),
    environment: Mapping[str, str] = ENVIRONMENT,
) -> subprocess.Popen[bytes]:
    """Start a `command` of this module with descriptors `pass_fds` open and standard error on `stderr`.

    Ctrl-C and Ctrl-Z on the caller's terminal do not reach it.

    `wrapper` is a command that runs the command after it, such as `bwrap` and its options.
    """
    return subprocess.Popen(
        [*wrapper, *command],
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=stderr,
        pass_fds=tuple(pass_fds),
        cwd=os.sep,
        start_new_session=True,
    )


def signal_name(number: int) -> str:
    """Name the signal that ended a process; most real-time signals have none."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
