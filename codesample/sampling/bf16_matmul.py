"""Products of rows and weights in bfloat16, with sums in float32, on a CPU.

A processor with the instructions multiplies two to five times as many of them as in float32. A product comes
out as a bfloat16 and is widened. Without the instructions the same roundings are made around products in
float32: such a run can be repeated anywhere but for attention to long prompts, which rounds only where it
gains by it, and is faster nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Protocol

import torch
from torch import Tensor

from codesample.sampling.packed_product import PackedProduct

__all__ = ["Bf16Weight", "RoundedWeight", "bf16_kernel", "fits_in_bf16", "multiplies_tiles"]

# of a product beside float32's: eight digits, and the last may fall either way
_TOLERANCE = 2.0**-7


class Multiplied(Protocol):
    """A weight that was packed."""

    def multiplied(self, rows: Tensor, bias: Tensor | None) -> Tensor:
        """Return rows [..., I] times the weight, plus the bias: [..., O], all float32."""


class Bf16Weight(PackedProduct):
    """A weight in bfloat16, arranged by oneDNN.

    Args:
        weight: [O, I] float32; what bfloat16 does not hold of it is rounded.
    """

    def __init__(self, weight: Tensor) -> None:
        super().__init__(weight)
        self._packed: Tensor = torch.ops.mkldnn._reorder_linear_weight(weight.bfloat16())

    def _product(self, rows: Tensor, bias: Tensor | None) -> Tensor:
        call = torch.ops.mkldnn._linear_pointwise
        product: Tensor = call(rows.bfloat16(), self._packed, None, "none", [], "")
        # widened as it is added to
        return product.float() if bias is None else product + bias.float()


class RoundedWeight:
    """Rounds as `Bf16Weight` does, and multiplies in float32.

    Args:
        weight: [O, I] float32.
        pack: Packs a weight of float32.
    """

    def __init__(self, weight: Tensor, pack: Callable[[Tensor], Multiplied]) -> None:
        self._packed = pack(weight.bfloat16().float())

    def multiplied(self, rows: Tensor, bias: Tensor | None) -> Tensor:
        """Return rows [..., I] times the weight, plus the bias: [..., O], all float32."""
        product = self._packed.multiplied(rows.bfloat16().float(), None).bfloat16().float()
        return product if bias is None else product.add_(bias)


def fits_in_bf16(weight: Tensor) -> bool:
    """Whether bfloat16 holds every number of a float32 weight: its last sixteen bits are zero."""
    return all(not bool(part.view(torch.int32).bitwise_and(0xFFFF).any()) for part in weight.split(256))


def bf16_kernel() -> bool:
    """Whether this processor multiplies in bfloat16, and `Bf16Weight` works on it."""
    has_instructions = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return has_instructions and _works()


def multiplies_tiles() -> bool:
    """Whether this processor multiplies tiles in bfloat16, by which attention to many keys gains."""
    return torch.cpu._is_amx_tile_supported() and bf16_kernel()


@cache
@torch.inference_mode()
def _works() -> bool:
    """Try it once: neither call is one that torch promises to keep."""
    generator = torch.Generator().manual_seed(0)
    rows, weight, bias = (torch.randn(size, generator=generator) for size in ((3, 1, 96), (160, 96), (160,)))
    exact = torch.nn.functional.linear(rows.bfloat16().double(), weight.bfloat16().double())
    try:
        found = Bf16Weight(weight).multiplied(rows, bias)
    except (AttributeError, RuntimeError, TypeError):
        return False
    off = (found.double() - bias.double() - exact).abs() - _TOLERANCE * exact.abs()
    return found.shape == exact.shape and bool((off <= _TOLERANCE).all())
