"""Products in float32 with a copy of the weight that oneDNN has arranged for few rows."""

from __future__ import annotations

from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

from codesample.sampling.packed_product import PackedProduct

__all__ = ["ArrangedWeight", "PlainWeight", "arranged_kernel"]

_TOLERANCE = 1e-4


class ArrangedWeight(PackedProduct):
    """A copy of a weight [O, I] in float32."""

    def __init__(self, weight: Tensor) -> None:
        super().__init__(weight)
        self._packed: Tensor = torch.ops.mkldnn._reorder_linear_weight(weight)

    def _product(self, rows: Tensor, bias: Tensor | None) -> Tensor:
        call = torch.ops.mkldnn._linear_pointwise
        product: Tensor = call(rows, self._packed, bias, "none", [], "")
        return product


class PlainWeight:
    """A weight [O, I] in float32 as it is, where no library arranges one."""

    def __init__(self, weight: Tensor) -> None:
        self._weight = weight

    def multiplied(self, rows: Tensor, bias: Tensor | None) -> Tensor:
        """Return rows [..., I] times the weight, plus the bias: [..., O], all float32."""
        return F.linear(rows, self._weight, bias)


@cache
@torch.inference_mode()
def arranged_kernel() -> bool:
    """Whether `ArrangedWeight` works here. Tried once: neither call is one that torch promises to keep."""
    generator = torch.Generator().manual_seed(0)
    rows, weight, bias = (torch.randn(size, generator=generator) for size in ((3, 1, 96), (160, 96), (160,)))
    exact = F.linear(rows.double(), weight.double(), bias.double())
    try:
        found = ArrangedWeight(weight).multiplied(rows, bias)
    except (AttributeError, RuntimeError, TypeError):
        return False
    return found.shape == exact.shape and bool((found - exact).abs().max() <= _TOLERANCE)
