"""What a benchmark yields, as plain JSON data, and the file of JSON lines it is kept in."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from codesample.errors import ParameterError

__all__ = ["Measurement", "append_measurements", "expect_writable", "reason_of"]

Measurement = dict[str, Any]
"""One result by name: what was measured, its figures or why there are none ("refused"), and the machine."""


def append_measurements(measurements: Iterable[Measurement], path: Path) -> None:
    """Append measurements to a file of JSON lines, which is made where it is missing.

    Raises:
        ParameterError: it cannot be written.
    """
    lines = "".join(json.dumps(measurement) + "\n" for measurement in measurements)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a+b") as file:
            if file.tell():
                file.seek(-1, os.SEEK_END)
                # what was left of a line by a call that was killed stays apart
                lines = lines if file.read(1) == b"\n" or not lines else f"\n{lines}"
            file.write(lines.encode())
    except OSError as error:
        beneath = isinstance(error, FileExistsError | NotADirectoryError)
        reason = "what should be its folder is a file" if beneath else error.strerror or error
        raise ParameterError(f"{path}: cannot be written: {reason}") from error


def expect_writable(path: Path) -> None:
    """Refuse a file that cannot be written before anything is measured for it.

    Raises:
        ParameterError: as `append_measurements`.
    """
    append_measurements((), path)


def reason_of(error: Exception) -> str:
    """Say in one line what went wrong, for a measurement that has no figure."""
    return f"{type(error).__name__}: {str(error).strip()}".splitlines()[0].removesuffix(": ")[:160]
