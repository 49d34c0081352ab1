"""How much memory is really free on a device."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import psutil
import torch

from codesample.errors import ParameterError

__all__ = ["free_memory", "give_back", "is_out_of_memory", "parse_size", "size_text"]

_UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}
# of torch's on a CPU; of the driver, as torch tells it and as Triton does; of NVIDIA's libraries
_FULL = (
    "can't allocate memory",
    "CUDA error: out of memory",
    "[CUDA]: out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
)
_GROUPS, _MEMBERSHIP = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")


class _GroupFiles(NamedTuple):
    """Where one version of control groups says what; `prefix` marks sums over the groups beneath."""

    mount: str
    limit: str
    used: str
    prefix: str


_V1 = _GroupFiles("memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_")
_V2 = _GroupFiles("", "memory.max", "memory.current", "")


def free_memory(device: torch.device) -> int:
    """Return the bytes that can still be allocated on `device`.

    CUDA and XPU: what the driver reports plus what torch's allocator holds unused. CPU: what the machine has
    available, within the limits of the control groups around the process, cached files not counted.
    """
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    if device.type == "xpu":
        free, _ = torch.xpu.mem_get_info(device)
        return free + torch.xpu.memory_reserved(device) - torch.xpu.memory_allocated(device)
    return min([int(psutil.virtual_memory().available), *_group_limits()])


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an allocation failed, on any device and by whom ever.

    Of one on a CPU torch raises a plain RuntimeError, and so do libraries, kernels and graphs, which take
    memory of a GPU past torch.
    """
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in _FULL)


def give_back(device: torch.device) -> None:
    """Give memory that torch holds unused back to a GPU, for those who take theirs past torch."""
    if device.type in ("cuda", "xpu"):
        getattr(torch, device.type).empty_cache()


def parse_size(size: int | str) -> int:
    """Return a number of bytes; accepts 1000, "1000", "2GB" and "512 MiB".

    Raises:
        ParameterError: anything else, or a negative number.
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-zA-Z]*)\s*", str(size))
    if found is None or found[2].upper() not in _UNITS:
        raise ParameterError(f"size {size!r}: expected a number of bytes, such as 2000000 or '2GB'")
    return int(float(found[1]) * _UNITS[found[2].upper()])


def size_text(size: float) -> str:
    """Write a number of bytes with three digits and its unit: 2.15 GB."""
    unit = 0
    while size >= 999.5:
        size, unit = size / 1000, unit + 1
    return f"{size:.3g} {('B', 'KB', 'MB', 'GB', 'TB', 'PB')[unit]}"


def _group_limits() -> list[int]:
    """Return what each control group around this process, of either version, still lets it allocate."""
    try:
        lines = _MEMBERSHIP.read_text().splitlines()
    except OSError:
        return []
    left = []
    for _, controllers, path in (line.split(":", 2) for line in lines):
        if controllers in ("", "memory"):
            names = _V1 if controllers else _V2
            # inside a container the path may be the host's; its mount then begins at the group itself
            group = PurePosixPath(path.lstrip("/"))
            left += [_left(_GROUPS / names.mount / place, names) for place in (group, *group.parents)]
    return [room for room in left if room is not None]


def _left(group: Path, names: _GroupFiles) -> int | None:
    try:
        limit = (group / names.limit).read_text().strip()
        if limit == "max":
            return None
        used = int((group / names.used).read_text())
        stat = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
    except (OSError, ValueError):
        return None
    # the cache of files counts as used and is given up when memory is asked for
    cached = sum(int(stat.get(names.prefix + kind, 0)) for kind in ("inactive_file", "active_file"))
    return int(limit) - used + cached
