"""Start the sandbox's own Python processes: by exec, with a built environment and few modules.

The package's `__init__` modules are stepped over, because they export the whole library: every page
a zygote holds is paid for again at each fork.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

__all__ = [
    "ENVIRONMENT",
    "SOURCE_FILE",
    "command",
    "hold_standard_descriptors",
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

SOURCE_FILE = "/proc/self/fd/59"
"""Where a script finds its own source: beyond what a program opens, and below its limit of descriptors."""

_PACKAGE = Path(__file__).resolve().parents[1]
_STARTUP = _PACKAGE / "child" / "startup"
_ZYGOTE = "child.zygote"

# signals that the caller ignores or blocks would be ignored or blocked in its children: waiting for them
# would fail, and limits could not end them; those that Python itself ignores are left alone
_BOOT = """
import sys, _signal
for number in _signal.valid_signals() - {_signal.SIGPIPE, _signal.SIGXFSZ}:
    if _signal.getsignal(number) == _signal.SIG_IGN:
        _signal.signal(number, _signal.SIG_DFL)
_signal.pthread_sigmask(_signal.SIG_SETMASK, ())
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

    A zygote's Python runs `main` as it starts, and then the script that `SOURCE_FILE` is; how is said in
    `child/startup/site.py`. That is found by PYTHONPATH, and frozen modules would go before it.
    """
    flags = ["-s", "-P", "-X", "utf8"]
    if module == _ZYGOTE:
        return [sys.executable, *flags, "-X", "frozen_modules=off", SOURCE_FILE, *arguments]
    boot = ["-c", _BOOT, str(_PACKAGE.parent), str(_PACKAGE), f"codesample.execution.{module}"]
    return [sys.executable, *flags, "-S", *boot, *arguments]


def start(
    module: str,
    arguments: Sequence[str],
    *,
    pass_fds: Sequence[int],
    stderr: int,
    wrapper: Sequence[str] = (),
) -> subprocess.Popen[bytes]:
    """Start a module with descriptors `pass_fds` open and standard error on `stderr`.

    Ctrl-C and Ctrl-Z on the caller's terminal do not reach it.

    `wrapper` is a command that runs the command after it, such as `bwrap` and its options.
    """
    more = {"PYTHONPATH": str(_STARTUP)} if module == _ZYGOTE else {}
    return subprocess.Popen(
        [*wrapper, *command(module, arguments)],
        env={**ENVIRONMENT, **more},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=stderr,
        pass_fds=tuple(pass_fds),
        cwd=os.sep,
        start_new_session=True,
    )


def hold_standard_descriptors() -> None:
    """Open /dev/null in place of standard input, output and error, where one is closed in this process.

    A socket of ours would take its number, and be closed or printed into by whoever means the other.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != descriptor:
                # another thread was faster
                os.close(opened)


def signal_name(number: int) -> str:
    """Name the signal that ended a process; most real-time signals have none."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
