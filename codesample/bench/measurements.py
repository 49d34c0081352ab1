"""What a benchmark yields, as plain JSON data, and the file of JSON lines it is kept in."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

__all__ = ["Measurement", "append_measurements", "reason_of"]

Measurement = dict[str, Any]
"""One result by name: what was measured, its figures or why there are none ("refused"), and the machine."""


def append_measurements(measurements: Iterable[Measurement], path: Path) -> None:
    """Append measurements to a file of JSON lines, which is made where it is missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.writelines(json.dumps(measurement) + "\n" for measurement in measurements)


def reason_of(error: Exception) -> str:
    """Say in one line what went wrong, for a measurement that has no figure."""
    return f"{type(error).__name__}: {str(error).strip()}".splitlines()[0].removesuffix(": ")[:160]
