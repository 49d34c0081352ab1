"""On what and with what something was measured. Importing this loads no library."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import time
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

__all__ = ["KERNELS", "MODELS", "PROCESSES", "machine", "multiplies_in_bf16", "processor_name"]

KERNELS = ("device", "commit", "torch", "triton", "threads")
"""Facts that decide how fast attention is."""

MODELS = (*KERNELS, "transformers", "date")
"""Facts that decide how fast a model is sampled."""

PROCESSES = ("python", "kernel", "cores", "load")
"""Facts that decide how fast programs run."""

_CPUINFO = Path("/proc/cpuinfo")
_INSTRUCTIONS = {"amx_bf16": "AMX", "avx512_bf16": "AVX-512 BF16", "avx512f": "AVX-512", "avx2": "AVX2"}


def machine(facts: Sequence[str], device: torch.device | None = None) -> dict[str, Any]:
    """Return some facts about this machine and process, by name, as plain JSON data.

    Args:
        facts: Names: of `KERNELS`, `MODELS` and `PROCESSES`.
        device: On which was measured; needed for "device" and "threads".

    Returns:
        "device": name of the GPU, or of the processor with its widest instructions for products; "commit": of
        this code, as CODESAMPLE_COMMIT in the environment says or git, None where neither does;
        "torch", "triton", "transformers", "python": versions, None where one is missing; "threads": torch's,
        None on a GPU; "date": today's, in UTC; "kernel": of the system; "cores": of the machine; "load": mean
        number of runnable processes over the last minute.
    """
    return {fact: _fact(fact, device) for fact in facts}


def _fact(name: str, device: torch.device | None) -> str | int | float | None:
    match name:
        case "device":
            return _name_of(device)
        case "threads":
            return _threads(device)
        case "commit":
            return _commit()
        case "date":
            return time.strftime("%Y-%m-%d", time.gmtime())
        case "python":
            return platform.python_version()
        case "kernel":
            return platform.release()
        case "cores":
            return os.cpu_count()
        case "load":
            return round(os.getloadavg()[0], 1)
        case _:
            return _version(name)


def _name_of(device: torch.device | None) -> str:
    if device is not None and device.type == "cuda":
        import torch

        return torch.cuda.get_device_name(device)
    return processor_name(_CPUINFO.read_text("utf-8") if _CPUINFO.is_file() else "")


def processor_name(cpuinfo: str) -> str:
    """Return what /proc/cpuinfo says of a processor: its name and the widest instructions for products."""
    facts = dict(re.findall(r"(?m)^(model name|flags)[ \t]*:[ \t]*(.*)$", cpuinfo))
    flags = facts.get("flags", "").split()
    widest = next((words for flag, words in _INSTRUCTIONS.items() if flag in flags), None)
    name = facts.get("model name") or platform.processor() or platform.machine()
    return f"{name}, {widest}" if widest else name


def multiplies_in_bf16() -> bool:
    """Whether this processor has instructions for products in bfloat16, and models are multiplied by them."""
    from codesample.sampling.bf16_matmul import bf16_kernel

    return bf16_kernel()


def _threads(device: torch.device | None) -> int | None:
    if device is None or device.type != "cpu":
        return None
    import torch

    return torch.get_num_threads()


def _commit() -> str | None:
    # a copy on another machine often comes without its history
    if named := os.environ.get("CODESAMPLE_COMMIT", "").strip():
        return named
    here = Path(__file__).resolve().parent
    try:
        git = subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=here, capture_output=True, text=True, check=False
        )
    except OSError:
        return None
    return (git.returncode == 0 and git.stdout.strip()) or None


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
