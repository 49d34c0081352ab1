"""What does not fit is told; what a block takes is seen."""

import mmap
import time

import torch

from codesample.bench import memory_use
from codesample.bench.memory_use import PeakMemory, lack_of_memory

CPU = torch.device("cpu")


def test_what_is_free_is_not_lacking(monkeypatch):
    monkeypatch.setattr(memory_use, "free_memory", lambda device: 10**9)
    assert lack_of_memory(10**9, CPU) == ""
    assert lack_of_memory(2.5e9, CPU) == "needs 2.5 GB, 1.0 GB are free"


def test_the_peak_is_seen_though_memory_is_given_back():
    size = 64 << 20
    with PeakMemory(CPU) as memory, mmap.mmap(-1, size) as pages:
        pages.write(b"x" * size)
        time.sleep(5 * memory_use._LOOK_EVERY)
    assert size <= memory.peak < 4 * size
