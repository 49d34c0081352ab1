"""Turns keys that have their positions already to others: rotations add up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from transformers import PreTrainedModel

from codesample.errors import ParameterError
from codesample.kernels.bifurcated_decode import LayerStore, ScoreOptions
from codesample.sampling.attention_hook import attached
from codesample.sampling.kv_store import KVShape
from codesample.sampling.prefill import run_pass
from codesample.sampling.prefill_attention import attend_causally

__all__ = ["RotaryShift"]

# tokens that are tried, and by how many positions
_TRIED, _BY = 12, 41
# of the largest value of a layer's keys; half-precision keys are rounded twice
_WITHIN = 0.05


class RotaryShift:
    """The rotation of a model's keys, where one with few words describes it.

    Args:
        frequencies: [R / 2], of the first R dimensions of each head, whose halves are turned by pairs.
    """

    def __init__(self, frequencies: Tensor) -> None:
        self._frequencies = frequencies.detach().float()

    @classmethod
    def of(cls, model: PreTrainedModel, shapes: Sequence[KVShape], *, name: str) -> RotaryShift:
        """Find a model's rotation, and try it on a few tokens in all of its layers.

        Raises:
            ParameterError: keys of some layer do not turn so; names the model and the layer.
        """
        found = [each for label, each in model.named_buffers() if label.split(".")[-1] == "inv_freq"]
        if not found or any(not torch.equal(each, found[0]) for each in found):
            raise ParameterError(
                f"{name!r} has {'several kinds of' if found else 'no'} rotary positions, and keys that are "
                "kept of a long prompt have to be turned to others; leave prefill=cascade out"
            )
        shift = cls(found[0])
        here, there = (shift._keys_at(model, shapes, begin) for begin in (0, _BY))
        at = torch.arange(_TRIED, device=model.device)
        for layer, (before, after) in enumerate(zip(here, there, strict=True)):
            turned = shift.turned(before, at, at + _BY)
            if (turned - after).abs().max() > _WITHIN * after.abs().max():
                raise ParameterError(
                    f"keys of layer {layer} of {name!r} do not turn as its rotary frequencies say, and those "
                    "that are kept of a long prompt have to be turned; leave prefill=cascade out"
                )
        return shift

    @staticmethod
    @torch.inference_mode()
    def _keys_at(model: PreTrainedModel, shapes: Sequence[KVShape], begin: int) -> list[Tensor]:
        none = torch.empty(0)
        state = _Recorded([LayerStore(none, none, none, none) for _ in shapes])
        ids = list(range(1, 1 + _TRIED))
        with attached(model):
            run_pass(model, ids, range(begin, begin + _TRIED), state, [])
        return [state.keys[layer] for layer in sorted(state.keys)]

    def turned(self, keys: Tensor, were: Tensor, now: Tensor) -> Tensor:
        """Return keys [G, N, D] in at least float32, turned from their positions [N] to others.

        Angles are products in float32, as models take them, and what is left of the two is exact.
        """
        turns = self._frequencies.to(keys.device)
        was, will = (at.float()[:, None] * turns for at in (were, now))
        angles = will.double() - was.double()
        wide = torch.promote_types(keys.dtype, torch.float32)
        cos, sin = angles.cos().to(wide), angles.sin().to(wide)
        half = len(turns)
        one, other, rest = keys.to(wide).split([half, half, keys.shape[2] - 2 * half], dim=2)
        return torch.cat([one * cos - other * sin, other * cos + one * sin, rest], dim=2)


@dataclass
class _Recorded:
    layers: Sequence[LayerStore]
    reached: set[int] = field(default_factory=set)
    keys: dict[int, Tensor] = field(default_factory=dict)

    def attend(self, layer: int, q: Tensor, k: Tensor, v: Tensor, scores: ScoreOptions) -> Tensor:
        """Attend to all before; see `PassState`."""
        self.reached.add(layer)
        self.keys[layer] = k[0]
        return attend_causally(q[0], k[0], v[0], scores)[None]
