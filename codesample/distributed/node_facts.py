"""What a node of a cluster is: found by looking, on the node itself."""

from __future__ import annotations

import os
import platform
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from codesample.execution.caller.cores import usable_cores
from codesample.versions import versions_of

__all__ = ["PACKAGES", "NodeFacts", "here"]

PACKAGES = ("codesample", "ray", "torch", "transformers", "tokenizers")
"""Distributions whose versions a run records of each node."""

SAME = ("python", "codesample")
"""Those that must be the driver's: candidates, programs and verdicts travel as its objects."""


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """What a run records of a node.

    Attributes:
        versions: Of Python and `PACKAGES`; None where one is missing.
        cpu: Name of the processor.
        cores: Usable by a process there.
        platform: System and machine.
    """

    versions: dict[str, str | None]
    cpu: str
    cores: int
    platform: str

    def as_json(self) -> dict[str, Any]:
        """Return it as plain JSON data."""
        return asdict(self)

    def estranged(self, driver: NodeFacts) -> str:
        """Say why work of this driver cannot be done there; "" where it can."""
        return "; ".join(
            f"{name} {self.versions[name]} there and {driver.versions[name]} here; install the same version"
            for name in SAME
            if self.versions[name] != driver.versions[name]
        )


def here() -> NodeFacts:
    """Look at the machine that this process runs on."""
    return NodeFacts(versions_of(PACKAGES), _processor(), usable_cores(), platform.platform())


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "") or platform.processor() or os.uname().machine
