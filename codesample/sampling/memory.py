"""How much memory is really free on a device."""

from __future__ import annotations

from pathlib import Path

import torch

__all__ = ["free_memory"]


def free_memory(device: torch.device) -> int:
    """Return the bytes that can still be allocated on `device`.

    CUDA: what the driver reports plus what torch's allocator holds unused. CPU: the kernel's
    MemAvailable, within the limit of the control group where one is set.
    """
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return min(_available(), *_group_limits())


def _available() -> int:
    for line in Path("/proc/meminfo").read_text().splitlines():
        name, _, rest = line.partition(":")
        if name == "MemAvailable":
            return int(rest.split()[0]) * 1024
    raise RuntimeError("no MemAvailable in /proc/meminfo")


def _group_limits() -> list[int]:
    limits = [2**62]
    for limit_file, used_file in (
        ("memory.max", "memory.current"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
    ):
        root = Path("/sys/fs/cgroup")
        try:
            limit = (root / limit_file).read_text().strip()
            if limit != "max":
                limits.append(int(limit) - int((root / used_file).read_text()))
        except (OSError, ValueError):
            continue
    return limits
