"""Makes a confined child what `python FILE` is before it reads the file, and steps out of its way.

The interpreter that the zygote was started in then runs the source and ends as any other does: what
`atexit`, threads, finalisers and buffers do at the end, and the exit status, are Python's own.
"""

from __future__ import annotations

import io
import os
import random
import sys
from collections.abc import Iterable
from types import ModuleType
from typing import Any

from codesample.execution.child.early_end import end_early

__all__ = ["become_script", "open_streams", "source_descriptor"]

_SEED = 0


def source_descriptor() -> int:
    """Return the descriptor at which the interpreter will look for the program's source."""
    return int(os.path.basename(sys.argv[0]))


def open_streams() -> None:
    """Make the standard streams of a zygote what they are to `python FILE < file | other`.

    Made once for all children: a stream asks what it is opened on, and these were opened on /dev/null.
    """
    kept = [os.dup(descriptor) for descriptor in range(3)]
    reader, writer = os.pipe()
    opened = [os.memfd_create("stdin"), writer, os.dup(writer)]
    for target, (name, descriptor) in enumerate(zip(("stdin", "stdout", "stderr"), opened, strict=True)):
        os.dup2(descriptor, target)
        before = getattr(sys, name)
        binary: Any = open(target, f"{before.mode}b", closefd=False)  # noqa: SIM115
        binary.raw.name = f"<{name}>"
        stream: Any = io.TextIOWrapper(
            binary, before.encoding, before.errors, newline="\n", line_buffering=before.line_buffering
        )
        stream.mode = before.mode
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
        os.dup2(kept[target], target)
    for descriptor in (*kept, reader, *opened):
        os.close(descriptor)


def become_script(ours: Iterable[str]) -> None:
    """Leave nothing of ours for the program to meet; its streams and its source are in place already.

    Args:
        ours: Names of our modules that this process holds.
    """
    sys.orig_argv = [sys.executable, *sys.argv]
    # the zygote's own is frozen with all else that it holds, and would never be collected
    main = ModuleType("__main__")
    main.__dict__.update(sys.modules["__main__"].__dict__)
    sys.modules["__main__"] = main
    random.seed(_SEED)
    # held, because to let go of them is to copy them
    end_early(main, held=[sys.modules.pop(name) for name in ours])
