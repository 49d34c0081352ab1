"""What this machine offers a run: versions, devices, memory, and the isolation that programs get."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from codesample.evaluation.environment import versions
from codesample.execution import Isolation, Level, probe_isolation
from codesample.sampling.sharded.rank_environment import in_team

__all__ = ["Health", "health"]

_GIB = 2**30


@dataclass(frozen=True, slots=True)
class Health:
    """What was found.

    Attributes:
        versions: By distribution; None where one is missing.
        devices: On which models can run, the processor first.
        free_memory: Bytes, of each device.
        processors: Usable by this process.
        isolation: The strongest that was granted.
        ranks: The device of each process of the launcher, where models are divided among several.
    """

    versions: Mapping[str, str | None]
    devices: tuple[str, ...]
    free_memory: tuple[int, ...]
    processors: int
    isolation: Isolation
    ranks: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return it all as plain JSON data."""
        rest = {"devices": self.devices, "free_memory": self.free_memory, "processors": self.processors}
        ranks = {"ranks": self.ranks} if self.ranks else {}
        return {"versions": dict(self.versions), **rest, **ranks, "isolation": self.isolation.as_json()}

    def lines(self) -> list[tuple[str, str]]:
        """Return it all as names with a text each."""
        rows = [(name, number or "not installed") for name, number in self.versions.items()]
        rows.append(("processors", str(self.processors)))
        rows += [
            (device, f"{free / _GIB:.1f} GiB free")
            for device, free in zip(self.devices, self.free_memory, strict=True)
        ]
        rows += [(f"rank {rank} of {len(self.ranks)}", each) for rank, each in enumerate(self.ranks)]
        enough = self.isolation.level >= Level.CONFINED
        advice = "" if enough else "; runs stop unless --allow-weak-isolation is given"
        rows.append(("isolation", self.isolation.level.label + advice))
        rows += [
            (f"  {name}", f"{'yes' if each.granted else 'no '}  {each.detail}".rstrip())
            for name, each in self.isolation.mechanisms.items()
        ]
        escaped = [name for name, kept in self.isolation.attacks.items() if not kept]
        tried = len(self.isolation.attacks)
        rows.append(("  attacks", f"{tried - len(escaped)} of {tried} kept out"))
        rows += [("  not kept out", name) for name in escaped]
        if self.isolation.remedy:
            rows.append(("  remedy", self.isolation.remedy))
        return rows


def health() -> Health:
    """Look at this machine; isolation is tried in a real child process, which takes a moment."""
    import torch

    from codesample.sampling.memory import free_memory

    devices = ["cpu", *(f"cuda:{index}" for index in range(torch.cuda.device_count()))]
    return Health(
        versions=versions(),
        devices=tuple(devices),
        free_memory=tuple(free_memory(torch.device(device)) for device in devices),
        processors=len(os.sched_getaffinity(0)),
        isolation=probe_isolation(),
        ranks=_ranks(),
    )


def _ranks() -> tuple[str, ...]:
    team = in_team()
    if team is None:
        return ()
    from codesample.sampling.sharded.team import Order

    return tuple(team.together(Order("look"), team.devices))
