"""What one cell of the attention benchmark attends to, and what the right result of some of its rows is."""

from __future__ import annotations

from typing import NamedTuple

import torch

from codesample.bench.attention_grid import Cell
from codesample.bench.model_shapes import HEADS
from codesample.kernels.bifurcated_decode import (
    DecodeBatch,
    DecodeOutput,
    LayerStore,
    Segment,
    bifurcated_decode,
)
from codesample.kernels.bifurcated_decode.rounding import beyond_rounding

__all__ = ["Expected", "Inputs", "checked_rows", "draw_inputs", "expected_rows"]

_CHECKED_ROWS = 3


class Inputs(NamedTuple):
    """Arguments of `bifurcated_decode`, with several copies of the keys and values.

    R rows, H query heads, G key/value heads, D their width.

    Attributes:
        q: [R, 1, H, D].
        k_new, v_new: [R, 1, G, D].
        stores: Alike in shape, different in content.
        batch: Which rows read which keys.
        lens: [R], int32, own tokens.
    """

    q: torch.Tensor
    k_new: torch.Tensor
    v_new: torch.Tensor
    stores: list[LayerStore]
    batch: DecodeBatch
    lens: torch.Tensor


class Expected(NamedTuple):
    """What some rows must give: computed by the definition in fp64, and in the dtype of the inputs."""

    exact: DecodeOutput
    plain: DecodeOutput

    def wrong_output(self, out: torch.Tensor) -> str | None:
        """Say how [rows, 1, H, D] is further from the exact result than rounding explains."""
        return beyond_rounding(out, self.exact.out, self.plain.out)

    def wrong(self, got: DecodeOutput) -> str | None:
        """Say the same of outputs and log-sum-exps."""
        return self.wrong_output(got.out) or beyond_rounding(got.lse, self.exact.lse, self.plain.lse)


def draw_inputs(cell: Cell, *, device: torch.device, dtype: torch.dtype, copies: int) -> Inputs:
    """Draw the inputs of a cell; the same at every call."""
    heads, kv_heads, width = HEADS[cell.model]
    rows = cell.rows * cell.prompts
    generator = torch.Generator(device).manual_seed(0)

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator, device=device, dtype=dtype)

    segments = [
        Segment(i * cell.context, cell.context, i * cell.rows, (i + 1) * cell.rows, 0)
        for i in range(cell.prompts)
    ]
    batch = DecodeBatch.build(segments, slots=range(rows), own_starts=[cell.context] * rows)
    shared, own = (
        (kv_heads, cell.prompts * cell.context, width),
        (rows, kv_heads, -(-(cell.own + 1) // 16) * 16, width),
    )
    stores = [LayerStore(draw(*shared), draw(*shared), draw(*own), draw(*own)) for _ in range(copies)]
    new = (rows, 1, kv_heads, width)
    lens = torch.full((rows,), cell.own, dtype=torch.int32, device=device)
    return Inputs(draw(rows, 1, heads, width), draw(*new), draw(*new), stores, batch, lens)


def checked_rows(batch: DecodeBatch) -> list[int]:
    """Return the rows whose results are looked at: the first, the last and one between."""
    return sorted({int(i * (batch.rows - 1) / (_CHECKED_ROWS - 1)) for i in range(_CHECKED_ROWS)})


def expected_rows(x: Inputs) -> Expected:
    """Compute the checked rows of the first store one by one, by the definition of attention."""
    store, found = x.stores[0], []
    for dtype in (torch.float64, x.q.dtype):
        outputs = []
        for row in checked_rows(x.batch):
            (s,) = x.batch.chain(row)
            pools = [pool[:, s.start : s.start + s.length].to(dtype) for pool in store[:2]]
            own = [pool[row : row + 1].to(dtype) for pool in store[2:]]
            alone = DecodeBatch.build([Segment(0, s.length, 0, 1, 0)], slots=[0], own_starts=[s.length])
            mine = slice(row, row + 1)
            q, k_new, v_new = (t[mine].to(dtype) for t in (x.q, x.k_new, x.v_new))
            lone = LayerStore(*pools, *own)
            outputs.append(bifurcated_decode(q, k_new, v_new, lone, alone, x.lens[mine], impl="reference"))
        found.append(DecodeOutput(*(torch.cat(parts) for parts in zip(*outputs, strict=True))))
    return Expected(*found)
