"""The processes that hold the shards of one model, and what they have to be of one mind about.

Each process, a rank, computes with its own shard and its own keys and values, and all of them draw the same
tokens, for they read the same logits and the same random streams. What is decided by something that may
differ between them, such as free memory, is settled here; and tokens are compared after every step, so that
ranks that part end with an error instead of waiting for one another.
"""

from __future__ import annotations

import os
import re
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from transformers import PreTrainedModel

from codesample.errors import CodesampleError, ModelError
from codesample.sampling.memory import free_memory

__all__ = ["DEADLINE", "LostError", "Ranks", "digest", "first_line", "free_for", "ranks_of"]

DEADLINE = 600.0
"""Seconds after which a rank that does not answer is given up."""

T = TypeVar("T")

_AXIS = "tp"
_known: dict[tuple[int, ...], tuple[Any, Ranks]] = {}


class LostError(ModelError):
    """A rank cannot go on, and so none can."""


class Ranks:
    """The ranks of one model.

    Args:
        members: Their numbers in the default process group, this process's among them.
        deadline: In seconds.
    Attributes:
        rank: Which of them this is.
        size: How many there are.
    """

    def __init__(self, members: Sequence[int], *, deadline: float = DEADLINE) -> None:
        self.rank, self.size = list(members).index(dist.get_rank()), len(members)
        # of the hosts, whatever the shards are on
        self._group = dist.new_group(
            list(members),
            backend="gloo",
            timeout=timedelta(seconds=deadline),
            use_local_synchronization=True,
        )

    def least(self, number: int) -> int:
        """Return the smallest of the numbers that the ranks give."""
        return min(self._gathered(number))

    def most(self, number: int) -> int:
        """Return the largest of the numbers that the ranks give."""
        return max(self._gathered(number))

    def agree(self, drawn: int) -> None:
        """Compare what the ranks have drawn.

        Args:
            drawn: A `digest` of it.

        Raises:
            ModelError: it is not the same.
        """
        found = self._gathered(drawn)
        if len(set(found)) > 1:
            others = ", ".join(str(rank) for rank, each in enumerate(found) if each != found[0])
            raise ModelError(
                f"the {self.size} processes that hold the model have drawn different tokens (rank 0 others "
                f"than {others}): each needs the same calls with the same prompts, parameters and seed, the "
                "same versions of all packages, and the same kind of processor"
            )

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """Let what goes wrong in here, such as in a collective of the model's, end as a `LostError`."""
        try:
            yield
        except CodesampleError:
            raise
        except (MemoryError, RuntimeError) as error:
            raise LostError(
                f"rank {self.rank} of the {self.size} processes that hold the model cannot go on, for itself "
                f"or because another one has ended: {first_line(error)}"
            ) from error

    def guarding(self, stream: Iterator[T]) -> Iterator[T]:
        """Yield what a stream does; see `guarded`."""
        with self.guarded():
            yield from stream

    def _gathered(self, number: int) -> list[int]:
        own = torch.tensor([number], dtype=torch.int64)
        found = [torch.empty_like(own) for _ in range(self.size)]
        with self.guarded():
            dist.all_gather(found, own, group=self._group)
        return [int(each) for each in found]


def ranks_of(model: PreTrainedModel) -> Ranks | None:
    """Return the ranks that a model's weights are divided among; None where this process has all of them.

    Raises:
        ModelError: they are divided for another reason than to compute side by side.
    """
    mesh: Any = next((getattr(p, "device_mesh", None) for p in model.parameters() if _in_shards(p)), None)
    if mesh is None:
        return None
    names = mesh.mesh_dim_names or ()
    if _AXIS not in names and (names or mesh.ndim > 1):
        raise ModelError(
            f"{type(model).__name__}: its weights are in shards over {', '.join(names) or 'several axes'}, "
            "which are gathered before they are used; expected a whole model, or one that was loaded with "
            "tp_plan='auto'"
        )
    group = mesh.get_group(_AXIS) if _AXIS in names else mesh.get_group()
    members = tuple(dist.get_process_group_ranks(group))
    world, found = _known.get(members, (None, None))
    if found is None or world is not dist.group.WORLD:
        found = Ranks(members)
        _known[members] = dist.group.WORLD, found
    return found


def _in_shards(weight: torch.Tensor) -> bool:
    return hasattr(weight, "placements")


def free_for(model: PreTrainedModel, hosts: Ranks | None = None) -> int:
    """Return the bytes that are free for a model's keys and values, on the rank that has least.

    Args:
        model: Whole, or this rank's shard of it.
        hosts: Those that have it whole each, and spread prompts among them.
    """
    free, ranks = free_memory(model.device), hosts or ranks_of(model)
    if ranks is None:
        return free
    if model.device.type == "cpu":
        # they share the machine's memory
        free //= int(os.environ.get("LOCAL_WORLD_SIZE", ranks.size))
    return ranks.least(free)


def digest(drawn: int, *more: object) -> int:
    """Return what stands for all that was drawn, given what stands for all before."""
    return zlib.crc32(repr(more).encode(), drawn)


def first_line(error: BaseException) -> str:
    """Return the beginning of what an error of torch's says."""
    # without the place in a library's source that some begin with
    said = re.sub(r"^\[[^\]]*\] *", "", str(error).strip())
    return (said or type(error).__name__).splitlines()[0][:120]
