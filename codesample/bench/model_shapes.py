"""Sizes of known models, by the names that the benchmarks use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

__all__ = ["DECODERS", "HEADS", "DecoderShape", "Heads"]


class Heads(NamedTuple):
    """Query heads, key/value heads and their width: all that attention knows of a model."""

    heads: int
    kv_heads: int
    width: int


HEADS = {
    "7b-mha": Heads(32, 32, 128),
    "mistral-7b": Heads(32, 8, 128),
    "qwen2.5-coder-7b": Heads(28, 4, 128),
    "starcoder-15b": Heads(48, 1, 128),
    "qwen2.5-coder-1.5b": Heads(12, 2, 128),
    "small-mha": Heads(8, 8, 64),
    "small-gqa": Heads(8, 2, 64),
}


@dataclass(frozen=True)
class DecoderShape:
    """Sizes of a whole decoder."""

    layers: int
    hidden: int
    heads: int
    kv_heads: int
    width: int
    feed_forward: int
    vocabulary: int

    def weight_bytes(self, itemsize: int) -> int:
        """Return the bytes of the weights that a step reads, of `itemsize` bytes each."""
        layer = (2 * self.heads + 2 * self.kv_heads) * self.width * self.hidden
        layer += 3 * self.hidden * self.feed_forward
        return (self.layers * layer + self.vocabulary * self.hidden) * itemsize

    def kv_bytes(self, tokens: int, itemsize: int) -> int:
        """Return the bytes of the keys and values of some tokens, in all layers."""
        return 2 * self.layers * self.kv_heads * self.width * tokens * itemsize


DECODERS = {
    # the layout of Llama 2 7B
    "7b-mha": DecoderShape(32, 4096, *HEADS["7b-mha"], 11008, 32000),
    "mistral-7b": DecoderShape(32, 4096, *HEADS["mistral-7b"], 14336, 32000),
    "tiny": DecoderShape(3, 64, 4, 2, 16, 128, 256),
}
