"""A second copy of linear weights, in the layout that a CPU multiplies few rows with fastest.

A decode step multiplies a few dozen rows with every weight of the model. torch's product arranges the
weight anew for each call; oneDNN can keep it arranged, and then takes half the time for 8 rows and four
fifths for 32 (0.1B parameters in float32, two cores of an AVX2 server). Outputs differ by rounding.

Copies in 8 bits take a quarter of the memory and less than half of the time, and change what the model says:
see `codesample.sampling.int8_matmul`, and docs/models.md for by how much.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import PreTrainedModel

from codesample.errors import ModelError
from codesample.sampling.int8_matmul import Int8Weight, int8_kernel
from codesample.sampling.memory import free_memory, size_text

__all__ = ["Matmul", "PackedWeights", "expect_matmul", "is_packed"]

Matmul = Literal["float32", "int8"]
"""In which numbers the linear layers of a model on a CPU multiply."""

# for more rows, as in a prefill, arranging a weight costs nothing beside the product
_MOST_ROWS = 256
# of the memory that is free; the rest is for keys and values
_MOST_MEMORY = 0.25
_TOLERANCE = 1e-4
_MARK = "codesample_packed"


class PackedWeights:
    """Copies of a model's linear weights. They do not follow the model's: pack anew once those change.

    Args:
        model: Float32 weights on a CPU are copied; layers that are more than `nn.Linear` are left alone.
        matmul: What the copies are multiplied in.
    """

    def __init__(self, model: PreTrainedModel, matmul: Matmul = "float32") -> None:
        forward_of = _forward_in_int8 if matmul == "int8" else _forward_of
        self._forwards = [(layer, forward_of(layer)) for layer in _layers(model)]

    @classmethod
    def of(cls, model: PreTrainedModel, matmul: Matmul = "float32") -> PackedWeights | None:
        """Pack where there is anything to pack, a library to do it, and memory for the copies.

        Raises:
            ModelError: there is no memory for copies in 8 bits, which are more than a faster layout.
        """
        layers, free = _layers(model), free_memory(torch.device("cpu"))
        if matmul == "int8":
            if (needed := sum(layer.weight.numel() for layer in layers)) > free:
                raise ModelError(
                    f"copies of the weights in 8 bits take {size_text(needed)}, and {size_text(free)} of "
                    "memory are free; choose a smaller model, or leave out the matrices in int8"
                )
            return cls(model, matmul)
        needed = sum(layer.weight.nbytes for layer in layers)
        return cls(model) if 0 < needed <= _MOST_MEMORY * free and _works() else None

    @contextmanager
    def used(self) -> Iterator[None]:
        """Let the model multiply with the copies, wherever no gradient is recorded."""
        before = [layer.__dict__.get("forward") for layer, _ in self._forwards]
        for layer, forward in self._forwards:
            layer.__dict__["forward"] = forward
        try:
            yield
        finally:
            for (layer, _), own in zip(self._forwards, before, strict=True):
                if own is None:
                    layer.__dict__.pop("forward", None)
                else:
                    layer.__dict__["forward"] = own


def expect_matmul(model: PreTrainedModel, matmul: Matmul) -> None:
    """Refuse what a model or this processor cannot do.

    Raises:
        ModelError: matrices in 8 bits of weights that are not float32 on a CPU, or without a library for it.
    """
    if matmul != "int8":
        return
    if not _layers(model):
        raise ModelError(
            f"int8: expected a model with linear layers in float32 on a CPU, got {model.dtype} on "
            f"{model.device}; leave it out, or choose that device and dtype"
        )
    if int8_kernel() is None:
        raise ModelError("int8: no library here multiplies in 8 bits exactly on this processor; leave it out")


def is_packed(forward: Any) -> bool:
    """Whether a layer's `forward` is one of ours, which stand there while a model is used."""
    return bool(getattr(forward, "__dict__", {}).get(_MARK, False))


def _layers(model: PreTrainedModel) -> list[nn.Linear]:
    """Return the layers that do no more than multiply with float32 weights on a CPU."""
    return [
        layer
        for layer in model.modules()
        if type(layer) is nn.Linear
        and isinstance(layer.weight, nn.Parameter)
        and layer.weight.device.type == "cpu"
        and layer.weight.dtype == torch.float32
        and ("forward" not in layer.__dict__ or is_packed(layer.__dict__["forward"]))
    ]


def _forward_of(layer: nn.Linear) -> Callable[[Tensor], Tensor]:
    packed = _packed(layer.weight.detach())

    def forward(input: Tensor) -> Tensor:
        few = input.dtype == torch.float32 and input.numel() <= _MOST_ROWS * layer.in_features
        if not few or torch.is_grad_enabled():
            return F.linear(input, layer.weight, layer.bias)
        return _multiplied(input, packed, layer.bias)

    forward.__dict__[_MARK] = True
    return forward


def _forward_in_int8(layer: nn.Linear) -> Callable[[Tensor], Tensor]:
    kernel = int8_kernel()
    assert kernel is not None, "`expect_matmul` has looked"
    packed = Int8Weight(layer.weight.detach(), kernel)

    def forward(input: Tensor) -> Tensor:
        if input.dtype != torch.float32 or torch.is_grad_enabled():
            return F.linear(input, layer.weight, layer.bias)
        product = packed.multiplied(input)
        return product if layer.bias is None else product.add_(layer.bias)

    forward.__dict__[_MARK] = True
    return forward


def _packed(weight: Tensor) -> Tensor:
    packed: Tensor = torch.ops.mkldnn._reorder_linear_weight(weight)
    return packed


def _multiplied(rows: Tensor, packed: Tensor, bias: Tensor | None) -> Tensor:
    product: Tensor = torch.ops.mkldnn._linear_pointwise(rows, packed, bias, "none", [], "")
    return product


@cache
@torch.inference_mode()
def _works() -> bool:
    """Try it once: neither call is one that torch promises to keep."""
    generator = torch.Generator().manual_seed(0)
    rows, weight, bias = (torch.randn(size, generator=generator) for size in ((3, 1, 96), (160, 96), (160,)))
    exact = F.linear(rows.double(), weight.double(), bias.double())
    try:
        found = _multiplied(rows, _packed(weight), bias)
    except (AttributeError, RuntimeError, TypeError):
        return False
    return found.shape == exact.shape and bool((found - exact).abs().max() <= _TOLERANCE)
