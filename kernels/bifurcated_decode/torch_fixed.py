"""PyTorch backend with fixed splits: what is computed of a row never depends on who is beside it.

Every product of a row has the same shapes whatever the batch: keys are cut at multiples of `FixedSplits.keys`
positions, and rows are computed in tiles of one height, the last one filled up, over one range of keys after
the other, which the cache holds meanwhile. In such a product no row's result depends on the others or on its
place, as tests find by the bit; it does in products of other heights. Parts are joined row by row, since
vector instructions and what they leave over round differently. That and the rows filled up are the price. On
a CPU alone: which product a GPU's library takes follows the size of the batch.
"""

from __future__ import annotations

from itertools import groupby

import torch
from torch import Tensor
from torch.nn.functional import pad

from codesample.errors import ImplUnavailableError
from codesample.kernels.bifurcated_decode.batch import DecodeBatch, Segment
from codesample.kernels.bifurcated_decode.call import Call, DecodeOutput, stored_on_host
from codesample.kernels.bifurcated_decode.prepared_batch import PreparedBatch
from codesample.kernels.bifurcated_decode.schedule import fixed_ranges
from codesample.kernels.bifurcated_decode.selection import ALL_KEYS, KeySelection
from codesample.kernels.bifurcated_decode.step_schedule import FixedSplits, StepSchedule
from codesample.kernels.bifurcated_decode.step_views import Mask, Visible
from codesample.kernels.bifurcated_decode.torch import PreparedTorch
from codesample.kernels.bifurcated_decode.torch_parts import (
    NEG_INF,
    Part,
    attend_chunk,
    by_row,
    finished,
    partial_dtype,
)

__all__ = ["PreparedFixedTorch", "torch_form"]

# own tokens are read by the tile, so that rows of about one length can be computed together
_TILE = 64
# packed query rows of a product over shared keys, and the least of any: with fewer, and with other numbers
# than its multiples, the scratch of a thread begins at another place than that of the next, and so rounds
_SHARED_HEIGHT, _LEAST_HEIGHT = 32, 8
# bytes of a cache line
_LINE = 64


class PreparedFixedTorch(PreparedBatch):
    """Keeps nothing of a batch.

    Raises:
        ImplUnavailableError: on a GPU, or with a key selection: rows that choose keys together depend on
            one another.
    """

    impl = "torch"

    def __init__(
        self,
        batch: DecodeBatch,
        device: torch.device | str,
        selection: KeySelection = ALL_KEYS,
        schedule: StepSchedule | None = None,
    ) -> None:
        super().__init__(batch, device, selection, schedule)
        if self.device.type != "cpu":
            raise ImplUnavailableError(
                "bifurcated_decode: impl='torch' has no fixed splits on a GPU, where its products follow the "
                "size of the batch; use impl='triton', or no schedule"
            )
        if self.restricted:
            raise ImplUnavailableError(
                f"bifurcated_decode: fixed splits read all keys, and the key selection {selection.name!r} "
                "lets rows choose together; leave one of the two out"
            )
        self._keys = schedule.keys if isinstance(schedule, FixedSplits) else FixedSplits().keys

    def decode(self, call: Call) -> DecodeOutput:
        """See `PreparedBatch.decode`."""
        q, k_new, v_new, store, _, scores = call
        queries = q.shape[1]
        stored = stored_on_host(call)
        if k_new is not None and v_new is not None:
            tokens = torch.tensor(stored)[:, None] + torch.arange(queries)
            at = torch.tensor(self.batch.slots)[:, None], tokens
            store.k_own.transpose(1, 2)[at] = k_new
            store.v_own.transpose(1, 2)[at] = v_new
        tiles = by_row(q.to(partial_dtype(q)), call.kv_heads)
        found: list[list[Part]] = [[] for _ in stored]
        for s in self.batch.segments:
            self._add_shared(found, s, tiles, stored, call)
        # rows that read as many tiles
        length = [-(-max(each + queries, 0) // _TILE) * _TILE for each in stored]
        ordered = sorted(range(len(length)), key=length.__getitem__)
        for most, rows in groupby(ordered, key=length.__getitem__):
            self._add_own(found, list(rows), most, tiles, stored, call)
        results = [
            finished(_joined(parts, tiles[r]), q[r : r + 1], scores.sinks) for r, parts in enumerate(found)
        ]
        return DecodeOutput(*(torch.cat(each) for each in zip(*results, strict=True)))

    def _add_shared(
        self, found: list[list[Part]], s: Segment, tiles: Tensor, stored: list[int], call: Call
    ) -> None:
        queries = call.q.shape[1]
        rows = range(s.row_start, s.row_stop)
        # of each row's first query, counted from the segment's first token
        firsts = [self._first_seen(r, stored[r], call.scores.window) - s.position for r in rows]
        for begin, end in fixed_ranges(s.position, s.length, self._keys):
            some = [r for r, first in zip(rows, firsts, strict=True) if first < end]
            if not some:
                continue
            seen = None
            if call.scores.window is not None:
                first = torch.tensor([firsts[r - s.row_start] for r in some])[:, None] + torch.arange(queries)
                first = (first - begin).to(torch.int32)
                seen = _visible(first, torch.full_like(first, end - begin), call.group)
            k, v = (x[None].to(tiles.dtype) for x in call.store.shared(s.start + begin, end - begin))
            _add(found, some, _attend(tiles[some], k, v, seen, call, shared=True))

    def _add_own(
        self,
        found: list[list[Part]],
        rows: list[int],
        most: int,
        tiles: Tensor,
        stored: list[int],
        call: Call,
    ) -> None:
        queries, window = call.q.shape[1], call.scores.window
        slots = torch.tensor([self.batch.slots[r] for r in rows])
        # of each row's queries, in own tokens
        last = torch.tensor([stored[r] for r in rows])[:, None] + torch.arange(queries)
        firsts = torch.zeros_like(last) if window is None else last + 1 - window
        for begin in range(0, most, self._keys):
            end = min(begin + self._keys, most)
            some = [i for i, first in enumerate(firsts[:, 0].tolist()) if first < end]
            if not some:
                continue
            k, v = (_padded(pool, slots[some], begin, end).to(tiles.dtype) for pool in call.store[2:])
            # what lies behind a row's tokens may be anything
            there = torch.arange(begin, end) < last[some, -1:] + 1
            k, v = (x.masked_fill(~there[:, None, :, None], 0) for x in (k, v))
            first, stop = ((x[some] - begin).to(torch.int32) for x in (firsts, last + 1))
            which = [rows[i] for i in some]
            _add(found, which, _attend(tiles[which], k, v, _visible(first, stop, call.group), call))

    def _first_seen(self, row: int, stored: int, window: int | None) -> int:
        return 0 if window is None else self.batch.own_starts[row] + stored + 1 - window


def torch_form(schedule: StepSchedule | None) -> type[PreparedBatch]:
    """Return what computes a schedule with PyTorch."""
    return PreparedFixedTorch if isinstance(schedule, FixedSplits) else PreparedTorch


def _padded(pool: Tensor, slots: Tensor, begin: int, end: int) -> Tensor:
    part = pool[slots, :, begin : min(end, pool.shape[2])]
    return pad(part, (0, 0, 0, end - begin - part.shape[2]))


def _visible(first: Tensor, stop: Tensor, group: int) -> Visible:
    first, stop = (x.repeat_interleave(group, dim=1)[:, None] for x in (first, stop))
    return Visible(first, stop)


def _add(found: list[list[Part]], rows: list[int], part: Part) -> None:
    for i, row in enumerate(rows):
        found[row].append(Part(part.out[i], part.lse[i]))


def _attend(
    q: Tensor, k: Tensor, v: Tensor, seen: Visible | None, call: Call, *, shared: bool = False
) -> Part:
    """Attend rows q [B, G, M, D] to keys of their own, [B, G, N, D], or to shared ones, [1, G, N, D]."""
    mask = None if seen is None else seen.mask(0, k.shape[2], q.dtype)
    if q.shape[3] * k.element_size() % _LINE:
        # products may follow where in memory their operands begin
        k, v = k.clone(), v.clone()
    if call.scores.softcap is None:
        return _in_tiles(q, k, v, mask, call, shared)
    parts = []
    for i in range(len(q)):
        at = slice(i, i + 1)
        mine = mask and Mask(mask.bias[at], None if mask.dead is None else mask.dead[at])
        own = slice(None) if shared else at
        scale, softcap = call.scores.scale_for(q.shape[3]), call.scores.softcap
        parts.append(attend_chunk(q[at], k[own], v[own], scale, softcap, mine, fused=False))
    return Part(torch.cat([part.out for part in parts]), torch.cat([part.lse for part in parts]))


def _in_tiles(q: Tensor, k: Tensor, v: Tensor, mask: Mask | None, call: Call, shared: bool) -> Part:
    """Do so in one pass over tiles of always the same height, as many rows in each as share their keys."""
    batch, _, per_row, width = q.shape
    together = max(1, _SHARED_HEIGHT // per_row) if shared else 1
    least = _SHARED_HEIGHT if shared else _LEAST_HEIGHT
    height = -(-max(together * per_row, least) // _LEAST_HEIGHT) * _LEAST_HEIGHT
    idle = -batch % together

    def packed(x: Tensor) -> Tensor:
        rows = pad(x, (0, 0, 0, 0, 0, 0, 0, idle)).unflatten(0, (-1, together)).transpose(1, 2)
        return pad(rows.flatten(2, 3), (0, 0, 0, height - together * per_row)).contiguous()

    tiles = packed(q)
    bias = None if mask is None else Mask(packed(mask.bias), None)
    if len(tiles) * tiles.shape[1] == 1:
        # one product alone would be divided among threads
        tiles = tiles.expand(2, -1, -1, -1)
        bias = bias and bias._replace(bias=bias.bias.expand(2, -1, -1, -1))
    k, v = (x.expand(len(tiles), -1, -1, -1) for x in (k, v))
    out, lse = attend_chunk(tiles, k, v, call.scores.scale_for(width), None, bias, fused=True)

    def unpacked(x: Tensor) -> Tensor:
        rows = x[:, :, : together * per_row].unflatten(2, (together, -1))
        mine: Tensor = rows.transpose(1, 2).flatten(0, 1)[:batch]
        return mine

    out, lse = unpacked(out), unpacked(lse)
    if mask is not None and mask.dead is not None:
        out = out.masked_fill(mask.dead[..., None], 0.0)
        lse = lse.masked_fill(mask.dead, NEG_INF)
    return Part(out, lse)


def _joined(parts: list[Part], like: Tensor) -> Part:
    """Join one row's parts [G, M, D] and [G, M] in their order: [1, G, M, D] and [1, G, M]."""
    if not parts:
        return Part(torch.zeros_like(like)[None], like.new_full((1, *like.shape[:2]), NEG_INF))
    lse = torch.stack([part.lse for part in parts])
    top = lse.amax(dim=0)
    weights = (lse - top.masked_fill(top == NEG_INF, 0.0)).exp()
    total = weights.sum(dim=0)
    out = weights[0][..., None] * parts[0].out
    for weight, part in zip(weights[1:], parts[1:], strict=True):
        out = out + weight[..., None] * part.out
    some = total.masked_fill(total == 0, 1.0)
    return Part((out / some[..., None])[None], (top + total.log())[None])
