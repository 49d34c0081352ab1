"""One decode step and one attention call: shared keys beside keys that every row has for itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from statistics import median
from typing import NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import DynamicCache, PreTrainedModel

from codesample.bench.attention import median_time, reason_of
from codesample.errors import ModelError
from codesample.kernels.bifurcated_decode import (
    DecodeBatch,
    ScoreOptions,
    Segment,
    bifurcated_decode,
    prepare_batch,
)
from codesample.sampling.attention_hook import attached
from codesample.sampling.attention_probe import probe_shared_path
from codesample.sampling.decode_step import DecodeStep
from codesample.sampling.kv_store import KVStore, token_bytes
from codesample.sampling.memory import free_memory
from codesample.sampling.packed_weights import PackedWeights
from codesample.sampling.prefill import SegmentTokens, prefill
from codesample.sampling.rows import Row
from codesample.sampling.token_choice import Choice
from codesample.sampling.token_sampler import TokenSampler

__all__ = ["TOLERANCES", "StepBench", "StepTimes"]

TOLERANCES = {torch.float64: 1e-12, torch.float32: 1e-5, torch.float16: 8e-3, torch.bfloat16: 6e-2}
"""Norm of a difference of logits over their norm, by dtype: what rounding may explain.

Four times and more what the forward pass of 24 layers in the shape of Qwen2.5-Coder 0.5B differs from the
same weights in a wider dtype: 1.3e-6 in float32, 2.2e-3 in float16, 1.7e-2 in bfloat16 (12 layers: 1.0e-2).
"""

# the second step of a batch is captured on CUDA
_UNTIMED = 2
# rounds in which every method is timed once, so that all of them meet the machine's slow minutes
_FEWEST_ROUNDS, _MOST_ROUNDS = 3, 15
_ROUNDS_SECONDS = 45.0


class StepTimes(NamedTuple):
    """What was measured.

    Attributes:
        rounds: Milliseconds per step, by method, one for each round in which every method had its turn.
        left_out: Why a method has no time.
    """

    rounds: dict[str, list[float]]
    left_out: dict[str, str]

    def ms(self) -> dict[str, float]:
        """Return the median of the rounds, by method."""
        return {name: median(took) for name, took in self.rounds.items()}

    def ratios(self, to: str) -> dict[str, list[float]]:
        """Return how often longer than `to` each method took, rising, one for each round."""
        return {
            name: sorted(mine / other for mine, other in zip(took, self.rounds[to], strict=True))
            for name, took in self.rounds.items()
        }


class _Begun(NamedTuple):
    # what a step reads of a row
    ids: list[int]
    limit: int


class _Given(TokenSampler):
    """Draws nothing: tokens [steps, R] are known before, so that all methods read the same ones."""

    def __init__(self, tokens: Tensor) -> None:
        self._tokens, self.logits = tokens, torch.empty(0)

    def keys(self, rows: Sequence[Row]) -> Tensor:
        return torch.zeros(len(rows), dtype=torch.int64, device=self._tokens.device)

    def goes_on(self, tokens: Tensor) -> Tensor:
        return tokens >= 0

    def uniforms(self, keys: Tensor, positions: Tensor) -> Tensor:
        return positions.double()

    def draw(
        self, logits: Tensor, rows: Sequence[Row], uniforms: Tensor, *, width: int | None = None
    ) -> Choice:
        self.logits = logits
        tokens = self._tokens.gather(0, uniforms[None].long().clamp_max(len(self._tokens) - 1))[0]
        nothing = torch.zeros_like(tokens, dtype=torch.float32)
        return Choice(tokens, nothing, nothing)


class _JoinedState:
    """Each row holds its prompt and its own tokens in one buffer, as without sharing; nothing is copied."""

    def __init__(self, store: KVStore, context: int, rows: int) -> None:
        self._length = context
        self._keys = [self._spread(s.k_shared, rows, store.row_tokens) for s in store.layers]
        self._values = [self._spread(s.v_shared, rows, store.row_tokens) for s in store.layers]
        self.step = 0

    @staticmethod
    def _spread(shared: Tensor, rows: int, room: int) -> Tensor:
        heads, length, width = shared.shape
        buffer = shared.new_empty(rows, heads, length + room, width)
        buffer[:, :, :length] = shared
        return buffer

    def attend(self, layer: int, q: Tensor, k: Tensor, v: Tensor, scores: ScoreOptions) -> Tensor:
        upto = self._length + self.step + 1
        keys, values = self._keys[layer], self._values[layer]
        keys[:, :, upto - 1], values[:, :, upto - 1] = k[:, :, 0], v[:, :, 0]
        out = F.scaled_dot_product_attention(
            q,
            keys[:, :, :upto],
            values[:, :, :upto],
            scale=scores.scale,
            enable_gqa=q.shape[1] != k.shape[1],
        )
        return out.transpose(1, 2)


@dataclass
class StepBench:
    """Times decode steps of n rows behind one prompt, from given tokens to logits.

    Attributes:
        model: Any on the shared path.
        context: Prompt tokens.
        rows: n.
        steps: Timed steps per run.

    Raises:
        ModelError: keys and values do not fit into memory.
    """

    model: PreTrainedModel
    context: int
    rows: int
    steps: int = 8

    def __post_init__(self) -> None:
        model = self.model
        generator = torch.Generator().manual_seed(0)
        vocabulary = model.config.get_text_config().vocab_size
        self._prompt = torch.randint(0, vocabulary, (self.context,), generator=generator).tolist()
        self._ids = torch.randint(0, vocabulary, (self.steps + _UNTIMED, self.rows), generator=generator).to(
            model.device
        )
        shapes = probe_shared_path(model).kv_shapes
        self._token_bytes = token_bytes(shapes, model.dtype)
        self._store = KVStore(
            shapes,
            shared_tokens=self.context,
            rows=self.rows,
            row_tokens=len(self._ids),
            dtype=model.dtype,
            device=model.device,
        )
        self._packed = PackedWeights.of(model)
        with torch.inference_mode(), attached(model):
            prefill(model, self._store, [SegmentTokens(self._prompt, 0)])
        segment = Segment(0, self.context, 0, self.rows, 0)
        starts = [self.context] * self.rows
        batch = DecodeBatch.build([segment], slots=range(self.rows), own_starts=starts)
        self._prepared = prepare_batch(batch, model.device)

    def run(self) -> StepTimes:
        """Time every method whose last logits are, for a few rows, those of the model with its own cache.

        "codesample" steps as sampling does, which on CUDA is a graph; there it is timed without one as well.
        """
        ways: dict[str, Callable[[], tuple[list[float], Tensor]]] = {
            "repeated cache": lambda: self._repeated(range(self.rows)),
            "joined buffers": self._joined,
            "codesample": self._shared,
        }
        if self.model.device.type == "cuda":
            ways["codesample, no graph"] = lambda: self._shared(ahead=False)
        checked = sorted({0, self.rows // 2, self.rows - 1})
        _, exact = self._repeated(checked)
        times = StepTimes({}, {})
        begun, done = time.perf_counter(), 0
        while done < _FEWEST_ROUNDS or (
            done < _MOST_ROUNDS and time.perf_counter() - begun < _ROUNDS_SECONDS
        ):
            for name, way in ways.items():
                if name not in times.left_out:
                    self._time(name, way, exact, checked, times)
            done += 1
        return times

    def _time(
        self,
        name: str,
        way: Callable[[], tuple[list[float], Tensor]],
        exact: Tensor,
        checked: Sequence[int],
        times: StepTimes,
    ) -> None:
        try:
            if not name.startswith("codesample"):
                self._check_room()
            seconds, logits = way()
        except Exception as error:
            reason = reason_of(error)
        else:
            apart = float((logits[checked] - exact).norm() / exact.norm())
            if apart <= TOLERANCES[self.model.dtype]:
                times.rounds.setdefault(name, []).append(1000 * median(seconds))
                return
            reason = f"logits differ by {apart:.1e}"
        times.left_out[name] = reason
        times.rounds.pop(name, None)

    def _check_room(self) -> None:
        # a quarter more: each layer of a cache that grows exists twice for a moment
        needed = self.rows * (self.context + len(self._ids)) * self._token_bytes * 5 // 4
        free = free_memory(self.model.device)
        if needed > free:
            raise ModelError(f"needs {needed / 1e9:.1f} GB, {free / 1e9:.1f} GB are free")

    def attention(self, repeats: int = 5) -> float:
        """Return median milliseconds of the attention of one step over all layers, shared keys."""
        heads = self.model.config.get_text_config().num_attention_heads
        device, dtype = self.model.device, self.model.dtype
        kv_heads, _, width = self._store.layers[0].k_shared.shape
        q = torch.randn(self.rows, 1, heads, width, dtype=dtype, device=device)
        k = torch.randn(self.rows, 1, kv_heads, width, dtype=dtype, device=device)
        lens = torch.full((self.rows,), self.steps // 2, dtype=torch.int32, device=device)

        def call() -> None:
            for layer in self._store.layers:
                bifurcated_decode(q, k, k, layer, self._prepared, lens)

        with torch.inference_mode():
            return 1000 * median_time([call], device, repeats, rounds=1)

    def _now(self) -> float:
        if self.model.device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter()

    def _timed(self, forward: Callable[[int], Tensor]) -> tuple[list[float], Tensor]:
        times = []
        for step in range(len(self._ids)):
            begun = self._now()
            logits = forward(step)
            times.append(self._now() - begun)
        return times[_UNTIMED:], logits.float()

    @torch.inference_mode()
    def _shared(self, *, ahead: bool = True) -> tuple[list[float], Tensor]:
        given = _Given(self._ids)
        rows = [_Begun([token], len(self._ids) + 2) for token in self._ids[0].tolist()]
        step = DecodeStep(
            self.model, given, self._store.layers, self._prepared, cast(Sequence[Row], rows), ahead=ahead
        )

        def forward(_: int) -> Tensor:
            step.launch()
            return given.logits

        with attached(self.model), self._packed.used() if self._packed else nullcontext():
            return self._timed(forward)

    @torch.inference_mode()
    def _joined(self) -> tuple[list[float], Tensor]:
        state = _JoinedState(self._store, self.context, self.rows)

        def forward(step: int) -> Tensor:
            state.step = step
            positions = torch.full((self.rows, 1), self.context + step, device=self.model.device)
            return self.model(
                input_ids=self._ids[step, :, None],
                position_ids=positions,
                use_cache=False,
                codesample_kv=state,
            ).logits[:, -1]

        with attached(self.model), self._packed.used() if self._packed else nullcontext():
            return self._timed(forward)

    @torch.inference_mode()
    def _repeated(self, rows: Sequence[int]) -> tuple[list[float], Tensor]:
        """Step some of the rows with the model's own attention and cache."""
        cache = DynamicCache()
        for index, layer in enumerate(self._store.layers):
            cache.update(layer.k_shared[None].clone(), layer.v_shared[None].clone(), index)
        cache.batch_repeat_interleave(len(rows))
        ids = self._ids[:, list(rows), None]

        def forward(step: int) -> Tensor:
            return self.model(ids[step], past_key_values=cache, use_cache=True).logits[:, -1]

        return self._timed(forward)
