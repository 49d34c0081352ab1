"""Does a model give the reference's logits when its attention runs over the KV store?

Some architectures ignore the attention setting without a word, some drop the argument that carries
the store, some have attention this toolkit does not compute. Rather than keep a list, each load runs
a short prompt both ways. Of what only a long prompt would show, the configuration is asked: windows that
are in the mask alone, and rotary frequencies that change with the longest sequence of a pass.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor
from transformers import PreTrainedModel

from codesample.kernels.bifurcated_decode import DecodeBatch, ScoreOptions, Segment, prepare_batch
from codesample.sampling.attention_hook import DecodeState, PrefillPiece, PrefillState, attached, detached
from codesample.sampling.kv_store import KVShape, KVStore

__all__ = ["Probed", "layer_shapes", "probe_shared_path"]

_PROMPT, _TAIL, _ROWS = 19, 3, 2
# norm of the difference over norm of the centred logits, worst position: rounding gives about 1e-6 in fp32
# and 1e-2 in bf16, a wrong mask or position 0.1 and up
_TOLERANCE = {torch.float64: 1e-6, torch.float32: 1e-3, torch.float16: 1e-2, torch.bfloat16: 5e-2}
_KNOWN_LAYERS = {"full_attention", "sliding_attention"}


class Probed(NamedTuple):
    """What the probe found.

    Attributes:
        kv_shapes: Per layer, or () where the shared path does not serve the model.
        notice: Why not, or "".
        rope_switch: Most positions for which rotary frequencies are the same whatever else is in the pass;
            None where they always are.
    """

    kv_shapes: tuple[KVShape, ...]
    notice: str
    rope_switch: int | None = None


@torch.inference_mode()
def probe_shared_path(model: PreTrainedModel) -> Probed:
    """Compare a prefill and decode steps over the KV store with the model's ordinary forward pass."""
    config = model.config.get_text_config()
    switch, name = _rope_switch(config), type(model).__name__
    other = set(getattr(config, "layer_types", None) or ()) - _KNOWN_LAYERS
    if model.config.is_encoder_decoder or other:
        return Probed((), f"{name} has layers other than self-attention over all or recent tokens", switch)
    try:
        shapes = layer_shapes(model)
        error = _relative_error(model, shapes)
    except Exception as problem:
        first = (str(problem).strip() or type(problem).__name__).splitlines()[0][:120]
        reason = f"{name} does not route its attention through transformers' interface ({first})"
        return Probed((), reason, switch)
    if not error <= _TOLERANCE[model.dtype]:
        reason = f"{name} gives other logits over the shared store (relative error {error:.1e})"
        return Probed((), reason, switch)
    return Probed(shapes, "", switch)


def _rope_switch(config: Any) -> int | None:
    given = getattr(config, "rope_parameters", None) or {}
    # one set for all layers, or one per kind of layer
    kinds = [kind for kind in (given, *given.values()) if isinstance(kind, dict)]
    limits = [
        kind.get("original_max_position_embeddings") or config.max_position_embeddings
        for kind in kinds
        if kind.get("rope_type") == "longrope" or "dynamic" in kind.get("rope_type", "")
    ]
    return min(limits, default=None)


def _windows(config: Any) -> list[bool]:
    """Whether the configuration gives each layer a window."""
    layers: int = config.num_hidden_layers
    if not getattr(config, "sliding_window", None) or getattr(config, "use_sliding_window", None) is False:
        return [False] * layers
    kinds = getattr(config, "layer_types", None) or ["sliding_attention"] * layers
    return [kind == "sliding_attention" for kind in kinds]


class _ShapeReader(PrefillState):
    """Notes each layer's key shape and window, and lets queries attend to nothing but the first value."""

    def __init__(self) -> None:
        super().__init__(layers=(), pieces=())
        self.shapes: dict[int, KVShape] = {}
        self.windows: dict[int, int | None] = {}

    def attend(self, layer: int, q: Tensor, k: Tensor, v: Tensor, scores: ScoreOptions) -> Tensor:
        if k.shape[-1] != v.shape[-1]:
            raise ValueError(f"keys are {k.shape[-1]} wide and values {v.shape[-1]}")
        self.shapes[layer] = KVShape(k.shape[1], k.shape[-1])
        self.windows[layer] = scores.window
        return v[:, :1, :1].expand(1, q.shape[2], q.shape[1], v.shape[-1])


def layer_shapes(model: PreTrainedModel) -> tuple[KVShape, ...]:
    """Return what each layer stores per token; the weights may be on the meta device.

    Raises:
        ValueError: a layer does not reach the attention function, or its window is in the mask alone.
    """
    reader = _ShapeReader()
    ids = torch.zeros(1, 2, dtype=torch.long, device=model.device)
    with attached(model):
        _forward(model, ids, torch.arange(2, device=model.device)[None], reader)
    config = model.config.get_text_config()
    layers = config.num_hidden_layers
    if sorted(reader.shapes) != list(range(layers)):
        raise ValueError(f"{len(reader.shapes)} of {layers} layers reached the attention function")
    for layer, windowed in enumerate(_windows(config)):
        if windowed and reader.windows[layer] is None:
            raise ValueError(f"the window of layer {layer} is in its mask alone")
    return tuple(reader.shapes[i] for i in range(layers))


def _relative_error(model: PreTrainedModel, shapes: tuple[KVShape, ...]) -> float:
    vocabulary = model.config.get_text_config().vocab_size
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(0, vocabulary, (_ROWS, _PROMPT + _TAIL), generator=generator).to(model.device)
    ids[:, :_PROMPT] = ids[0, :_PROMPT]
    with detached(model):
        expected = model(ids, use_cache=False).logits.float()[:, _PROMPT - 1 :]
    with attached(model):
        got = _over_store(model, shapes, ids).float()
    centred = expected - expected.mean(dim=-1, keepdim=True)
    return float(((got - expected).norm(dim=-1) / centred.norm(dim=-1).clamp(min=1e-6)).amax())


def _over_store(model: PreTrainedModel, shapes: tuple[KVShape, ...], ids: Tensor) -> Tensor:
    device = model.device
    store = KVStore(
        shapes, shared_tokens=_PROMPT, rows=_ROWS, row_tokens=_TAIL, dtype=model.dtype, device=device
    )
    positions = torch.arange(_PROMPT, device=device)[None]
    state = PrefillState(store.layers, [PrefillPiece(0, _PROMPT, (), 0, 0)])
    last = _forward(model, ids[:1, :_PROMPT], positions, state)[:, -1:]
    logits = [last.expand(_ROWS, 1, -1)]
    segment = Segment(start=0, length=_PROMPT, row_start=0, row_stop=_ROWS, position=0)
    batch = DecodeBatch.build([segment], slots=range(_ROWS), own_starts=[_PROMPT] * _ROWS)
    prepared = prepare_batch(batch, device)
    for step in range(_TAIL):
        lens = torch.full((_ROWS,), step, dtype=torch.int32, device=device)
        at = torch.full((_ROWS, 1), _PROMPT + step, device=device)
        logits.append(
            _forward(model, ids[:, _PROMPT + step, None], at, DecodeState(store.layers, prepared, lens))
        )
    return torch.cat(logits, dim=1)


def _forward(
    model: PreTrainedModel, ids: Tensor, positions: Tensor, state: PrefillState | DecodeState
) -> Tensor:
    output: Any = model(input_ids=ids, position_ids=positions, use_cache=False, codesample_kv=state)
    logits: Tensor = output.logits
    return logits
