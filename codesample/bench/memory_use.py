"""Whether the memory that something needs is there, and how much something took."""

from __future__ import annotations

import threading

import psutil
import torch

from codesample.sampling.memory import free_memory

__all__ = ["PeakMemory", "lack_of_memory"]

_LOOK_EVERY = 0.02


def lack_of_memory(needed: float, device: torch.device) -> str:
    """Return "" where `needed` bytes are free on `device`, else how many are needed and how many free."""
    free = free_memory(device)
    return f"needs {needed / 1e9:.1f} GB, {free / 1e9:.1f} GB are free" if needed > free else ""


class PeakMemory:
    """Peak memory inside a block above what was held before: torch's own on CUDA, else resident pages.

    Attributes:
        peak: Bytes, once the block is left.
    """

    def __init__(self, device: torch.device) -> None:
        self._device, self.peak = device, 0
        self._stop = threading.Event()
        self._process = psutil.Process()

    def __enter__(self) -> PeakMemory:
        if self._device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self._device)
            self._before = torch.cuda.memory_allocated(self._device)
        else:
            self._before = self._resident()
            self._watch = threading.Thread(target=self._look, daemon=True)
            self._watch.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._device.type == "cuda":
            self.peak = torch.cuda.max_memory_allocated(self._device) - self._before
        else:
            self._stop.set()
            self._watch.join()

    def _look(self) -> None:
        while not self._stop.wait(_LOOK_EVERY):
            self.peak = max(self.peak, self._resident() - self._before)

    def _resident(self) -> int:
        return int(self._process.memory_info().rss)
