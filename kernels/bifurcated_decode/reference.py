"""The definition: softmax attention over each row's joined keys, one row at a time, in the inputs' dtype."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
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

    def for_query_heads(self, group: int) -> _Keys:
        return _Keys(*(x.repeat_interleave(group, dim=0) for x in self))


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
            chain = self.batch.chain(row)
            parts = [*(shared[s][0] for s in chain), mine]
            joined = _Keys(*(torch.cat(part, dim=1) for part in zip(*parts, strict=True)))
            joined = joined.for_query_heads(call.group)
            query_at = torch.arange(queries, device=q.device)[:, None] + start + stored
            # keys that lie in a shared segment are seen by every query
            seen = (joined.at[:, None] <= query_at) | (joined.at[:, None] < start)
            for s, part in zip(chain, _ranges(parts), strict=False):
                limit = shared[s][1]
                if limit is not None:
                    seen[:, :, part] &= _of_row(limit, row - s.row_start, queries, call.group)
            if scores.window is not None:
                seen &= query_at - joined.at[:, None] < scores.window
            out[row], lse[row] = _attend(q[row].transpose(0, 1), joined, seen, scores, lse.dtype)
        return DecodeOutput(out, lse)

    def _shared_keys(self, s: Segment, call: Call) -> tuple[_Keys, Tensor | None]:
        """Return a segment's keys, and which of its queries see each, as `KeptKeys.seen`."""
        k, v = call.store.shared(s.start, s.length)
        at = torch.arange(s.position, s.position + s.length, device=k.device).expand(len(k), -1)
        index = self.selection.select(s, call) if s in self.restricted else None
        if index is None:
            return _Keys(k, v, at, _unbiased(at, k)), None
        if isinstance(index, KeptKeys):
            check_kept(self.selection, index, s, call)
            bias = _unbiased(index.tokens, k) if index.bias is None else index.bias
            read = (index.tokens + s.position).where(index.tokens >= 0, s.position)
            read = read.masked_fill(bias == float("-inf"), _NOWHERE)
            return _Keys(index.k, index.v, read, bias), index.seen
        check_selected(self.selection, index, call)
        none = index < 0
        inside = index.clamp_min(0)
        k, v = (
            x.gather(1, inside[..., None].expand(-1, -1, x.shape[2])).masked_fill(none[..., None], 0)
            for x in (k, v)
        )
        return _Keys(k, v, (inside + s.position).masked_fill(none, _NOWHERE), _unbiased(inside, k)), None


def _ranges(parts: Sequence[_Keys]) -> list[slice]:
    """Return where each part lies among the joined keys."""
    ends = list(accumulate(part.k.shape[1] for part in parts))
    return [slice(end - part.k.shape[1], end) for part, end in zip(parts, ends, strict=True)]


def _of_row(seen: Tensor, row: int, queries: int, group: int) -> Tensor:
    """Return of [G, M, N] what a row's queries see, [H, Q, N]."""
    of_row = seen[:, row * queries * group : (row + 1) * queries * group]
    return of_row.view(len(seen), queries, group, -1).transpose(1, 2).flatten(0, 1)


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
