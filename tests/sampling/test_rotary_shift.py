"""Keys turned to other positions are those that the model makes there; other rotations are refused."""

from __future__ import annotations

import pytest
import torch

from codesample.errors import ParameterError
from codesample.sampling.layer_masks import layer_shapes
from codesample.sampling.rotary_shift import RotaryShift
from codesample.testing.models import random_model


@pytest.mark.parametrize("architecture", ["llama", "qwen3", "gpt_neox", "phi3", "starcoder2"])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_a_models_own_rotation_is_found(architecture: str, dtype: torch.dtype) -> None:
    model = random_model(architecture).to(dtype)
    shift = RotaryShift.of(model, layer_shapes(model), name=architecture)
    at = torch.arange(12)
    here, there = (shift._keys_at(model, layer_shapes(model), begin) for begin in (0, 300))
    within = {torch.float64: 1e-4, torch.float32: 1e-3, torch.bfloat16: 0.05}[dtype]
    for before, after in zip(here, there, strict=True):
        assert (before - after).abs().max() > 0.2 * after.abs().max()
        assert (shift.turned(before, at, at + 300) - after).abs().max() < within * after.abs().max()


def test_there_and_back_is_where_it_was() -> None:
    shift = RotaryShift(10000 ** -(torch.arange(4) / 4))
    keys = torch.randn(2, 5, 11, dtype=torch.float64)
    were, now = torch.tensor([0, 3, 9, 70, 71]), torch.tensor([9000, 3, 2, 0, 1])
    assert (shift.turned(shift.turned(keys, were, now), now, were) - keys).abs().max() < 1e-12
    assert torch.equal(shift.turned(keys, were, now)[..., 8:], keys[..., 8:])


def test_what_has_no_rotation_or_another_one_is_refused() -> None:
    gpt = random_model("gpt2")
    with pytest.raises(ParameterError, match="no rotary positions"):
        RotaryShift.of(gpt, layer_shapes(gpt), name="gpt2")
    llama = random_model("llama")
    # the second layer turns by other angles than the buffer says
    layer = llama.model.layers[1].self_attn

    def otherwise(_: object, given: tuple, named: dict) -> tuple:
        cos, sin = named["position_embeddings"]
        return given, named | {"position_embeddings": (cos, -sin)}

    layer.register_forward_pre_hook(otherwise, with_kwargs=True)
    with pytest.raises(ParameterError, match="layer 1 of 'odd' do not turn"):
        RotaryShift.of(llama, layer_shapes(llama), name="odd")
