"""What each layer stores per token, and which earlier tokens its mask lets through at any distance.

transformers describes a mask by a function of two positions, which a model's layers share or each have of
their own. Two tokens are enough to run a model through its layers; the function is asked about positions
far beyond them. So a window, a chunk or a block is seen however long it is, and whether the layer names it
to its attention function or leaves it to the mask alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel

from codesample.errors import ModelError
from codesample.sampling.attention_hook import attached, check_arguments
from codesample.sampling.kv_store import KVShape

__all__ = ["layer_shapes", "windows_of"]

_NAME = "codesample_layer_reader"
# masks are made of positions, which have no numbers on the meta device
_WITHOUT_MASKS = f"{_NAME}_without_masks"
# positions that masks are asked about, besides those around every number of the configuration
_FIRST, _LARGEST = 40, 1 << 21
# a longer list in a configuration is of tokens or weights
_LIST = 64


def layer_shapes(model: PreTrainedModel) -> tuple[KVShape, ...]:
    """Return what each layer stores per token; the weights may be on the meta device, and masks are not seen.

    Raises:
        ModelError: a layer does not reach the attention function, or asks for what is not computed there:
            a mask other than that of all earlier tokens or of a window that it names, or other arguments.
    """
    config, reader = model.config.get_text_config(), _read(model)
    layers = config.num_hidden_layers
    if sorted(reader.shapes) != list(range(layers)):
        raise ModelError(f"{len(reader.shapes)} of {layers} layers reached the attention function")
    for layer, windowed in enumerate(_windows(config)):
        if windowed and reader.windows[layer] is None:
            raise ModelError(f"the window of layer {layer} is in its mask alone")
    return tuple(reader.shapes[i] for i in range(layers))


def windows_of(model: PreTrainedModel) -> dict[int, int]:
    """Return the windows of the layers that have one, in tokens, by the layer's number.

    Raises:
        ModelError: see `layer_shapes`.
    """
    return {layer: window for layer, window in _read(model).windows.items() if window is not None}


def _read(model: PreTrainedModel) -> _LayerReader:
    reader = _LayerReader(_positions(model.config.get_text_config()))
    ids = torch.zeros(1, 2, dtype=torch.long, device=model.device)
    with attached(model, _WITHOUT_MASKS if model.device.type == "meta" else _NAME):
        model(
            input_ids=ids,
            position_ids=torch.arange(2, device=model.device)[None],
            use_cache=False,
            codesample_kv=reader,
        )
    return reader


class _LayerReader:
    """Notes each layer's key shape and window; what queries attend to is nothing.

    Args:
        positions: [P], ascending, at which masks are given.
    """

    def __init__(self, positions: Tensor) -> None:
        self.positions = positions
        self.shapes: dict[int, KVShape] = {}
        self.windows: dict[int, int | None] = {}

    def meet(self, module: torch.nn.Module, mask: Any, window: int | None) -> None:
        """Refuse a layer whose mask is not that of all earlier tokens, or of the window it names."""
        name, layer = type(module).__name__, int(module.layer_idx)  # type: ignore[arg-type]
        self.windows[layer] = window
        if mask is None:
            return
        at = self.positions
        behind = at[:, None] - at[None, :]
        causal = behind >= 0
        expected = causal if window is None else causal & (behind < window)
        if getattr(mask, "shape", None) != (1, 1, *expected.shape):
            raise ModelError(f"{name} hands in a mask of its own, which is not computed here")
        if torch.equal(mask[0, 0].cpu(), expected):
            return
        if (mask[0, 0].cpu() & ~causal).any():
            raise ModelError(f"{name} lets tokens attend to later ones")
        if window is None:
            raise ModelError(f"the window of layer {layer} is in its mask alone")
        raise ModelError(f"the mask of layer {layer} is not that of its window of {window} tokens")


def _positions(config: Any) -> Tensor:
    """Return positions around which a mask may change: small ones, powers of two, numbers of the config."""
    numbers = {*range(_FIRST), *(1 << n for n in range(_LARGEST.bit_length()))}
    numbers |= {int(n) for n in _numbers_of(config.to_dict()) if 0 < n < _LARGEST}
    around = {n + step for n in numbers for step in (-1, 0, 1)}
    return torch.tensor(sorted(n for n in around if n >= 0))


def _numbers_of(settings: Any) -> set[int]:
    if isinstance(settings, Mapping):
        return {n for value in settings.values() for n in _numbers_of(value)}
    if isinstance(settings, list | tuple):
        return {n for value in settings[:_LIST] for n in _numbers_of(value)}
    return {settings} if type(settings) is int else set()


def _windows(config: Any) -> list[bool]:
    """Whether the configuration gives each layer a window."""
    layers: int = config.num_hidden_layers
    if not getattr(config, "sliding_window", None) or getattr(config, "use_sliding_window", None) is False:
        return [False] * layers
    kinds = getattr(config, "layer_types", None) or ["sliding_attention"] * layers
    return [kind == "sliding_attention" for kind in kinds]


def _read_layer(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Any,
    scaling: float | None = None,
    sliding_window: int | None = None,
    softcap: float | None = None,
    s_aux: Tensor | None = None,
    codesample_kv: _LayerReader | None = None,
    **others: Any,
) -> tuple[Tensor, None]:
    if codesample_kv is None:
        raise ModelError(f"{type(module).__name__} did not pass codesample_kv on to its attention function")
    check_arguments(module, others)
    codesample_kv.meet(module, attention_mask, sliding_window)
    if key.shape[-1] != value.shape[-1]:
        raise ModelError(f"keys are {key.shape[-1]} wide and values {value.shape[-1]}")
    codesample_kv.shapes[int(module.layer_idx)] = KVShape(key.shape[1], key.shape[-1])  # type: ignore[arg-type]
    return value.new_zeros(1, query.shape[2], query.shape[1], value.shape[-1]), None


def _mask_of(*_: Any, mask_function: Any, config: Any, **__: Any) -> Tensor:
    """Return which keys, last, a query sees, [1, 1, P, P] bool, at `_positions`."""
    at, first = _positions(config.get_text_config()), torch.zeros((), dtype=torch.long)
    seen = torch.as_tensor(mask_function(first, first, at[:, None], at[None, :]), dtype=torch.bool)
    return seen.expand(1, 1, len(at), len(at)).clone()


AttentionInterface.register(_NAME, _read_layer)
AttentionInterface.register(_WITHOUT_MASKS, _read_layer)
AttentionMaskInterface.register(_NAME, _mask_of)
