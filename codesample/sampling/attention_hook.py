"""How the KV store reaches every architecture: an attention function registered with transformers.

A model whose attention goes through `transformers.AttentionInterface` is called with
`use_cache=False`, explicit positions and `codesample_kv=...`, which its layers pass on to the
function below. There the new keys and values are stored and the queries attend to what their rows see.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary, WeakSet

import torch
from torch import Tensor
from transformers import AttentionInterface, PreTrainedConfig, PreTrainedModel

from codesample.errors import ModelError
from codesample.kernels.bifurcated_decode import (
    BlockPattern,
    LayerStore,
    PreparedBatch,
    ScoreOptions,
    bifurcated_decode,
)
from codesample.policies.cascade import CascadeStep
from codesample.policies.prefill.prefill_policy import PrefillAsk
from codesample.policies.prefill.prefill_reads import PrefillReads
from codesample.policies.prompt_tails import PromptTails
from codesample.sampling.hosts.spread import Spread
from codesample.sampling.prefill_attention import attend_causally, attend_in_stretches
from codesample.sampling.prefill_storing import PrefillPiece, compare_stored, stored_keys
from codesample.sampling.turn_lock import TurnLock

__all__ = [
    "IN_BF16",
    "NAME",
    "DecodeState",
    "PrefillPiece",
    "PrefillState",
    "attached",
    "check_arguments",
    "detached",
    "in_use",
    "looked_at_anew",
    "settle_on_eager",
    "wanted_by_others",
]

NAME = "codesample_bifurcated"
IN_BF16 = "codesample_bifurcated_in_bf16"
"""Of the same attention with `ScoreOptions.in_bf16`, for models whose layers keep no more digits either."""

_WITHOUT_EFFECT = frozenset(
    {
        # the keys and queries handed in have their positions already, and the store knows them
        "position_ids",
        "cache_position",
        # what the model does with the result, or which of its kernels it prefers
        "use_cache",
        "output_hidden_states",
        "output_router_logits",
        "return_dict",
        "deterministic",
        # checked against the layer's own, and against what is seen of its masks
        "is_causal",
    }
)
"""Keywords of attention functions that may have any value."""


@dataclass
class PrefillState:
    """Queries are prompt tokens packed into one row, [1, H, T, D]; `reached` collects the layers seen.

    `tails` is told of each piece's queries; `reads` says which keys they attend to. Default: all. `pattern`
    is that of the model, where it has one.
    """

    layers: Sequence[LayerStore]
    pieces: Sequence[PrefillPiece]
    reached: set[int] = field(default_factory=set)
    tails: PromptTails | None = None
    reads: PrefillReads | None = None
    pattern: BlockPattern | None = None

    def attend(self, layer: int, q: Tensor, k: Tensor, v: Tensor, scores: ScoreOptions) -> Tensor:
        """Store k and v, each [1, G, T, D], and return the attention output, [1, T, H, D]."""
        self.reached.add(layer)
        store = self.layers[layer]
        pattern = None if self.pattern is None or self.pattern.is_dense(layer) else self.pattern
        out = torch.empty(1, q.shape[2], q.shape[1], v.shape[3], dtype=q.dtype, device=q.device)
        for piece in self.pieces:
            own = slice(piece.begin, piece.end)
            keys, values = stored_keys(store, piece, k[0, :, own], v[0, :, own])
            queries = q[0, :, own]
            if self.reads is None:
                out[0, own] = attend_causally(queries, keys, values, scores, pattern)
            else:
                stop = sum(n for _, n in piece.parents) + piece.length
                stretches = self.reads.stretches(PrefillAsk(piece.start, layer, queries, keys, stop, scores))
                out[0, own] = attend_in_stretches(queries, keys, values, scores, stretches)
            storage = self.tails.storage if self.tails is not None else None
            if storage is not None and storage.audit and store.packed is not None and self.reads is None:
                compare_stored(store, piece, queries, out[0, own], scores, pattern, storage)
            if self.tails is not None:
                self.tails.hear(piece.start, layer, q[0, :, own], scores)
        return out


@dataclass
class DecodeState:
    """Queries are one token per live row, [R, H, 1, D]; see `bifurcated_decode` for `prepared` and `lens`.

    `spread` says over which processes the prompts' keys are spread. Default: all are here. `own` is told of
    each layer's attention where rows keep a bounded number of own tokens.
    """

    layers: Sequence[LayerStore]
    prepared: PreparedBatch
    lens: Tensor
    spread: Spread | None = None
    own: CascadeStep | None = None

    def attend(self, layer: int, q: Tensor, k: Tensor, v: Tensor, scores: ScoreOptions) -> Tensor:
        """Store k and v, each [R, G, 1, D], and return the attention output, [R, 1, H, D]."""
        q, k, v = (x.transpose(1, 2) for x in (q, k, v))
        store = self.layers[layer]
        if self.spread is not None:
            return self.spread.attended((q, k, v), store, self.prepared, self.lens, scores)
        result = bifurcated_decode(q, k, v, store, self.prepared, self.lens, scores)
        if self.own is not None:
            self.own.attended(layer, q, result.lse, scores)
        return result.out


def check_arguments(module: torch.nn.Module, others: Mapping[str, Any]) -> None:
    """Refuse what an attention layer asks for besides scale, window, soft cap and sinks.

    Args:
        module: The layer.
        others: The keywords that it calls its attention function with, without those four.

    Raises:
        ModelError: one of them, or the layer itself, asks for something that is not computed here.
    """
    name = type(module).__name__
    causal = others.get("is_causal")
    if not (getattr(module, "is_causal", True) if causal is None else causal):
        raise ModelError(f"{name} lets tokens attend to later ones")
    for key, value in others.items():
        # identity, because comparing a tensor gives a tensor
        if value is None or value is False or key in _WITHOUT_EFFECT:
            continue
        if key == "dropout" and value == 0:
            continue
        raise ModelError(f"{name} asks its attention function for {key}, which is not computed here")


def _attention(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    sliding_window: int | None = None,
    softcap: float | None = None,
    s_aux: Tensor | None = None,
    codesample_kv: PrefillState | DecodeState | None = None,
    in_bf16: bool = False,
    **others: Any,
) -> tuple[Tensor, None]:
    if codesample_kv is None:
        raise RuntimeError(f"{type(module).__name__} did not pass codesample_kv on to its attention function")
    if attention_mask is not None:
        raise ModelError(f"{type(module).__name__} hands in a mask of its own, which is not computed here")
    check_arguments(module, others)
    layer = int(module.layer_idx)  # type: ignore[arg-type]
    scores = ScoreOptions(scaling, sliding_window, softcap, s_aux, in_bf16)
    return codesample_kv.attend(layer, query, key, value, scores), None


# transformers builds no mask for an implementation that registers no mask function
AttentionInterface.register(NAME, torch.compiler.disable(_attention))
AttentionInterface.register(IN_BF16, torch.compiler.disable(partial(_attention, in_bf16=True)))


# per model: who has it, the configurations that name its attention, and what they named, innermost last
_LOCKS: WeakKeyDictionary[PreTrainedModel, TurnLock] = WeakKeyDictionary()
_CONFIGS: WeakKeyDictionary[PreTrainedModel, list[PreTrainedConfig]] = WeakKeyDictionary()
_BEFORE: WeakKeyDictionary[PreTrainedModel, list[list[str]]] = WeakKeyDictionary()
# models whose own attention is the eager one, whatever their configurations name
_EAGER: WeakSet[PreTrainedModel] = WeakSet()


@contextmanager
def attached(model: PreTrainedModel, name: str = NAME) -> Iterator[None]:
    """Route the model's attention through this module, in evaluation mode, and put back what was before.

    Another thread that attaches the same model waits.

    Args:
        model: Whose attention to route.
        name: Of an attention function that is registered with transformers. Default: this module's, exact.

    Raises:
        ModelError: the architecture has attention of its own that cannot be replaced.
    """
    with _alone(model):
        if model not in _CONFIGS:
            # asked for here because transformers would only log a warning and go on
            can_replace = getattr(model, "_can_set_attn_implementation", None)
            if can_replace is not None and not can_replace():
                raise ModelError("its attention cannot be replaced")
            parts = [model, *(m for m in model.modules() if isinstance(m, PreTrainedModel))]
            _CONFIGS[model] = list({id(part.config): part.config for part in parts}.values())
        configs, before = _CONFIGS[model], _BEFORE.setdefault(model, [])
        before.append([str(config._attn_implementation) for config in configs])
        _name(configs, [name] * len(configs))
        try:
            yield
        finally:
            _name(configs, before.pop())


@contextmanager
def detached(model: PreTrainedModel) -> Iterator[None]:
    """Call the model with its own attention, in evaluation mode; inside of `attached` too, as callbacks do.

    Another thread that attaches the same model waits.
    """
    with _alone(model):
        before = _BEFORE.get(model)
        if not before and model not in _EAGER:
            yield
            return
        configs = _CONFIGS[model]
        now = [str(config._attn_implementation) for config in configs]
        _name(configs, ["eager"] * len(configs) if model in _EAGER or not before else before[-1])
        try:
            yield
        finally:
            _name(configs, now)


def in_use(model: PreTrainedModel) -> bool:
    """Whether another thread has attached or detached the model."""
    lock = _LOCKS.get(model)
    return lock is not None and lock.held_elsewhere


def wanted_by_others(model: PreTrainedModel) -> bool:
    """Whether another thread waits to attach or detach the model."""
    lock = _LOCKS.get(model)
    return lock is not None and lock.wanted


def settle_on_eager(model: PreTrainedModel) -> None:
    """Let `detached` call the model with eager attention from now on; it must have been attached before."""
    _EAGER.add(model)


@contextmanager
def looked_at_anew(model: PreTrainedModel) -> Iterator[None]:
    """Keep other threads away, and let the next look settle what is the model's own attention."""
    with _LOCKS.setdefault(model, TurnLock()):
        if not _BEFORE.get(model):
            _CONFIGS.pop(model, None)
            _EAGER.discard(model)
        yield


def _in_training(model: torch.nn.Module) -> list[torch.nn.Module]:
    # `modules()` takes ten times as long, as long as a small model's layer
    found, left = [], [model]
    while left:
        module = left.pop()
        if module.training:
            found.append(module)
        left.extend(child for child in module._modules.values() if child is not None)
    return found


@contextmanager
def _alone(model: PreTrainedModel) -> Iterator[None]:
    """Keep other threads away, on the model's GPU and with none of its modules in training mode."""
    device = model.device
    # kernels, events and graphs of our own go to the current GPU, which need not be the model's
    here = torch.cuda.device(device) if device.type == "cuda" else nullcontext()
    with _LOCKS.setdefault(model, TurnLock()), here:
        training = _in_training(model)
        for module in training:
            module.training = False
        try:
            yield
        finally:
            for module in training:
                module.training = True


def _name(configs: Sequence[PreTrainedConfig], names: Sequence[str]) -> None:
    # set_attn_implementation walks all modules, milliseconds of a deep model's step
    for config, name in zip(configs, names, strict=True):
        config._attn_implementation = name
