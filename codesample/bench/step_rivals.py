"""Whole steps whose attention is a rival's: what each of its layers keeps, and how it attends."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from codesample.bench.attention_rivals import FLEX, TORCH_CASCADE, rival_bytes
from codesample.bench.memory_use import lack_of_memory
from codesample.bench.random_decoder import Decoder, LayerAttention
from codesample.bench.torch_rivals import Queried, cascade_over, flex_mask, flex_over

__all__ = ["STEP_RIVALS", "Unavailable", "cascade_layers", "flex_layers"]


class Unavailable(Exception):
    """A rival cannot be timed here, for the reason that it says."""


def cascade_layers(model: Decoder, own: int) -> list[LayerAttention]:
    """Attend as `torch_cascade` does, over the model's own keys and values; nothing is copied.

    Args:
        model: Whose rows have their slots in order, as all of its kind.
        own: Tokens that every row holds.
    """
    layers = []
    for store in model.stores:
        keys, values = (pool[: model.batch.rows, :, : own + 1] for pool in store[2:])
        # [R, G, D]
        ends = keys[:, :, own], values[:, :, own]
        layers.append(_layer(cascade_over(store, keys, values, model.batch), *ends))
    return layers


def flex_layers(model: Decoder, own: int) -> list[LayerAttention]:
    """Attend as `flex` does, each layer over one sequence of its own: the prompt, then every row's tokens.

    Args:
        model, own: As for `cascade_layers`.

    Raises:
        Unavailable: no memory for the sequences.
    """
    batch, heads, device = model.batch, model.shape.heads, model.head.device
    needed = sum(rival_bytes(FLEX, store, batch, own + 1, heads) for store in model.stores)
    if lack := lack_of_memory(needed, device):
        raise Unavailable(lack)
    mask, context = flex_mask(batch, own + 1, device), batch.pool_stop
    layers = []
    for store in model.stores:
        sequences, ends = [], []
        for shared, mine in (store[::2], store[1::2]):
            # the last of each row's tokens is the new one, which comes with every step
            rows = mine[: batch.rows, :, : own + 1].transpose(0, 1).flatten(1, 2)
            sequence = torch.cat([shared, rows], dim=1)
            sequences.append(sequence[None])
            ends.append(sequence[:, context + own :: own + 1].transpose(0, 1))
        keys, values = sequences
        layers.append(_layer(flex_over(keys, values, mask), *ends))
    return layers


def _layer(attend: Queried, k_end: Tensor, v_end: Tensor) -> LayerAttention:
    """Store keys and values of new tokens where they belong, [R, G, D] views, and attend then."""

    def layer(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        k_end.copy_(k.squeeze(1))
        v_end.copy_(v.squeeze(1))
        return attend(q.squeeze(1)).unsqueeze(1)

    return layer


def _flex_on_gpu(model: Decoder, own: int) -> list[LayerAttention]:
    if model.head.device.type != "cuda":
        raise Unavailable("it is compiled on a GPU; here it would run uncompiled, with all scores at once")
    return flex_layers(model, own)


STEP_RIVALS: dict[str, Callable[[Decoder, int], list[LayerAttention]]] = {
    TORCH_CASCADE: cascade_layers,
    FLEX: _flex_on_gpu,
}
"""What makes the layers of each rival, by its name in the attention benchmark."""
