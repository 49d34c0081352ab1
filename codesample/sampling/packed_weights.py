"""A second copy of linear weights, in the layout that a CPU multiplies few rows with fastest.

A decode step multiplies a few dozen rows with every weight of the model. torch's product arranges the
weight anew for each call; a copy can be kept arranged. Where 16 bits hold the weights, as those of most
checkpoints, the copy has 16 bits and a product reads half as much; else it has 32. Either way outputs differ
from torch's by rounding alone.

Products in bfloat16 or in 8 bits are faster still, and change what the model says: see
`codesample.sampling.bf16_matmul`, `codesample.sampling.int16_matmul`, `codesample.sampling.int8_matmul`, and
docs/models.md for by how much.
"""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Any, Literal, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import PreTrainedModel

from codesample.errors import ModelError
from codesample.sampling.arranged_weights import ArrangedWeight, PlainWeight, arranged_kernel
from codesample.sampling.attention_hook import IN_BF16, NAME, attached
from codesample.sampling.bf16_matmul import (
    Bf16Weight,
    Multiplied,
    RoundedWeight,
    bf16_kernel,
    fits_in_bf16,
    multiplies_tiles,
)
from codesample.sampling.fused_norms import fused_norms
from codesample.sampling.half_weights import HalfWeight, fits_in_half, half_kernel
from codesample.sampling.huge_pages import huge_pages
from codesample.sampling.int8_matmul import Int8Weight, int8_kernel
from codesample.sampling.int16_matmul import Int16Weight
from codesample.sampling.joined_layers import JoinedProduct, groups_of
from codesample.sampling.memory import free_memory, size_text
from codesample.sampling.sharded.ranks import ranks_of
from codesample.sampling.weight_numbers import WeightNumbers

__all__ = ["Copy", "Matmul", "PackedWeights", "expect_matmul", "is_packed", "matmul_of", "multiplying"]

Matmul = Literal["float32", "bfloat16", "int8"]
"""In which numbers the linear layers of a model on a CPU multiply."""

_A = TypeVar("_A")
_B = TypeVar("_B")

# for more rows, as in a prefill by many threads, arranging a weight costs nothing beside the product
_MOST_ROWS = 512
# of the memory that is free; the rest is for keys and values
_MOST_MEMORY = 0.25
_MARK = "codesample_packed"


class PackedWeights:
    """Copies of a model's linear weights. They do not follow the model's: pack anew once those change.

    Args:
        model: Float32 weights on a CPU are copied; layers that are more than `nn.Linear` are left alone.
        matmul: What the copies are multiplied in.
        kept: Copies of the model as it was that still serve, of the same matmul; see `still_true`.
    Attributes:
        attention: Name of the attention function that goes with them.
    """

    def __init__(self, model: PreTrainedModel, matmul: Matmul = "float32", kept: Sequence[Copy] = ()) -> None:
        # slower than float32 where the processor has no instructions for it
        rounds = matmul != "float32" and multiplies_tiles()
        self.attention = IN_BF16 if rounds else NAME
        known = {each.layers: each for each in kept if each.is_true()}
        packs = _packs(model, matmul)
        new = [layers for layers in packs if layers not in known]
        # of the libraries, one gives its warnings past all threads' filters
        threads = 1 if matmul == "int8" else torch.get_num_threads()
        with huge_pages():
            packed = _together(lambda layers: packs[layers](_weight_of(layers)), new, threads)
        for layers, each in zip(new, packed, strict=True):
            known[layers] = Copy(layers, each)
        self._copies = [known[layers] for layers in packs]
        most = _MOST_ROWS if matmul == "float32" else None
        self._forwards: list[tuple[nn.Module, Callable[..., Tensor]]] = [
            *(pair for each in self._copies for pair in _forwards_of(each, most)),
            *((norm, _marked(forward)) for norm, forward in fused_norms(filter(_is_plain, model.modules()))),
        ]

    @classmethod
    def of(
        cls, model: PreTrainedModel, matmul: Matmul = "float32", kept: Sequence[Copy] = ()
    ) -> PackedWeights | None:
        """Pack where there is anything to pack, a library to do it, and memory for the copies.

        Raises:
            ModelError: there is no memory for copies that are more than a faster layout.
        """
        known = {layer for each in kept for layer in each.layers}
        free = free_memory(torch.device("cpu"))
        needed = sum(_bytes(layer, matmul) for layer in _layers(model) if layer not in known)
        if matmul != "float32" and needed > free:
            raise ModelError(
                f"copies of the weights in {matmul} take {size_text(needed)}, and {size_text(free)} of "
                "memory are free; choose a smaller model, or multiply in float32: --cpu-matmul float32"
            )
        if matmul == "float32" and (needed > _MOST_MEMORY * free or not (half_kernel() or arranged_kernel())):
            return None
        return cls(model, matmul, kept) if _layers(model) else None

    def still_true(self) -> list[Copy]:
        """Return the copies whose weights are as they were when they were packed."""
        return [each for each in self._copies if each.is_true()]

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


class Copy:
    """The copy of one layer's weight, or of those of several that are multiplied as one.

    Args:
        layers: As they are now.
        packed: Of their weights.
    """

    def __init__(self, layers: tuple[nn.Linear, ...], packed: Multiplied) -> None:
        self.layers, self.packed = layers, packed
        self._weights = [_Weight(each) for each in layers]

    def is_true(self) -> bool:
        """Whether all weights are those that were copied, and were not written to as far as can be known."""
        return all(each.is_as_it_was() for each in self._weights)


class _Weight:
    """What is remembered of a layer's weight."""

    def __init__(self, layer: nn.Linear) -> None:
        self._layer, weight = layer, layer.weight
        self._weight = weakref.ref(weight)
        self._version = None if weight.is_inference() else weight._version
        self._place = _place(weight)
        self._numbers = WeightNumbers(lambda: [layer.weight])

    def is_as_it_was(self) -> bool:
        weight = self._layer.weight
        return (
            weight is self._weight()
            and self._version is not None
            and (weight._version, _place(weight)) == (self._version, self._place)
            and self._numbers.same()
        )


@contextmanager
def multiplying(
    model: PreTrainedModel, packed: PackedWeights | None, *, rounds: bool = True
) -> Iterator[None]:
    """Attach a model's attention, and let it multiply with copies of its weights where it has any.

    Args:
        model: See `attention_hook.attached`.
        packed: Its copies. None: there are none, and nothing is rounded.
        rounds: Whether attention may round as they do.

    Raises:
        ModelError: as `attached` does.
    """
    name = packed.attention if packed and rounds else NAME
    with attached(model, name), packed.used() if packed else nullcontext():
        yield


def matmul_of(model: PreTrainedModel, step: str, *, left_open: bool) -> Matmul:
    """Return what a step of that name multiplies in; see `Sampler`.

    Args:
        model: Loaded.
        step: For "auto" it is what this processor is fastest in without rounding a weight, but for those of
            the head to 16 bits.
        left_open: Whether "auto" is free to choose: nobody has said in which numbers.
    """
    if step in ("bfloat16", "int8"):
        return "int8" if step == "int8" else "bfloat16"
    free = step == "auto" and left_open and bf16_kernel() and ranks_of(model) is None
    layers = _layers(model) if free else []
    exact = layers != _head(model, layers) and all(fits_in_bf16(each.weight.detach()) for each in layers)
    return "bfloat16" if exact else "float32"


def expect_matmul(model: PreTrainedModel, matmul: Matmul) -> None:
    """Refuse what a model or this processor cannot do.

    Raises:
        ModelError: matrices in 8 or 16 bits of weights that are not float32 on a CPU, or without a library
            for it; in 16 bits of a model like GPT-2, whose one linear layer is the head.
    """
    if matmul == "float32":
        return
    layers = _layers(model)
    if not layers or (matmul == "bfloat16" and layers == _head(model, layers)):
        raise ModelError(
            f"{matmul}: expected a model with linear layers in float32 on a CPU, got {model.dtype} on "
            f"{model.device} in {type(model).__name__}; leave it out, or choose that device and dtype"
        )
    if matmul == "int8" and int8_kernel() is None:
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
        # neither sparse nor made of other tensors
        and type(layer.weight) is nn.Parameter
        and layer.weight.layout is torch.strided
        and layer.weight.device.type == "cpu"
        and layer.weight.dtype == torch.float32
        and _is_plain(layer)
    ]


def _is_plain(module: nn.Module) -> bool:
    """Whether nobody but us has put another `forward` in the place of its class's."""
    return "forward" not in module.__dict__ or is_packed(module.__dict__["forward"])


def _marked(forward: Callable[..., Tensor]) -> Callable[..., Tensor]:
    forward.__dict__[_MARK] = True
    return forward


def _place(weight: Tensor) -> tuple[Any, ...]:
    return weight.data_ptr(), weight.stride(), weight.shape


def _bytes(layer: nn.Linear, matmul: Matmul) -> int:
    """Return how much a copy takes; in float32 by the looks of the weight's first rows."""
    size = {"int8": 1, "bfloat16": 2, "float32": 4}[matmul]
    if matmul == "float32" and half_kernel() and fits_in_half(layer.weight.detach()[:16]):
        size = 2
    return layer.weight.numel() * size


def _packs(
    model: PreTrainedModel, matmul: Matmul
) -> dict[tuple[nn.Linear, ...], Callable[[Tensor], Multiplied]]:
    """Return what packs the weight of each layer, or of each group of layers that are multiplied as one."""
    pack: Callable[[Tensor], Multiplied] = _in_float32
    if matmul == "int8":
        kernel = int8_kernel()
        assert kernel is not None, "`expect_matmul` has looked"
        pack = partial(Int8Weight, kernel=kernel)
    elif matmul == "bfloat16":
        pack = Bf16Weight if bf16_kernel() else partial(RoundedWeight, pack=_in_float32)
    packs = dict.fromkeys(groups_of(model, _layers(model)), pack)
    # products come out in bfloat16, and of two logits near each other it must be known which is more
    if matmul == "bfloat16":
        packs |= dict.fromkeys(zip(_head(model, _layers(model)), strict=True), _for_logits())
    return packs


def _for_logits() -> Callable[[Tensor], Multiplied]:
    """Return what packs a head beside layers in bfloat16: in 16 bits where that is as fast as they are."""
    kernel = int8_kernel()
    if bf16_kernel() and kernel is not None and kernel.weight_bits == 8:
        return partial(Int16Weight, kernel=kernel)
    return _in_float32


def _head(model: PreTrainedModel, layers: Sequence[nn.Linear]) -> list[nn.Linear]:
    """Return that of `layers` which gives logits, or none."""
    head = model.get_output_embeddings()
    return [each for each in layers if each is head]


def _weight_of(layers: tuple[nn.Linear, ...]) -> Tensor:
    """Return the weights of layers one below the other."""
    weights = [each.weight.detach() for each in layers]
    return weights[0] if len(weights) == 1 else torch.cat(weights)


def _in_float32(weight: Tensor) -> Multiplied:
    if half_kernel() and fits_in_half(weight):
        return HalfWeight(weight)
    return ArrangedWeight(weight) if arranged_kernel() else PlainWeight(weight)


def _together(work: Callable[[_A], _B], items: Sequence[_A], threads: int) -> list[_B]:
    """Return what comes of each: to pack is not done by several threads, so several packings are."""
    if threads == 1 or len(items) < 2:
        return [work(each) for each in items]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(work, items))


def _forwards_of(copy: Copy, most_rows: int | None) -> Iterator[tuple[nn.Linear, Callable[[Tensor], Tensor]]]:
    """Yield each layer of a copy with what stands for its `forward`."""
    joined = JoinedProduct(copy.layers, copy.packed) if len(copy.layers) > 1 else None
    for number, layer in enumerate(copy.layers):
        product = partial(joined.of, number) if joined else partial(_single, layer, copy.packed)
        yield layer, _forward_of(layer, product, most_rows)


def _single(layer: nn.Linear, packed: Multiplied, rows: Tensor) -> Tensor:
    return packed.multiplied(rows, layer.bias)


def _forward_of(
    layer: nn.Linear, product: Callable[[Tensor], Tensor], most_rows: int | None
) -> Callable[[Tensor], Tensor]:
    most = sys.maxsize if most_rows is None else most_rows * layer.in_features

    def forward(input: Tensor) -> Tensor:
        if input.dtype != torch.float32 or input.numel() > most or torch.is_grad_enabled():
            return F.linear(input, layer.weight, layer.bias)
        return product(input)

    return _marked(forward)
