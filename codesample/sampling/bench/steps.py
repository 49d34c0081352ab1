"""One decode step and one attention call: shared keys beside keys that every row has for itself."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import DynamicCache, PreTrainedModel

from codesample.kernels.bifurcated_decode import DecodePlan, Segment, bifurcated_decode
from codesample.sampling.attention_hook import DecodeState, attached
from codesample.sampling.kv_store import KVStore
from codesample.sampling.prefill import Context, prefill
from codesample.sampling.probe import probe_shared_path

__all__ = ["StepBench"]

_TOLERANCE = 1e-3


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

    def attend(self, layer: int, q: Tensor, k: Tensor, v: Tensor, options: dict) -> Tensor:
        upto = self._length + self.step + 1
        keys, values = self._keys[layer], self._values[layer]
        keys[:, :, upto - 1], values[:, :, upto - 1] = k[:, :, 0], v[:, :, 0]
        out = F.scaled_dot_product_attention(
            q,
            keys[:, :, :upto],
            values[:, :, :upto],
            scale=options["scale"],
            enable_gqa=q.shape[1] != k.shape[1],
        )
        return out.transpose(1, 2)


@dataclass
class StepBench:
    """Times decode steps of n rows behind one prompt.

    Attributes:
        model: Any on the shared path.
        context: Prompt tokens.
        rows: n.
        steps: Steps per timed run, after one that is not timed.
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
        self._ids = torch.randint(0, vocabulary, (self.steps + 1, self.rows, 1), generator=generator).to(
            model.device
        )
        self._store = KVStore(
            probe_shared_path(model).kv_shapes,
            shared_tokens=self.context,
            rows=self.rows,
            row_tokens=self.steps + 1,
            dtype=model.dtype,
            device=model.device,
        )
        with torch.inference_mode(), attached(model):
            prefill(model, self._store, [Context(self._prompt, 0)])
        segment = Segment(0, self.context, 0, self.rows, 0)
        lens = [self.context] * self.rows
        self._plan = DecodePlan.build(
            [segment], slots=range(self.rows), context_lens=lens, device=model.device
        )

    def run(self) -> dict[str, float]:
        """Return median milliseconds per step by method, after checking that all give the same logits.

        Raises:
            AssertionError: logits differ by more than rounding.
        """
        methods: dict[str, Callable[[], tuple[list[float], Tensor]]] = {
            "repeated cache": self._repeated,
            "joined buffers": self._joined,
            "codesample": self._shared,
        }
        results = {name: method() for name, method in methods.items()}
        exact = results["repeated cache"][1]
        for name, (_, logits) in results.items():
            error = float((logits - exact).norm() / exact.norm())
            assert error < _TOLERANCE, f"{name}: logits differ by {error:.1e}"
        return {name: 1000 * median(times) for name, (times, _) in results.items()}

    def attention(self, repeats: int = 5) -> float:
        """Return median milliseconds of the attention of one step over all layers, shared keys."""
        config = self.model.config.get_text_config()
        heads = config.num_attention_heads
        width, kv_heads = self._store.layers[0].k_shared.shape[2], self._store.layers[0].k_shared.shape[0]
        q = torch.randn(self.rows, 1, heads, width, dtype=self.model.dtype, device=self.model.device)
        k = torch.randn(self.rows, 1, kv_heads, width, dtype=self.model.dtype, device=self.model.device)
        lens = torch.zeros(self.rows, dtype=torch.int32, device=self.model.device)
        times = []
        with torch.inference_mode():
            for _ in range(repeats + 1):
                begun = self._now()
                for layer in self._store.layers:
                    bifurcated_decode(q, k, k, layer, self._plan, lens)
                times.append(self._now() - begun)
        return 1000 * median(times[1:])

    def _now(self) -> float:
        if self.model.device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter()

    def _timed(self, forward: Callable[[int], Tensor]) -> tuple[list[float], Tensor]:
        times = []
        for step in range(self.steps + 1):
            begun = self._now()
            logits = forward(step)
            times.append(self._now() - begun)
        return times[1:], logits.float()

    @torch.inference_mode()
    def _shared(self) -> tuple[list[float], Tensor]:
        def forward(step: int) -> Tensor:
            lens = torch.full((self.rows,), step, dtype=torch.int32, device=self.model.device)
            return self._forward(step, DecodeState(self._store.layers, self._plan, lens))

        with attached(self.model):
            return self._timed(forward)

    @torch.inference_mode()
    def _joined(self) -> tuple[list[float], Tensor]:
        state = _JoinedState(self._store, self.context, self.rows)

        def forward(step: int) -> Tensor:
            state.step = step
            return self._forward(step, state)

        with attached(self.model):
            return self._timed(forward)

    def _forward(self, step: int, state: object) -> Tensor:
        positions = torch.full((self.rows, 1), self.context + step, device=self.model.device)
        return self.model(
            input_ids=self._ids[step], position_ids=positions, use_cache=False, codesample_kv=state
        ).logits[:, -1]

    @torch.inference_mode()
    def _repeated(self) -> tuple[list[float], Tensor]:
        cache = DynamicCache()
        for index, layer in enumerate(self._store.layers):
            cache.update(layer.k_shared[None].clone(), layer.v_shared[None].clone(), index)
        cache.batch_repeat_interleave(self.rows)

        def forward(step: int) -> Tensor:
            return self.model(self._ids[step], past_key_values=cache, use_cache=True).logits[:, -1]

        return self._timed(forward)
