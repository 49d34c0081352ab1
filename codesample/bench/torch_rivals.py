"""Rivals that read a context once for all its rows, built from torch alone."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.nn.attention.flex_attention import create_block_mask, flex_attention

from codesample.kernels.bifurcated_decode import DecodeBatch, LayerStore

__all__ = ["flex", "torch_cascade"]


def torch_cascade(q: Tensor, store: LayerStore, batch: DecodeBatch, own: int) -> Callable[[], Tensor]:
    """Flash attention over each prompt's keys, rows stacked, and over each row's own, joined by log-sum-exp.

    The query heads of a KV head are stacked too, so that keys are read once for all of them.
    """
    rows, kv_heads, width = len(q), store.k_own.shape[1], q.shape[-1]
    group = q.shape[2] // kv_heads
    # [R, G, H / G, D]
    mine = q.squeeze(1).unflatten(1, (kv_heads, group))
    slots = torch.tensor(batch.slots, device=q.device)
    own_keys, own_values = (pool[slots, :, :own] for pool in store[2:])
    join = _compiled_join() if q.device.type == "cuda" else _join

    def run() -> Tensor:
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
    device, rows = q.device, len(q)
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
    # which rows see a key: from the first to before the last, [keys] each
    first = [s.row_start for s in batch.segments for _ in range(s.length)]
    last = [s.row_stop for s in batch.segments for _ in range(s.length)]
    first += [row for row in range(rows) for _ in range(own)]
    last += [row + 1 for row in range(rows) for _ in range(own)]
    begin, end = torch.tensor(first, device=device), torch.tensor(last, device=device)

    def seen(_: Tensor, __: Tensor, row: Tensor, key: Tensor) -> Tensor:
        return (begin[key] <= row) & (row < end[key])

    mask = create_block_mask(seen, None, None, rows, keys.shape[2], device=str(device))
    # [1, H, R, D]
    query = q.squeeze(1).transpose(0, 1)[None]
    attend: Any = _compiled_flex() if device.type == "cuda" else flex_attention

    def run() -> Tensor:
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
    return torch.lerp(other.float(), one.float(), share.float()).to(one.dtype)


@cache
def _compiled_join() -> Callable[..., Tensor]:
    return torch.compile(_join, dynamic=True)


@cache
def _compiled_flex() -> Callable[..., Tensor]:
    return torch.compile(flex_attention, dynamic=False)
