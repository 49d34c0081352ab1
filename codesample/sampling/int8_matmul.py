"""Products of float32 rows with weights of 8 bits on a CPU.

Each output channel of a weight has a scale of its own, set when it is packed; each row of the input has one
of its own, found when it comes. Both are symmetric, so that a row's product is the same whatever rows it is
multiplied with. Sums are of whole numbers, exact in 32 bits.
"""

from __future__ import annotations

import warnings
from functools import cache
from typing import Any, NamedTuple

import torch
from torch import Tensor

from codesample.sampling.fbgemm import with_fbgemm
from codesample.sampling.packed_product import PackedProduct

__all__ = ["TINY", "Int8Kernel", "Int8Weight", "int8_kernel", "top_of"]

# a row of zeros has a scale, too
TINY = torch.finfo(torch.float32).tiny


class _Kernel(NamedTuple):
    """Bits of inputs and of weights: 7 of one where a processor adds two products of 8 in too few."""

    bits: int = 8
    weight_bits: int = 7

    def ready(self, rows: Tensor) -> Tensor:
        """Return rows, scaled to those bits, rounded and as `product` takes them."""
        return rows


class _Fbgemm(_Kernel):
    """Few rows fastest where the processor has no instructions for it."""

    def pack(self, weight: Tensor, scales: Tensor) -> Any:
        zeros = torch.zeros(len(weight), dtype=torch.int64)
        with warnings.catch_warnings():
            # of tensors that know that they are quantised; the packed form is no such tensor
            warnings.simplefilter("ignore")
            tensor = torch._make_per_channel_quantized_tensor(weight, scales.double(), zeros, 0)
            return with_fbgemm(lambda: torch.ops.quantized.linear_prepack(tensor, None))

    def product(self, ready: Tensor, packed: Any) -> Tensor:
        call = torch.ops.quantized.linear_with_input_q_dq_qweight_dq_output_fp32
        product: Tensor = call(ready, 1.0, 1 << (self.bits - 1), packed)
        return product


class _OneDnn(_Kernel):
    """Uses the processor's instructions for products of 8 bits."""

    def pack(self, weight: Tensor, scales: Tensor) -> Any:
        # whose strides it does not ask for
        packed = torch.ops.onednn.qlinear_prepack(weight.contiguous(), None)
        return packed, scales, torch.zeros(len(weight), dtype=torch.int32)

    def ready(self, rows: Tensor) -> Tensor:
        return rows.round().add_(1 << (self.bits - 1)).to(torch.uint8)

    def product(self, ready: Tensor, packed: Any) -> Tensor:
        product: Tensor = torch.ops.onednn.qlinear_pointwise(
            ready, 1.0, 1 << (self.bits - 1), *packed, None, 1.0, 0, torch.float32, "none", [], ""
        )
        return product


Int8Kernel = _Fbgemm | _OneDnn
"""What multiplies in 8 bits: `pack` a weight, make rows `ready`, then their `product`, float32."""


class Int8Weight(PackedProduct):
    """A weight in 8 bits, arranged for products with few or many rows.

    Args:
        weight: [O, I] float32.
        kernel: See `int8_kernel`.
    """

    def __init__(self, weight: Tensor, kernel: Int8Kernel) -> None:
        super().__init__(weight)
        scales = (weight.abs().amax(dim=1) / top_of(kernel.weight_bits)).clamp_min_(TINY)
        whole = (weight / scales[:, None]).round_().to(torch.int8)
        self._kernel, self._packed = kernel, kernel.pack(whole, scales)
        self._top = top_of(kernel.bits)

    def _product(self, rows: Tensor, bias: Tensor | None) -> Tensor:
        scales = rows.abs().amax(dim=-1, keepdim=True).div_(self._top).clamp_min_(TINY)
        product = self._kernel.product(self._kernel.ready(rows / scales), self._packed).mul_(scales)
        return product if bias is None else product.add_(bias)


def int8_kernel() -> Int8Kernel | None:
    """Return what multiplies in 8 bits fastest on this processor; None where nothing here does it right."""
    return _chosen(torch.cpu._is_vnni_supported())


@cache
def _chosen(has_instructions: bool) -> Int8Kernel | None:
    order: list[Int8Kernel] = [_Fbgemm(), _OneDnn()]
    if has_instructions:
        order = [_OneDnn(8, 8), *reversed(order)]
    return next((kernel for kernel in order if _is_exact(kernel)), None)


def top_of(bits: int) -> int:
    """Return the largest number that is used of so many bits with a sign; the least is its negative."""
    return (1 << (bits - 1)) - 1


@torch.inference_mode()
def _is_exact(kernel: Int8Kernel) -> bool:
    """Try it once, with numbers whose sums overflow first: none of the calls is one that torch promises."""
    top, most = top_of(kernel.bits), top_of(kernel.weight_bits)
    generator = torch.Generator().manual_seed(0)
    rows = torch.randint(-top, top + 1, (5, 192), generator=generator)
    weight = torch.randint(-most, most + 1, (80, 192), generator=generator)
    rows[0], rows[1], weight[0], weight[1] = top, -top, most, -most
    try:
        packed = kernel.pack(weight.to(torch.int8), torch.ones(80))
        found = kernel.product(kernel.ready(rows.float()), packed)
    except (AttributeError, RuntimeError, TypeError):
        return False
    return torch.equal(found.double(), rows.double() @ weight.double().t())
