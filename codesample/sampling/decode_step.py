"""One decode step of a fixed batch, from the last tokens to the next ones, without asking the host.

All that a step reads and writes stays where it is. So on CUDA the second step of a batch is captured as
a graph and replayed from then on, and the host reads the tokens of a step while the next one runs; on a
CPU the same function runs as it is. A row that has drawn its last token, or whose draw the likeliest
tokens did not settle, stands still: what it would write again is what is there. The host orders a wide
step for the latter.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from codesample.kernels.bifurcated_decode import DecodePlan, LayerStore
from codesample.sampling.attention_hook import DecodeState
from codesample.sampling.drawing import Drawing
from codesample.sampling.rows import Row

__all__ = ["DecodeStep", "Forward", "Unread"]

# the likeliest tokens that settle all but a few draws of a trained model
_NARROW = 1024

_log = logging.getLogger("codesample.sampling")

Forward = Callable[..., Any]
"""A model's forward pass; returns something with `logits`, [R, 1, V]."""


class Unread:
    """What a step drew, on its way to the host.

    Args:
        packed: [3, R], float64: tokens or -1, their log-probabilities, those they were drawn with.
    """

    def __init__(self, packed: Tensor) -> None:
        self._arrived = None
        self._packed = packed
        if packed.device.type == "cuda":
            self._packed = torch.empty(packed.shape, dtype=packed.dtype, pin_memory=True)
            self._packed.copy_(packed, non_blocking=True)
            self._arrived = torch.cuda.Event()
            self._arrived.record()

    def read(self) -> list[tuple[int, float, float]]:
        """Return (token, logprob, sampled_logprob) per row; waits until they are here."""
        if self._arrived is not None:
            self._arrived.synchronize()
        tokens, *logprobs = self._packed.tolist()
        return list(zip(map(int, tokens), *logprobs, strict=True))


class DecodeStep:
    """Steps a batch of rows that have drawn at least one token.

    Args:
        forward: Of a model whose attention is attached (see `attention_hook`).
        drawing: How tokens are chosen.
        layers: Where keys and values are.
        plan: The layout of the rows.
        rows: R rows, in the plan's order.
        impl: Implementation of the attention, see `bifurcated_decode`.
        ahead: Whether the host reads late: choosing tokens then never asks it anything, and on CUDA the step
            becomes a graph.
    Attributes:
        rows: As given.
    """

    def __init__(
        self,
        forward: Forward,
        drawing: Drawing,
        layers: Sequence[LayerStore],
        plan: DecodePlan,
        rows: Sequence[Row],
        *,
        impl: str = "auto",
        ahead: bool = False,
    ) -> None:
        self.rows = rows
        self._forward, self._drawing = forward, drawing
        device = plan.device
        self._tokens = torch.tensor([row.ids[-1] for row in rows], device=device)
        self._drawn = torch.tensor([len(row.ids) for row in rows], device=device)
        self._limits = torch.tensor([row.limit for row in rows], device=device)
        self._keys = drawing.keys(rows)
        self._contexts = plan.context_lens_on_device.long()
        self._lens = torch.empty_like(plan.context_lens_on_device)
        self._state = DecodeState(layers, plan, self._lens, impl)
        self._ahead = ahead
        self._captures = ahead and device.type == "cuda"
        self._runs: Counter[bool] = Counter()
        self._graphs: dict[bool, tuple[torch.cuda.CUDAGraph, Tensor]] = {}

    def launch(self, *, wide: bool = False) -> Unread:
        """Start the next step; the one before may still be running.

        Args:
            wide: Look at the whole vocabulary, so that every draw is settled.
        """
        if self._captures and self._runs[wide] == 1:
            self._capture(wide)
        self._runs[wide] += 1
        if wide not in self._graphs:
            return Unread(self._run(wide))
        graph, packed = self._graphs[wide]
        graph.replay()
        return Unread(packed)

    def _run(self, wide: bool) -> Tensor:
        self._lens.copy_(self._drawn - 1)
        logits = self._forward(
            input_ids=self._tokens[:, None],
            position_ids=(self._contexts + self._lens)[:, None],
            use_cache=False,
            codesample_kv=self._state,
        ).logits[:, -1]
        width = None
        if self._ahead:
            width = logits.shape[-1] if wide else _NARROW
        tokens, *logprobs = self._drawing.draw(logits, self.rows, self._keys, self._drawn, width=width)
        goes_on = self._drawing.goes_on(tokens) & (self._drawn + 1 < self._limits)
        self._tokens.copy_(torch.where(goes_on, tokens, self._tokens))
        self._drawn += goes_on
        return torch.stack([tokens.double(), *(x.double() for x in logprobs)])

    def _capture(self, wide: bool) -> None:
        # such a step ran by itself before, and has compiled and set up all that a capture must not
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph):
                packed = self._run(wide)
        except RuntimeError as error:
            self._captures = False
            reason = str(error).strip().splitlines()[0]
            _log.warning(
                "a step of this model cannot be captured as a CUDA graph and runs as it is: %s", reason
            )
            return
        self._graphs[wide] = graph, packed
