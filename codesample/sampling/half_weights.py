"""Products in float32 with weights that are kept in 16 bits: the same numbers, and half as much to read.

What a checkpoint stores in bfloat16 or float16 is widened to float32 when it is loaded. FBGEMM keeps it in
float16 and widens it as it multiplies, in registers. A float16 has more digits than a bfloat16 and fewer
exponents: numbers below 2^-17 lose digits, which a weight of the usual size does not notice.
"""

from __future__ import annotations

from functools import cache, partial
from typing import Any

import torch
from torch import Tensor

from codesample.sampling.fbgemm import with_fbgemm
from codesample.sampling.packed_product import PackedProduct

__all__ = ["HalfWeight", "fits_in_half", "half_kernel"]

# what may be lost of a row, beside it: what float32 loses in a sum of some hundred products
_MOST_LOST = 2.0**-20
# numbers that are looked at together, so that they stay near the processor
_TOGETHER = 2**16
_TOLERANCE = 1e-4
# outputs multiplied at once: FBGEMM adds up inputs block by block, and what more of them have by then is no
# longer near the processor when the next block comes (a fifth to a third of the time, for 32 and 64 rows);
# with wider registers fewer are better, by a tenth of the time of 32 rows
_OUTPUTS = 2**11 if torch.cpu._is_avx512_supported() else 2**14


class HalfWeight(PackedProduct):
    """A weight in float16, arranged for products with few or many rows.

    Args:
        weight: [O, I] float32 for which `fits_in_half` holds.
    """

    def __init__(self, weight: Tensor) -> None:
        super().__init__(weight)
        self._parts = [with_fbgemm(partial(_packed, part)) for part in weight.split(_OUTPUTS)]

    def _product(self, rows: Tensor, bias: Tensor | None) -> Tensor:
        products = [torch.ops.quantized.linear_dynamic_fp16(rows, part) for part in self._parts]
        product: Tensor = products[0] if len(products) == 1 else torch.cat(products, -1)
        return product if bias is None else product.add_(bias)


def _packed(weight: Tensor) -> Any:
    return torch.ops.quantized.linear_prepack_fp16(weight.contiguous(), None)


def fits_in_half(weight: Tensor) -> bool:
    """Whether each row of a weight [O, I] is the same in float16, up to what float32 loses in a product."""
    for part in weight.split(max(1, _TOGETHER // max(1, weight.shape[1]))):
        lost = part.half().float().sub_(part)
        if not bool((lost.square_().sum(1) <= _MOST_LOST**2 * part.square().sum(1)).all()):
            return False
    return True


@cache
@torch.inference_mode()
def half_kernel() -> bool:
    """Whether `HalfWeight` works here. Tried once: neither call is one that torch promises to keep."""
    generator = torch.Generator().manual_seed(0)
    rows, weight, bias = (torch.randn(size, generator=generator) for size in ((3, 1, 96), (160, 96), (160,)))
    weight = weight.bfloat16().float()
    exact = torch.nn.functional.linear(rows.double(), weight.double(), bias.double())
    try:
        found = HalfWeight(weight).multiplied(rows, bias)
    except (AttributeError, RuntimeError, TypeError):
        return False
    return found.shape == exact.shape and bool((found - exact).abs().max() <= _TOLERANCE)
