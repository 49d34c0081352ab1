"""The processes that a prompt is spread over, and what they send one another in each layer."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from codesample.errors import ParameterError
from codesample.sampling.hosts.partial_attention import Part, merged_parts
from codesample.sampling.sharded.ranks import Ranks

__all__ = ["HostGroup", "host_group"]

_known: list[tuple[Any, HostGroup]] = []


class HostGroup:
    """All processes of the default process group: gloo between CPUs, NCCL between GPUs.

    Attributes:
        ranks: What they have to be of one mind about.
        rank, size: Which of them this is, and how many there are.
    """

    def __init__(self) -> None:
        self.ranks = Ranks(range(dist.get_world_size()))
        self.rank, self.size = self.ranks.rank, self.ranks.size

    def merged(self, part: Part) -> Part:
        """Return attention over the keys of all processes, each of which gives the part over its own.

        Merged in the order of the processes, so that all have the same to the last bit.

        Raises:
            LostError: another process has ended.
        """
        width, dtype = part.out.shape[-1], part.out.dtype
        # one message of one dtype: log-sum-exps go as their bits
        own = torch.cat([part.out, part.lse[..., None].contiguous().view(dtype)], dim=-1)
        found = [torch.empty_like(own) for _ in range(self.size)]
        with self.ranks.guarded():
            dist.all_gather(found, own)
        totals = (each[..., width:].contiguous().view(torch.float64)[..., 0] for each in found)
        return reduce(merged_parts, map(Part, (each[..., :width] for each in found), totals))

    def passed_on(self, given: Tensor) -> Callable[[], Tensor]:
        """Send a tensor to the next process, and return what waits for that of the one before, of its shape.

        Raises:
            LostError: another process has ended.
        """
        found, given = torch.empty_like(given), given.contiguous()
        after, before = (self.rank + 1) % self.size, (self.rank - 1) % self.size
        with self.ranks.guarded():
            waiting = dist.batch_isend_irecv(
                [dist.P2POp(dist.isend, given, after), dist.P2POp(dist.irecv, found, before)]
            )

        def wait() -> Tensor:
            with self.ranks.guarded():
                for each in waiting:
                    each.wait()
            return found

        return wait


def host_group(hosts: int) -> HostGroup:
    """Return the processes that this one is one of.

    Raises:
        ParameterError: they are not as many.
    """
    joined = dist.is_available() and dist.is_initialized()
    size = dist.get_world_size() if joined else 1
    if size != hosts:
        raise ParameterError(
            f"hosts = {hosts}: a prompt's keys are spread over all processes of a launcher, and {size} "
            f"{'are' if size > 1 else 'is'} joined here; start as many by torchrun --nproc-per-node {hosts} "
            "-m -- codesample ..., or join them by codesample.tensor_parallel()"
        )
    world = dist.group.WORLD
    if not _known or _known[0][0] is not world:
        _known[:] = [(world, HostGroup())]
    return _known[0][1]
