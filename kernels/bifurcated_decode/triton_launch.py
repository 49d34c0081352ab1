"""A launch of a Triton kernel as a record, and what all launches of one call are told."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
import triton
from torch import Tensor

from codesample.kernels.bifurcated_decode.call import Call

__all__ = ["Launch", "features_of", "new_tensors", "numbers_of", "pool_form", "pool_tensors", "shape_of"]


class Launch(NamedTuple):
    """One kernel launch, complete: `kernel[grid](*arguments, **constants, **options)`."""

    kernel: Any
    grid: tuple[int, ...]
    arguments: tuple[Any, ...]
    constants: dict[str, Any]
    warps: int
    early: bool = False

    @property
    def options(self) -> dict[str, Any]:
        """What the compiler is told; `early` lets it begin before the launch before it has ended."""
        return {"num_warps": self.warps, **({"launch_pdl": True} if self.early else {})}

    def run(self) -> None:
        """Launch it."""
        self.kernel[self.grid](*self.arguments, **self.constants, **self.options)


def new_tensors(call: Call) -> tuple[Tensor, Tensor, Tensor]:
    """Return queries, new keys and new values; a kernel that writes nothing is still handed something."""
    q, k_new, v_new = call[:3]
    return (q, q, q) if k_new is None or v_new is None else (q, k_new, v_new)


def pool_tensors(call: Call) -> tuple[Tensor, ...]:
    """Return shared keys and values, packed ones as integers, and what these are unpacked by."""
    packed = call.store.packed
    if packed is None:
        k, v = call.store[:2]
        return (k, v, k, k, k)
    k, v = (x.view(torch.uint8) if x.dtype == torch.float8_e4m3fn else x for x in packed[:2])
    return (k, v, *packed[2:])


def pool_form(call: Call, capability: int) -> str:
    """Return how the kernels read shared keys: "" as they are, or from 8 bits."""
    packed = call.store.packed
    if packed is None:
        return ""
    if packed.k.dtype == torch.int8:
        return "int8"
    # converted by an instruction from compute capability 8.9 on
    return "e4m3" if capability >= 89 else "e4m3 by bits"


def _pool_strides(call: Call) -> tuple[int, ...]:
    k, v, k_scale, _, v_scale = pool_tensors(call)
    scales = (0, 0) if call.store.packed is None else (k_scale.stride(0), v_scale.stride(0))
    return (*k.stride()[:2], *v.stride()[:2], *scales)


def numbers_of(call: Call, *, pool: bool = True) -> tuple[float, ...]:
    """Return strides, those of the shared pool only where asked, and scale, soft cap and window."""
    scores, store = call.scores, call.store
    return (
        *(stride for x in new_tensors(call) for stride in x.stride()[:3]),
        *(_pool_strides(call) if pool else ()),
        *(stride for x in store[2:] for stride in x.stride()[:3]),
        scores.scale_for(call.q.shape[3]),
        scores.softcap or 1.0,
        scores.window or 0,
    )


def shape_of(call: Call) -> dict[str, Any]:
    """Return the constants that every kernel takes."""
    _, queries, _, width = call.q.shape
    # a product in 16 bits takes at least 16 columns
    padded = max(16, triton.next_power_of_2(width))
    return {"Q": queries, "P": call.group, "G": call.kv_heads, "D": width, "BLOCK_D": padded}


def features_of(call: Call, stages: int) -> dict[str, Any]:
    """Return the constants of every kernel that reads keys."""
    return {
        "WRITE": call.writes,
        "WINDOW": call.scores.window is not None,
        "SOFTCAP": call.scores.softcap is not None,
        "PRECISION": "ieee" if call.q.dtype == torch.float32 else "tf32",
        "STAGES": stages,
    }
