"""The card, its driver and what runs on it: the first row of the GPU benchmark."""

from __future__ import annotations

import subprocess
from importlib import metadata

import psutil
import torch

from codesample.bench.machine import MODELS, PROCESSES, machine
from codesample.bench.measurements import Measurement
from codesample.bench.timing import copy_rate
from codesample.sampling.memory import free_memory

__all__ = ["gpu_environment"]

_PATIENCE_SECONDS = 20


def gpu_environment(device: torch.device) -> Measurement:
    """Return facts about a device, memory in bytes, and the rate of a large copy on it.

    On a CPU the facts of a card are None.
    """
    found = machine((*MODELS, *PROCESSES), device) | {
        "kind": "environment",
        "numpy": _version("numpy"),
        "cuda": torch.version.cuda,
        "driver": _driver() if device.type == "cuda" else None,
        "capability": None,
        "multiprocessors": None,
        "free_bytes": free_memory(device),
        "memory_bytes": psutil.virtual_memory().total,
    }
    if device.type == "cuda":
        card = torch.cuda.get_device_properties(device)
        found |= {
            "capability": f"{card.major}.{card.minor}",
            "multiprocessors": card.multi_processor_count,
            "memory_bytes": card.total_memory,
        }
    return found | {"copy_bytes_per_second": copy_rate(device)}


def _driver() -> str | None:
    words = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        told = subprocess.run(words, capture_output=True, text=True, check=True, timeout=_PATIENCE_SECONDS)
    except (OSError, subprocess.SubprocessError):
        return None
    return next(iter(told.stdout.split()), None)


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
