"""Scores of many queries against keys, in at least float32 and with the maximum taken off first.

Rows are those of one KV head: query head h reads KV head h // (H / G), and its rows stand side by side with
those of the other query heads of the same KV head, for all samples.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from codesample.kernels.bifurcated_decode import ScoreOptions

__all__ = ["Votes", "log_total", "pooled_rows", "row_logits", "token_votes"]

# logits held at a time, in bytes
_SCRATCH_BYTES = 64 << 20


class Votes(NamedTuple):
    """What each key got, summed over rows, [G, N], and how many bytes of keys that read."""

    votes: Tensor
    read_bytes: int


def pooled_rows(queries: Tensor, kv_heads: int) -> Tensor:
    """Put [R, Q, H, D] queries as [G, R * Q * H / G, D], in at least float32."""
    wide = queries.to(torch.promote_types(queries.dtype, torch.float32))
    width = queries.shape[3]
    return wide.permute(2, 0, 1, 3).reshape(kv_heads, -1, width)


def row_logits(rows: Tensor, keys: Tensor, scores: ScoreOptions) -> Tensor:
    """Return the logits of rows [G, n, D] for keys [G, N, D], [G, n, N]: scaled, and capped if they are."""
    logits = (rows @ keys.to(rows.dtype).transpose(1, 2)) * scores.scale_for(rows.shape[2])
    if scores.softcap is not None:
        logits = scores.softcap * torch.tanh(logits / scores.softcap)
    return logits


def log_total(rows: Tensor, keys: Tensor, scores: ScoreOptions) -> Tensor:
    """Return the log-sum-exp of each row's logits over all keys, [G, n]; no keys give -inf."""
    total = rows.new_full(rows.shape[:2], float("-inf"))
    for begin, end in _chunks(rows, keys):
        total = torch.logaddexp(total, row_logits(rows, keys[:, begin:end], scores).logsumexp(dim=2))
    return total


def token_votes(rows: Tensor, keys: Tensor, scores: ScoreOptions) -> Votes:
    """Let every row [G, n, D] share out its attention over these keys alone."""
    chunks = _chunks(rows, keys)
    if len(chunks) == 1:
        return Votes(row_logits(rows, keys, scores).softmax(dim=2).sum(dim=1), keys.nbytes)
    total = log_total(rows, keys, scores)[..., None]
    parts = [(row_logits(rows, keys[:, begin:end], scores) - total).exp().sum(dim=1) for begin, end in chunks]
    votes = torch.cat(parts, dim=1) if parts else rows.new_zeros(len(rows), 0)
    return Votes(votes, 2 * keys.nbytes)


def _chunks(rows: Tensor, keys: Tensor) -> list[tuple[int, int]]:
    # logits and what is made of them
    each = 3 * rows.shape[0] * rows.shape[1] * rows.element_size()
    size = max(1, _SCRATCH_BYTES // max(each, 1))
    return [(begin, min(begin + size, keys.shape[1])) for begin in range(0, keys.shape[1], size)]
