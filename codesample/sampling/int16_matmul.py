"""Products of float32 rows and weights in 16 bits, made of products in 8.

Each number is a whole one of 8 bits and, twice as many steps finer as those have, another for what that one
leaves. Of the four products of the halves the least is left out, without which errors are up to twice those
that 16 bits round. Sums of each are of whole numbers, exact in 32 bits for up to 130,000 inputs. So a product
comes out in float32, as no product in bfloat16 does in torch, and about as fast.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from codesample.sampling.int8_matmul import TINY, Int8Kernel, top_of
from codesample.sampling.packed_product import PackedProduct

__all__ = ["Int16Weight"]

# outputs multiplied at once: what comes of more leaves the processor's cache before it is added up
_OUTPUTS = 2**14


class Int16Weight(PackedProduct):
    """A weight as two of 8 bits, arranged for products with few or many rows.

    Args:
        weight: [O, I] float32.
        kernel: See `int8_kernel`.
    """

    def __init__(self, weight: Tensor, kernel: Int8Kernel) -> None:
        super().__init__(weight)
        self._kernel, self._top, self._weight_top = kernel, top_of(kernel.bits), top_of(kernel.weight_bits)
        self._parts = [self._packed(part) for part in weight.split(_OUTPUTS)]
        self._sizes = [len(part) for part in weight.split(_OUTPUTS)]

    def _packed(self, weight: Tensor) -> tuple[Any, Any]:
        """Return the coarse and the fine half."""
        scales = (weight.abs().amax(dim=1) / self._weight_top).clamp_min_(TINY)
        coarse, fine = _halves(weight / scales[:, None], self._weight_top)
        return (
            self._kernel.pack(coarse.to(torch.int8), scales),
            self._kernel.pack(fine.round_().to(torch.int8), scales / (2 * self._weight_top)),
        )

    def _product(self, rows: Tensor, bias: Tensor | None) -> Tensor:
        flat = rows.flatten(0, -2)
        count, scales = len(flat), flat.abs().amax(dim=-1, keepdim=True).div_(self._top).clamp_min_(TINY)
        ready = self._kernel.ready(torch.cat(_halves(flat / scales, self._top)))
        product = flat.new_empty(count, self._shape[0])
        for (coarse, fine), out in zip(self._parts, product.split(self._sizes, 1), strict=True):
            whole, rest = self._kernel.product(ready, coarse).split(count)
            torch.add(whole, rest, alpha=1 / (2 * self._top), out=out)
            out.add_(self._kernel.product(ready[:count], fine)).mul_(scales)
        product = product.view(*rows.shape[:-1], -1)
        return product if bias is None else product.add_(bias)


def _halves(scaled: Tensor, top: int) -> tuple[Tensor, Tensor]:
    """Return numbers from -top to top as whole ones and what is left, 2 * top times as large."""
    whole = scaled.round()
    return whole, (scaled - whole).mul_(2 * top)
