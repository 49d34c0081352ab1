"""The report of what this machine grants."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from codesample.execution.isolation.level import Level

__all__ = ["Isolation", "Mechanism"]


@dataclass(frozen=True, slots=True)
class Mechanism:
    """One means of isolation: whether this machine grants it, and its version or why not."""

    granted: bool
    detail: str

    def __repr__(self) -> str:
        return f"Mechanism({'granted' if self.granted else 'not granted'}: {self.detail[:60]!r})"


@dataclass(frozen=True, slots=True)
class Isolation:
    """What was found by trying each mechanism and a set of small attacks in a real child process.

    Attributes:
        level: The level in use, or in a probe's report the strongest one granted.
        mechanisms: By name: landlock, seccomp, namespaces, bwrap, spare_uid, control_group,
            run_queue_clock.
        attacks: By name, whether the child was kept from it at `level`.
        kernel, machine: Release and architecture, such as "6.1.0" and "x86_64".
        uid_policy: Under which user programs run.
        python: Version of the interpreter that runs programs.
        hash_seed: PYTHONHASHSEED of that interpreter.
        remedy: What would raise the level, or "".
    """

    level: Level
    mechanisms: Mapping[str, Mechanism]
    attacks: Mapping[str, bool]
    kernel: str
    machine: str
    uid_policy: str
    python: str
    hash_seed: str
    remedy: str

    def __repr__(self) -> str:
        granted = sum(found.granted for found in self.mechanisms.values())
        means = f"{granted} of {len(self.mechanisms)} mechanisms granted"
        held = f"{sum(self.attacks.values())} of {len(self.attacks)} attacks held off"
        return f"Isolation({self.level.label}: {means}, {held})"

    def as_json(self) -> dict[str, Any]:
        """Return the report as plain JSON data, as it stands in a run folder."""
        return {
            "level": self.level.label,
            "mechanisms": {
                name: {"granted": item.granted, "detail": item.detail}
                for name, item in self.mechanisms.items()
            },
            "attacks": dict(self.attacks),
            "kernel": self.kernel,
            "machine": self.machine,
            "uid_policy": self.uid_policy,
            "python": self.python,
            "hash_seed": self.hash_seed,
            "remedy": self.remedy,
        }
