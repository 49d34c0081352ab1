"""The definition: softmax attention over each row's joined keys, one row at a time, in the inputs' dtype."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from codesample.kernels.bifurcated_decode.batch import Segment
from codesample.kernels.bifurcated_decode.call import Call, DecodeOutput, ScoreOptions, stored_on_host
from codesample.kernels.bifurcated_decode.prepared_batch import PreparedBatch
from codesample.kernels.bifurcated_decode.selection import KeptKeys, check_kept, check_selected

__all__ = ["PreparedReference"]


class _Keys(NamedTuple):
    # keys and values [G, N, D], and for each [G, N] its absolute position, none where it is not
    # read, and what is added to its scores
    k: Tensor
    v: Tensor
    at: Tensor
    bias: Tensor


_NOWHERE = torch.iinfo(torch.int64).max


class PreparedReference(PreparedBatch):
    """Keeps nothing: every row's keys are copied side by side; any dtype and device."""

    impl = "reference"

    def decode(self, call: Call) -> DecodeOutput:
        """See `PreparedBatch.decode`."""
        q, k_new, v_new, store, _, scores = call
        queries = q.shape[1]
        out = torch.empty_like(q, memory_format=torch.contiguous_format)
        lse = torch.empty(q.shape[:3], dtype=torch.promote_types(q.dtype, torch.float32), device=q.device)
        shared = {s: self._shared_keys(s, call) for s in self.batch.segments}
        for row, stored in enumerate(stored_on_host(call)):
            slot, start = self.batch.slots[row], self.batch.own_starts[row]
            if k_new is not None and v_new is not None:
                store.k_own[slot, :, stored : stored + queries] = k_new[row].transpose(0, 1)
                store.v_own[slot, :, stored : stored + queries] = v_new[row].transpose(0, 1)
            own = max(stored + queries, 0)
            at = torch.arange(start, start + own, device=q.device).expand(call.kv_heads, -1)
            mine = _Keys(store.k_own[slot, :, :own], store.v_own[slot, :, :own], at, _unbiased(at, q))
            parts = [*(shared[s] for s in self.batch.chain(row)), mine]
            joined = _Keys(
                *(
                    torch.cat(part, dim=1).repeat_interleave(call.group, dim=0)
                    for part in zip(*parts, strict=True)
                )
            )
            query_at = torch.arange(queries, device=q.device)[:, None] + start + stored
            # keys that lie in a shared segment are seen by every query
            seen = (joined.at[:, None] <= query_at) | (joined.at[:, None] < start)
            if scores.window is not None:
                seen &= query_at - joined.at[:, None] < scores.window
            out[row], lse[row] = _attend(q[row].transpose(0, 1), joined, seen, scores, lse.dtype)
        return DecodeOutput(out, lse)

    def _shared_keys(self, s: Segment, call: Call) -> _Keys:
        k, v = (pool[:, s.start : s.start + s.length] for pool in call.store[:2])
        at = torch.arange(s.position, s.position + s.length, device=k.device).expand(len(k), -1)
        index = self.selection.select(s, call) if s in self.restricted else None
        if index is None:
            return _Keys(k, v, at, _unbiased(at, k))
        if isinstance(index, KeptKeys):
            check_kept(self.selection, index, call)
            bias = _unbiased(index.tokens, k) if index.bias is None else index.bias
            read = (index.tokens + s.position).where(index.tokens >= 0, s.position)
            return _Keys(index.k, index.v, read.masked_fill(bias == float("-inf"), _NOWHERE), bias)
        check_selected(self.selection, index, call)
        none = index < 0
        inside = index.clamp_min(0)
        k, v = (
            x.gather(1, inside[..., None].expand(-1, -1, x.shape[2])).masked_fill(none[..., None], 0)
            for x in (k, v)
        )
        return _Keys(k, v, (inside + s.position).masked_fill(none, _NOWHERE), _unbiased(inside, k))


def _unbiased(at: Tensor, like: Tensor) -> Tensor:
    return torch.zeros(at.shape, dtype=like.dtype, device=like.device)


def _attend(
    q: Tensor, keys: _Keys, seen: Tensor, options: ScoreOptions, wide: torch.dtype
) -> tuple[Tensor, Tensor]:
    """Attend q [H, Q, D] to keys of H heads where `seen` [H, Q, N]: out [Q, H, D] and lse [Q, H]."""
    scores = (q @ keys.k.transpose(1, 2)) * options.scale_for(q.shape[2])
    if options.softcap is not None:
        scores = options.softcap * torch.tanh(scores / options.softcap)
    scores = scores.to(wide) + keys.bias.to(wide)[:, None]
    scores = scores.masked_fill(~seen, float("-inf"))
    if options.sinks is not None:
        sink = options.sinks.to(scores)[:, None, None].expand(-1, q.shape[1], 1)
        scores = torch.cat([scores, sink], dim=2)
    total = scores.logsumexp(dim=2)
    finite = total.masked_fill(total == float("-inf"), 0.0)
    weights = (scores - finite[..., None]).exp()[..., : keys.k.shape[1]]
    return (weights.to(q.dtype) @ keys.v).transpose(0, 1), total.transpose(0, 1)
