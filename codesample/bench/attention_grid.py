"""Which cells the attention benchmark measures: every model with every number of rows, tokens, prompts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import NamedTuple

import torch

from codesample.bench.model_shapes import HEADS
from codesample.bench.settings import expect_known

__all__ = ["ON_CPU", "ON_GPU", "Cell", "Grid", "cells"]


@dataclass(frozen=True)
class Cell:
    """One measurement: `rows` rows of each of `prompts` prompts of `context` tokens, `own` tokens per row."""

    model: str
    rows: int
    context: int
    own: int
    prompts: int


class Grid(NamedTuple):
    """Values whose product makes the cells; models by their name in `HEADS`."""

    models: Sequence[str] = ()
    rows: Sequence[int] = ()
    contexts: Sequence[int] = ()
    own: Sequence[int] = ()
    prompts: Sequence[int] = ()

    def completed(self, device: torch.device) -> Grid:
        """Take the usual values of the kind of device wherever there are none."""
        usual = ON_GPU if device.type == "cuda" else ON_CPU
        return Grid(
            models=self.models or usual.models,
            rows=self.rows or usual.rows,
            contexts=self.contexts or usual.contexts,
            own=self.own or usual.own,
            prompts=self.prompts or usual.prompts,
        )


# minutes, not hours: every kind of heads, with few rows and many
ON_GPU = Grid(
    models=("7b-mha", "mistral-7b", "qwen2.5-coder-7b"),
    rows=(1, 8, 32, 128),
    contexts=(8192, 32768),
    own=(64,),
    prompts=(1,),
)
ON_CPU = Grid(
    models=("small-mha", "small-gqa"),
    rows=(1, 2, 8, 32, 64),
    contexts=(128, 512, 2048, 4096),
    own=(32,),
    prompts=(1,),
)


def cells(grid: Grid) -> Iterator[Cell]:
    """Yield the cells of a grid, the small ones of each model first.

    Raises:
        UnknownNameError: no such model.
    """
    expect_known("model", grid.models, HEADS)
    for model in grid.models:
        for prompts, context, rows, own in product(grid.prompts, grid.contexts, grid.rows, grid.own):
            yield Cell(model, rows, context, own, prompts)
