"""One decode step of a fixed batch, from the last tokens to the next ones, without asking the host.

All that a step reads and writes stays where it is. So on CUDA the second step of a batch is captured as
a graph and replayed from then on, for later batches of its size too, and the host reads the tokens of a
step while the next one runs; on a CPU the same function runs as it is. A row that has drawn its last
token, or whose draw the likeliest tokens did not settle, stands still: what it would write again is what
is there. The host orders a wide step for the latter.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from contextlib import nullcontext
from functools import cache
from typing import Any

import torch
from torch import Tensor

from codesample.kernels.bifurcated_decode import DecodeBatch, LayerStore, PreparedBatch
from codesample.policies.cascade import CascadeCache
from codesample.sampling.attention_hook import DecodeState
from codesample.sampling.hosts.spread import Spread
from codesample.sampling.memory import is_out_of_memory
from codesample.sampling.mixed_sampler import MixedSampler
from codesample.sampling.rows import Row
from codesample.sampling.token_choice import Drawn
from codesample.sampling.token_sampler import TokenSampler

__all__ = ["DecodeStep", "Forward", "Unread"]

# the likeliest tokens that settle all but a few draws of a trained model
_NARROW = 1024
# steps for which random numbers are drawn at once: a dozen small operations, for one number or for many
_NUMBERS = 16

_log = logging.getLogger("codesample.sampling")

Forward = Callable[..., Any]
"""A model's forward pass; returns something with `logits`, [R, 1, V]."""


class Unread:
    """What a step drew, on its way to the host.

    Args:
        packed: [C, P], float32: tokens or -1, and what is known of them (`Choice.known`).
        rows: R, how many of the P places are rows.
    """

    def __init__(self, packed: Tensor, rows: int) -> None:
        self._arrived, self._rows = None, rows
        self._packed = packed
        if packed.device.type == "cuda":
            self._packed = torch.empty(packed.shape, dtype=packed.dtype, pin_memory=True)
            self._packed.copy_(packed, non_blocking=True)
            self._arrived = torch.cuda.Event()
            # the current stream may be another device's
            self._arrived.record(torch.cuda.current_stream(packed.device))

    def read(self) -> list[Drawn]:
        """Return each row's token and what is known of it; waits until they are here."""
        if self._arrived is not None:
            self._arrived.synchronize()
        tokens, *known = self._packed.tolist()
        return list(zip(map(int, tokens), zip(*known, strict=True), strict=True))[: self._rows]


class DecodeStep:
    """Steps a batch of rows that have drawn at least one token, and then others in their places.

    Args:
        forward: Of a model whose attention is attached (see `attention_hook`).
        token_sampler: How tokens are chosen. Steps of a mixed one never become a graph: the next batch would
            hardly be mixed alike.
        layers: Where keys and values are.
        prepared: The layout of P places.
        rows: R rows for the first places; what is in the others never moves and is never read.
        ahead: Whether the host reads late: choosing tokens then never asks it anything, and on CUDA the step
            becomes a graph.
        own: Which own tokens rows keep, where not all; such a step is not run ahead.
        pool: Memory of other graphs to share while one of them lives; see `torch.cuda.graph_pool_handle`.
        uncaptured: Kinds of token choice with which a capture of this model failed once, so that none tries
            again; filled here.
        spread: Over which processes prompts' keys are spread. Default: all are here.
    Attributes:
        rows: Those it steps now.
        ahead: As given.
        pool: Memory of its graphs; None before it is asked for.
    """

    def __init__(
        self,
        forward: Forward,
        token_sampler: TokenSampler | MixedSampler,
        layers: Sequence[LayerStore],
        prepared: PreparedBatch,
        rows: Sequence[Row],
        *,
        ahead: bool = False,
        own: CascadeCache | None = None,
        pool: Any = None,
        uncaptured: set[Hashable] | None = None,
        spread: Spread | None = None,
    ) -> None:
        self._forward, self._token_sampler, self._spread = forward, token_sampler, spread
        self._layers, self.ahead, self._kept, self.pool = layers, ahead, own, pool
        places, device = prepared.batch.rows, prepared.device
        self._device = device
        self._uncaptured = set() if uncaptured is None else uncaptured
        self._runs: Counter[bool] = Counter()
        self._graphs: dict[bool, tuple[torch.cuda.CUDAGraph, Tensor]] = {}
        # a row that has drawn `_last` draws one more and ends
        self._tokens, self._drawn, self._last, self._keys, self._own_starts = (
            torch.zeros(places, dtype=torch.int64, device=device) for _ in range(5)
        )
        self._lens = torch.zeros(places, dtype=torch.int32, device=device)
        # [P, N], for the tokens that follow the first `_numbered` of a row
        self._numbered = torch.zeros_like(self._drawn)
        self._numbers = torch.zeros(places, _NUMBERS, dtype=torch.float64, device=device)
        self._take(prepared, rows)

    @property
    def _captures(self) -> bool:
        if not self.ahead or self._device.type != "cuda" or isinstance(self._token_sampler, MixedSampler):
            return False
        return self._token_sampler.kind not in self._uncaptured

    @property
    def captured(self) -> bool:
        """Whether it holds graphs."""
        return bool(self._graphs)

    def refit(self, batch: DecodeBatch, rows: Sequence[Row], token_sampler: TokenSampler) -> bool:
        """Go on with other rows; all that was launched must have been read.

        Returns whether they fit: as many places, a layout that the captured graphs can compute, and tokens
        that are chosen as in these.
        """
        prepared = self._state.prepared
        if batch.rows != prepared.batch.rows:
            return False
        if not self._graphs:
            prepared = prepared.anew(batch)
            self._runs.clear()
            self._token_sampler = token_sampler
        elif token_sampler.kind != self._token_sampler.kind or not prepared.take_over(batch):
            return False
        self._take(prepared, rows)
        return True

    def _take(self, prepared: PreparedBatch, rows: Sequence[Row]) -> None:
        self.rows = rows
        self._numbers_left = 0
        self._own_starts.copy_(torch.tensor(prepared.batch.own_starts))
        self._keys[: len(rows)] = self._token_sampler.keys(rows)
        # with one token drawn, an empty place stands still
        empty = prepared.batch.rows - len(rows)
        for tensor, values, rest in (
            (self._tokens, [row.ids[-1] for row in rows], 0),
            (self._drawn, [len(row.ids) for row in rows], 1),
            (self._last, [row.limit - 1 for row in rows], 0),
        ):
            tensor.copy_(torch.tensor(values + [rest] * empty))
        self._own = None
        if self._kept is not None and any(row.limit > self._kept.settings.kept for row in rows):
            self._own = self._kept.over(prepared.batch.slots, self._drawn)
        self._state = DecodeState(self._layers, prepared, self._lens, self._spread, self._own)

    def launch(self, *, wide: bool = False) -> Unread:
        """Start the next step; the one before may still be running.

        Args:
            wide: Look at the whole vocabulary, so that every draw is settled.
        """
        # kernels are launched on the current device, which another model of this process may have set
        with torch.cuda.device(self._device) if self._device.type == "cuda" else nullcontext():
            return Unread(self._stepped(wide), len(self.rows))

    def _stepped(self, wide: bool) -> Tensor:
        if not self._numbers_left:
            self._draw_numbers()
        self._numbers_left -= 1
        if self._captures and self._runs[wide] == 1:
            self._capture(wide)
        self._runs[wide] += 1
        if wide not in self._graphs:
            return self._run(wide)
        graph, packed = self._graphs[wide]
        graph.replay()
        return packed

    def _draw_numbers(self) -> None:
        self._numbered.copy_(self._drawn)
        positions = self._drawn[:, None] + torch.arange(_NUMBERS, device=self._drawn.device)
        self._numbers.copy_(self._token_sampler.uniforms(self._keys[:, None], positions))
        self._numbers_left = _NUMBERS

    def _run(self, wide: bool) -> Tensor:
        at = self._drawn - 1
        self._lens.copy_(at if self._own is None else self._own.stored)
        logits = self._forward(
            input_ids=self._tokens[:, None],
            position_ids=(self._own_starts + at)[:, None],
            use_cache=False,
            codesample_kv=self._state,
        ).logits[:, -1]
        width: int | None = None
        if self.ahead:
            width = logits.shape[-1] if wide else _NARROW
            numbers = self._numbers.gather(1, (self._drawn - self._numbered)[:, None])[:, 0]
        else:
            # no row that is still wanted has stood still since they were drawn
            numbers = self._numbers[:, _NUMBERS - 1 - self._numbers_left]
        choice = self._token_sampler.draw(logits, self.rows, numbers, width=width)
        tokens = choice.tokens
        goes_on = self._token_sampler.goes_on(tokens) & (self._drawn < self._last)
        torch.where(goes_on, tokens, self._tokens, out=self._tokens)
        self._drawn += goes_on
        # float32, which holds the id of any token
        return torch.stack([tokens, *choice.known])

    def _capture(self, wide: bool) -> None:
        # such a step ran by itself before, and has compiled and set up all that a capture must not
        graph, stream = torch.cuda.CUDAGraph(), torch.cuda.current_stream(self._device)
        own = _capture_stream(self._device, threading.get_ident())
        self.pool = self.pool or torch.cuda.graph_pool_handle()
        try:
            # other threads may go on allocating
            with torch.cuda.graph(graph, pool=self.pool, stream=own, capture_error_mode="thread_local"):
                packed = self._run(wide)
        except RuntimeError as error:
            # a capture that cannot be ended leaves its own stream behind
            torch.cuda.set_stream(stream)
            if is_out_of_memory(error):
                raise
            self._uncaptured.add(self._token_sampler.kind)
            reason = str(error).strip().splitlines()[0]
            _log.warning(
                "a step of this model cannot be captured as a CUDA graph and runs as it is: %s", reason
            )
            return
        self._graphs[wide] = graph, packed


@cache
def _capture_stream(device: torch.device, thread: int) -> torch.cuda.Stream:
    """Return where a thread captures for a device; torch has one stream for all, of the first device."""
    return torch.cuda.Stream(device)
