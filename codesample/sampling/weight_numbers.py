"""Some numbers of each weight, to notice what is written to it past torch's counters."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor

__all__ = ["WeightNumbers", "has_storage"]

# numbers of a tensor that are compared; each of a large one is a miss of the caches and of the page tables
_MOST_NUMBERS = 1024
# bytes of weights on a CPU up to which views of them are kept, which keeps replaced weights until the next
# look; to make the views anew takes longer than all the rest
_KEPT_VIEWS = 2**29
_INTEGERS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


class WeightNumbers:
    """Some numbers of each tensor, bit by bit, as they are now.

    Args:
        alive: Returns the tensors, as long as they are there.
    """

    def __init__(self, alive: Callable[[], list[Tensor]]) -> None:
        self._alive, tensors = alive, alive()
        own = [t for t in tensors if has_storage(t)]
        small = sum(t.nbytes for t in own) <= _KEPT_VIEWS and all(t.device.type == "cpu" for t in own)
        self._views = [view.numpy() for view in _views(tensors)] if small else None
        self._kept = self._read()

    def same(self) -> bool:
        """Whether they are what they were; the tensors must be known to be the same."""
        if self._views is not None:
            return np.array_equal(self._read(), self._kept)
        return all(map(torch.equal, self._read(), self._kept))

    def _read(self) -> Any:
        if self._views is not None:
            return np.concatenate(self._views) if self._views else np.empty(0)
        groups: dict[tuple[torch.device, torch.dtype], list[Tensor]] = {}
        for view in _views(self._alive()):
            groups.setdefault((view.device, view.dtype), []).append(view)
        return [torch.cat(views) for views in groups.values()]


@torch.no_grad()
def _views(tensors: Iterable[Tensor]) -> list[Tensor]:
    """Return some numbers of each tensor that has any, as integers of their size."""
    found = []
    for tensor in tensors:
        if not has_storage(tensor) or not tensor.numel() or tensor.element_size() not in _INTEGERS:
            continue
        bits = tensor.detach().as_subclass(Tensor).view(_INTEGERS[tensor.element_size()])
        count, width = bits.numel(), bits.shape[-1] if bits.dim() > 1 else 1
        # hardly more than a row or as many as there are rows, and without a common divisor with a row: so
        # that neither a row nor a column is left out, where there are no more of either than numbers
        step = max(min(count // width, width) - 1, -(-count // _MOST_NUMBERS), 1)
        while math.gcd(step, width) > 1:
            step -= 1
        dense = 1 + sum((n - 1) * s for n, s in zip(bits.shape, bits.stride(), strict=True)) == count
        found.append(bits.as_strided((-(-count // step),), (step,)) if dense else bits.flatten()[::step])
    return found


def has_storage(tensor: Tensor) -> bool:
    """Whether a tensor has numbers of its own, rather than being made of other tensors or of none."""
    if tensor.layout is not torch.strided or tensor.is_meta or hasattr(tensor, "__tensor_flatten__"):
        # such as one whose shards are on several processes: its own shard is another tensor
        return False
    try:
        tensor.data_ptr()
    except RuntimeError:
        # made of other tensors
        return False
    return True
