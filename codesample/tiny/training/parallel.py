"""Data-parallel training on the cores of one machine: a process per core, gradients averaged after each step.

Single-threaded processes that meet once per step lose less time to waiting than threads that meet at every
matrix product.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import distributed
from torch.multiprocessing.spawn import spawn

__all__ = ["average_gradients", "rank", "run_workers", "world_size"]


def rank() -> int:
    """Number of this process among the workers; 0 outside of them."""
    return distributed.get_rank() if distributed.is_initialized() else 0


def world_size() -> int:
    """How many workers there are; 1 outside of them."""
    return distributed.get_world_size() if distributed.is_initialized() else 1


def average_gradients(parameters: Sequence[torch.nn.Parameter]) -> None:
    """Replace the gradients, which every parameter must have, by their mean over the workers."""
    if world_size() == 1:
        return
    gradients = [p.grad for p in parameters if p.grad is not None]
    flat = torch.cat([g.flatten() for g in gradients])
    distributed.all_reduce(flat)
    flat /= world_size()
    for gradient, mean in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
        gradient.copy_(mean.view_as(gradient))


def _worker(index: int, count: int, meeting_point: str, task: Callable[[], None]) -> None:
    distributed.init_process_group(
        "gloo", init_method=f"file://{meeting_point}", rank=index, world_size=count
    )
    try:
        task()
    finally:
        distributed.destroy_process_group()


def run_workers(task: Callable[[], None], *, count: int) -> None:
    """Run `task` in `count` new processes that can average gradients, and wait for all of them.

    Args:
        task: Picklable; called without arguments in each process.
        count: Number of processes; 1 calls `task` in this one.
    """
    if count == 1:
        task()
        return
    with tempfile.TemporaryDirectory() as folder:
        spawn(_worker, args=(count, str(Path(folder) / "meeting_point"), task), nprocs=count)
