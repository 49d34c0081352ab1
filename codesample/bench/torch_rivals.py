"""Rivals that read a context once for all its rows, built from torch alone."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import torch
from torch import Tensor
from torch.nn.attention.flex_attention import BlockMask, create_block_mask, flex_attention

from codesample.kernels.bifurcated_decode import DecodeBatch, LayerStore

__all__ = ["Queried", "cascade_over", "flex", "flex_mask", "flex_over", "torch_cascade"]

Queried = Callable[[Tensor], Tensor]
"""Attention over given keys and values: queries [R, H, D] to outputs [R, H, D]."""


def torch_cascade(q: Tensor, store: LayerStore, batch: DecodeBatch, own: int) -> Callable[[], Tensor]:
    """Flash attention over each prompt's keys, rows stacked, and over each row's own, joined by log-sum-exp.

    The query heads of a KV head are stacked too, so that keys are read once for all of them.
    """
    slots = torch.tensor(batch.slots, device=q.device)
    own_keys, own_values = (pool[slots, :, :own] for pool in store[2:])
    return partial(cascade_over(store, own_keys, own_values, batch), q.squeeze(1))


def cascade_over(store: LayerStore, own_keys: Tensor, own_values: Tensor, batch: DecodeBatch) -> Queried:
    """Return what `torch_cascade` computes of any queries; rows' own keys and values are [R, G, T, D]."""
    kv_heads = own_keys.shape[1]
    join = _compiled_join() if own_keys.device.type == "cuda" else _join

    def run(q: Tensor) -> Tensor:
        rows, heads, width = q.shape
        group = heads // kv_heads
        # [R, G, H / G, D]
        mine = q.unflatten(1, (kv_heads, group))
        outs, sums = [], []
        for s in batch.segments:
            keys, values = (pool[None, :, s.start : s.start + s.length] for pool in store[:2])
            stacked = mine[s.row_start : s.row_stop].transpose(0, 1).flatten(1, 2)[None]
            found = _flash(stacked, keys, values)
            # [1, G, rows * H / G, ...] to [rows, G, H / G, ...]
            out, lse = (x[0].unflatten(1, (-1, group)).transpose(0, 1) for x in found)
            outs.append(out)
            sums.append(lse)
        # of one prompt nothing need be copied
        out, lse = (parts[0] if len(parts) == 1 else torch.cat(parts) for parts in (outs, sums))
        joined: Tensor = join(out, lse, *_flash(mine, own_keys, own_values))
        return joined.reshape(rows, -1, width)

    return run


def flex(q: Tensor, store: LayerStore, batch: DecodeBatch, own: int) -> Callable[[], Tensor]:
    """`flex_attention` of all rows over one sequence: every prompt, then every row's own tokens, masked."""
    keys, values = (
        torch.cat(
            [
                *(shared[:, s.start : s.start + s.length] for s in batch.segments),
                *(mine[slot, :, :own] for slot in batch.slots),
            ],
            dim=1,
        )[None]
        for shared, mine in (store[::2], store[1::2])
    )
    return partial(flex_over(keys, values, flex_mask(batch, own, q.device)), q.squeeze(1))


def flex_mask(batch: DecodeBatch, own: int, device: torch.device) -> BlockMask:
    """Return which of the keys of every prompt, then of the rows' own tokens, each row sees."""
    rows = batch.rows
    # which rows see a key: from the first to before the last, [keys] each
    first = [s.row_start for s in batch.segments for _ in range(s.length)]
    last = [s.row_stop for s in batch.segments for _ in range(s.length)]
    first += [row for row in range(rows) for _ in range(own)]
    last += [row + 1 for row in range(rows) for _ in range(own)]
    begin, end = torch.tensor(first, device=device), torch.tensor(last, device=device)

    def seen(_: Tensor, __: Tensor, row: Tensor, key: Tensor) -> Tensor:
        return (begin[key] <= row) & (row < end[key])

    return create_block_mask(seen, None, None, rows, len(first), device=str(device))


def flex_over(keys: Tensor, values: Tensor, mask: BlockMask) -> Queried:
    """Return what `flex` computes of any queries over keys and values [1, G, N, D] of that order."""
    attend: Any = _compiled_flex() if keys.device.type == "cuda" else flex_attention

    def run(q: Tensor) -> Tensor:
        # [1, H, R, D]
        query = q.transpose(0, 1)[None]
        grouped = query.shape[1] != keys.shape[1]
        out: Tensor = attend(query, keys, values, block_mask=mask, enable_gqa=grouped)
        return out[0].transpose(0, 1)

    return run


def _flash(q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    """Attend to all keys: [B, H, S, D] in q's dtype and the log-sum-exp, [B, H, S], fp32."""
    if q.device.type == "cuda":
        found = torch.ops.aten._scaled_dot_product_flash_attention(q, k, v, 0.0, False, False)
    else:
        found = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(q, k, v, 0.0, False)
    out, lse = found[:2]
    return out, lse


def _join(one: Tensor, lse_one: Tensor, other: Tensor, lse_other: Tensor) -> Tensor:
    share = torch.sigmoid(lse_one - lse_other)[..., None]
    return torch.lerp(other.to(share.dtype), one.to(share.dtype), share).to(one.dtype)


@cache
def _compiled_join() -> Callable[..., Tensor]:
    return torch.compile(_join, dynamic=True)


@cache
def _compiled_flex() -> Callable[..., Tensor]:
    return torch.compile(flex_attention, dynamic=False)
