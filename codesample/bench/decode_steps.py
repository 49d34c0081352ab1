"""One decode step and one attention call: shared keys beside keys that every row has for itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import cast

import torch
from torch import Tensor
from transformers import DynamicCache, PreTrainedModel

from codesample.bench.measurements import Measurement, reason_of
from codesample.bench.memory_use import lack_of_memory
from codesample.bench.rounds import Rounds
from codesample.bench.step_stand_ins import Begun, GivenTokens, JoinedBuffers
from codesample.bench.timing import median_time, now
from codesample.errors import CodesampleError, ModelError
from codesample.kernels.bifurcated_decode import DecodeBatch, Segment, bifurcated_decode, prepare_batch
from codesample.sampling.attention_hook import attached
from codesample.sampling.attention_probe import probe_shared_path
from codesample.sampling.decode_step import DecodeStep
from codesample.sampling.kv_store import KVStore, token_bytes
from codesample.sampling.packed_weights import PackedWeights, multiplying
from codesample.sampling.prefill import SegmentTokens, prefill
from codesample.sampling.rows import Row

__all__ = ["TOLERANCES", "StepBench", "measure_decode_step"]

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
_OURS = "codesample"


def measure_decode_step(
    model: PreTrainedModel, context: int, n: int, *, most_rounds: int = _MOST_ROUNDS
) -> Measurement:
    """Time one step of `n` rows behind a prompt of `context` tokens, and the attention in it.

    Returns: milliseconds by method ("ms"), the number of rounds, how often longer than codesample each method
        took (median, lowest and highest over the rounds), why methods have no time ("left_out"), and
        milliseconds of the attention alone; or "refused".
    """
    try:
        bench = StepBench(model, context, n)
        times = bench.run(most_rounds)
        attention = bench.attention()
    except (CodesampleError, MemoryError, RuntimeError) as error:
        return {"refused": reason_of(error)}
    if _OURS in times.left_out:
        return {"refused": times.left_out[_OURS]}
    ratios = times.ratios(_OURS)
    return {
        "ms": {method: round(1000 * seconds, 2) for method, seconds in times.medians().items()},
        "attention_ms": round(1000 * attention, 2),
        "rounds": len(times.seconds[_OURS]),
        "ratio": {method: round(median(found), 2) for method, found in ratios.items()},
        "ratio_low": {method: round(found[0], 2) for method, found in ratios.items()},
        "ratio_high": {method: round(found[-1], 2) for method, found in ratios.items()},
        "left_out": times.left_out,
    }


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

    def run(self, most_rounds: int = _MOST_ROUNDS) -> Rounds:
        """Time every method whose last logits are, for a few rows, those of the model with its own cache.

        "codesample" steps as sampling does, which on CUDA is a graph; there it is timed without one as well.
        A step that cannot be captured is left out as "codesample".
        """
        ways: dict[str, Callable[[], tuple[list[float], Tensor]]] = {
            "repeated cache": lambda: self._repeated(range(self.rows)),
            "joined buffers": self._joined,
            _OURS: self._shared,
        }
        if self.model.device.type == "cuda":
            ways[f"{_OURS}, no graph"] = lambda: self._shared(ahead=False)
        checked = sorted({0, self.rows // 2, self.rows - 1})
        _, exact = self._repeated(checked)
        times = Rounds()
        begun, done = time.perf_counter(), 0
        while done < _FEWEST_ROUNDS or (done < most_rounds and time.perf_counter() - begun < _ROUNDS_SECONDS):
            for name, way in ways.items():
                if name not in times.left_out:
                    self._one_round(name, way, exact, checked, times)
            done += 1
        return times

    def _one_round(
        self,
        name: str,
        way: Callable[[], tuple[list[float], Tensor]],
        exact: Tensor,
        checked: Sequence[int],
        times: Rounds,
    ) -> None:
        try:
            if not name.startswith(_OURS):
                self._check_room()
            seconds, logits = way()
        except Exception as error:
            times.leave_out(name, reason_of(error))
            return
        apart = float((logits[checked] - exact).norm() / exact.norm())
        if apart <= TOLERANCES[self.model.dtype]:
            times.add(name, median(seconds))
        else:
            times.leave_out(name, f"logits differ by {apart:.1e}")

    def _check_room(self) -> None:
        # a quarter more: each layer of a cache that grows exists twice for a moment
        needed = self.rows * (self.context + len(self._ids)) * self._token_bytes * 5 // 4
        if lack := lack_of_memory(needed, self.model.device):
            raise ModelError(lack)

    def attention(self, repeats: int = 5) -> float:
        """Return median seconds of the attention of one step over all layers, shared keys."""
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
            return median_time([call], device, repeats, rounds=1)

    def _timed(self, forward: Callable[[int], Tensor]) -> tuple[list[float], Tensor]:
        times = []
        for step in range(len(self._ids)):
            begun = now(self.model.device)
            logits = forward(step)
            times.append(now(self.model.device) - begun)
        return times[_UNTIMED:], logits.float()

    @torch.inference_mode()
    def _shared(self, *, ahead: bool = True) -> tuple[list[float], Tensor]:
        given = GivenTokens(self._ids)
        rows = [Begun([token], len(self._ids) + 2) for token in self._ids[0].tolist()]
        step = DecodeStep(
            self.model, given, self._store.layers, self._prepared, cast(Sequence[Row], rows), ahead=ahead
        )

        def forward(_: int) -> Tensor:
            step.launch()
            return given.logits

        with multiplying(self.model, self._packed):
            found = self._timed(forward)
        if ahead and self.model.device.type == "cuda" and not step.captured:
            raise ModelError("the step was not captured as a CUDA graph")
        return found

    @torch.inference_mode()
    def _joined(self) -> tuple[list[float], Tensor]:
        state = JoinedBuffers(self._store, self.context, self.rows)

        def forward(step: int) -> Tensor:
            state.step = step
            positions = torch.full((self.rows, 1), self.context + step, device=self.model.device)
            logits: Tensor = self.model(
                input_ids=self._ids[step, :, None],
                position_ids=positions,
                use_cache=False,
                codesample_kv=state,
            ).logits
            return logits[:, -1]

        with multiplying(self.model, self._packed):
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
            logits: Tensor = self.model(ids[step], past_key_values=cache, use_cache=True).logits
            return logits[:, -1]

        return self._timed(forward)
