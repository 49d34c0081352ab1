"""How much memory is really free on a device."""

from __future__ import annotations

import re
from pathlib import Path

import torch

from codesample.errors import ParameterError

__all__ = ["free_memory", "is_out_of_memory", "parse_size"]

_UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}


def free_memory(device: torch.device) -> int:
    """Return the bytes that can still be allocated on `device`.

    CUDA: what the driver reports plus what torch's allocator holds unused. CPU: the kernel's
    MemAvailable, within the limit of the control group where one is set.
    """
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return min(_available(), *_group_limits())


def is_out_of_memory(error: Exception) -> bool:
    """Whether an allocation failed, on any device; torch raises a plain RuntimeError for one on a CPU."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "can't allocate memory" in str(error)


def parse_size(size: int | str) -> int:
    """Return a number of bytes; accepts 1000, "1000", "2GB" and "512 MiB".

    Raises:
        ParameterError: anything else, or a negative number.
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-zA-Z]*)\s*", str(size))
    if found is None or found[2].upper() not in _UNITS:
        raise ParameterError(f"size {size!r}: expected a number of bytes, such as 2000000 or '2GB'")
    return int(float(found[1]) * _UNITS[found[2].upper()])


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
