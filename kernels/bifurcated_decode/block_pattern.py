"""Which keys a block pattern lets a query see: blocks near its own, and every so manieth one of all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from codesample.errors import ParameterError

__all__ = ["PATTERN_SETTINGS", "BlockPattern", "stated_pattern"]

_ALIKE = "blocksparse_homo_head_pattern"
_DENSE = "dense_attention_every_n_layers"

PATTERN_SETTINGS = (
    "blocksparse_block_size",
    "blocksparse_num_local_blocks",
    "blocksparse_vert_stride",
    _DENSE,
    _ALIKE,
)
"""Settings of a model's configuration that state a pattern, as Phi-3-small has them; the first three must."""


class BlockPattern(NamedTuple):
    """Local blocks and stripes: query block i sees key block j <= i where i - j < local_blocks, or where
    (j + h * step + 1) % vert_stride = 0, with h the number of the query head and step = max(1, vert_stride //
    H), or (j + 1) % vert_stride = 0 where heads are alike. Within a block, earlier tokens are seen.

    Stripes are the same for all queries: a block that one does not see any more is seen by none that follow.

    Attributes:
        block_size: Tokens of a block.
        local_blocks: Nearest blocks that are seen, the query's own among them.
        vert_stride: Every so manieth block is seen from everywhere; 1 sees all.
        homo_head: Whether heads are alike.
        dense_every: Every so manieth layer sees all: those with (number + 1) % dense_every = 0; 0 for none.

    Source: arXiv:2407.17678; the offset of 1 is that of the released models, without which each head sees its
    neighbour's stripes.
    """

    block_size: int
    local_blocks: int
    vert_stride: int
    homo_head: bool = False
    dense_every: int = 0

    def is_dense(self, layer: int) -> bool:
        """Whether a layer sees all."""
        return self.dense_every > 0 and (layer + 1) % self.dense_every == 0

    def sees(self, queries: Tensor, keys: Tensor, heads: int) -> Tensor:
        """Tell which blocks of keys, by number [K], queries in blocks [N] see, by head: bool [H, N, K]."""
        number = torch.zeros(heads, dtype=torch.int64, device=keys.device)
        if not self.homo_head:
            number = torch.arange(heads, device=keys.device) * max(1, self.vert_stride // heads)
        stripes = (keys + number[:, None] + 1) % self.vert_stride == 0
        behind = queries[:, None] - keys
        return (behind >= 0) & ((behind < self.local_blocks) | stripes[:, None])


def stated_pattern(config: Mapping[str, Any]) -> BlockPattern | None:
    """Return the pattern that a model's configuration states; None where it states none.

    Raises:
        ParameterError: it states a part of one, or numbers that are none of a pattern.
    """
    found: list[Any] = [config.get(name) for name in PATTERN_SETTINGS[:3]]
    if not any(found):
        return None
    if not all(type(value) is int and value > 0 for value in found):
        given = ", ".join(f"{name} = {value!r}" for name, value in zip(PATTERN_SETTINGS, found, strict=False))
        raise ParameterError(f"pattern: the configuration has {given}; expected numbers of at least 1")
    block_size, local_blocks, vert_stride = map(int, found)
    return BlockPattern(
        block_size, local_blocks, vert_stride, bool(config.get(_ALIKE)), int(config.get(_DENSE) or 0)
    )
