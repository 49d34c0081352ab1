"""Does a model give the reference's logits when its attention runs over the KV store?

Some architectures ignore the attention setting without a word, some drop the argument that carries
the store, some have attention this toolkit does not compute. Rather than keep a list, each load runs
a short prompt both ways. What only a long prompt would show is asked for: of masks, their own functions
(see `layer_masks`), and of the configuration, whether rotary frequencies change with the longest sequence of
a pass.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor
from transformers import PreTrainedModel

from codesample.errors import ModelError
from codesample.kernels.bifurcated_decode import DecodeBatch, Segment, prepare_batch
from codesample.sampling.attention_hook import DecodeState, PrefillPiece, PrefillState, attached, detached
from codesample.sampling.kv_store import KVShape, KVStore
from codesample.sampling.layer_masks import layer_shapes

__all__ = ["Probed", "probe_shared_path"]

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
    except ModelError as refused:
        return Probed((), f"{name} cannot be served from the shared store: {refused}", switch)
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
