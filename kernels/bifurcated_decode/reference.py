"""The definition: softmax attention over each row's joined keys, one row at a time, in the inputs' dtype."""

from __future__ import annotations

import torch

from codesample.kernels.bifurcated_decode.api import DecodeOutput, LayerStore, stored_on_host
from codesample.kernels.bifurcated_decode.batch import DecodePlan

__all__ = ["decode"]


def decode(
    q: torch.Tensor,
    k_new: torch.Tensor | None,
    v_new: torch.Tensor | None,
    store: LayerStore,
    plan: DecodePlan,
    lens: torch.Tensor,
    *,
    scale: float,
    window: int | None,
    softcap: float | None,
    sinks: torch.Tensor | None,
) -> DecodeOutput:
    """Do what `bifurcated_decode` states, with every row's keys copied side by side; any dtype and device."""
    queries, heads, kv_heads = q.shape[1], q.shape[2], store.k_shared.shape[0]
    out = torch.empty_like(q, memory_format=torch.contiguous_format)
    lse = torch.empty(q.shape[:3], dtype=torch.promote_types(q.dtype, torch.float32), device=q.device)
    for row, stored in enumerate(stored_on_host(lens, queries, store, written=k_new is not None)):
        slot, context = plan.slots[row], plan.context_lens[row]
        if k_new is not None and v_new is not None:
            store.k_decode[slot, :, stored : stored + queries] = k_new[row].transpose(0, 1)
            store.v_decode[slot, :, stored : stored + queries] = v_new[row].transpose(0, 1)
        chain = [s for s in plan.segments if s.row_start <= row < s.row_stop]
        own = max(stored + queries, 0)
        k, v = (
            torch.cat([*(pool[:, s.start : s.start + s.length] for s in chain), mine[slot, :, :own]], dim=1)
            for pool, mine in ((store.k_shared, store.k_decode), (store.v_shared, store.v_decode))
        )
        k, v = (x.repeat_interleave(heads // kv_heads, dim=0) for x in (k, v))
        key_at = torch.cat(
            [*(torch.arange(s.length) + s.position for s in chain), torch.arange(own) + context]
        )
        query_at = torch.arange(queries)[:, None] + context + stored
        seen = (key_at <= query_at) | (key_at < context)
        if window is not None:
            seen &= query_at - key_at < window
        scores = (q[row].transpose(0, 1) @ k.transpose(1, 2)) * scale
        if softcap is not None:
            scores = softcap * torch.tanh(scores / softcap)
        scores = scores.to(lse.dtype).masked_fill(~seen.to(q.device), float("-inf"))
        if sinks is not None:
            sink = sinks.to(scores)[:, None, None].expand(-1, queries, 1)
            scores = torch.cat([scores, sink], dim=2)
        total = scores.logsumexp(dim=2)
        finite = total.masked_fill(total == float("-inf"), 0.0)
        weights = (scores - finite[..., None]).exp()[..., : k.shape[1]]
        out[row] = (weights.to(q.dtype) @ v).transpose(0, 1)
        lse[row] = total.transpose(0, 1)
    return DecodeOutput(out, lse)
