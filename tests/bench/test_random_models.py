"""Random checkpoints are the same each time and never end a candidate."""

import pytest
import torch
from torch.overrides import TorchFunctionMode
from transformers import LlamaConfig

from codesample.bench.random_models import SHAPES, random_checkpoint


@pytest.mark.usefixtures("small")
def test_a_checkpoint_repeats_and_has_no_end():
    first, second = (
        random_checkpoint("small", device=torch.device("cpu"), dtype=torch.bfloat16) for _ in range(2)
    )
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
    assert first.dtype == torch.bfloat16
    assert first.generation_config.eos_token_id is None
    assert not first.training


def test_the_7b_shape_is_the_published_one():
    config = SHAPES["7b-mha"]
    assert isinstance(config, LlamaConfig)
    assert (config.hidden_size, config.intermediate_size, config.num_hidden_layers) == (4096, 11008, 32)
    assert (config.num_attention_heads, config.num_key_value_heads) == (32, 32)
    assert (config.vocab_size, config.max_position_embeddings) == (32000, 65536)


@pytest.mark.parametrize("shape", [name for name in SHAPES if "7b" in name])
def test_weights_are_made_on_the_device(shape):
    """On "meta" there is no memory: what is made elsewhere first would show."""
    made = []

    class Watch(TorchFunctionMode):
        def __torch_function__(self, func, types, args=(), kwargs=None):
            result = func(*args, **(kwargs or {}))
            if isinstance(result, torch.Tensor) and result.device.type == "cpu":
                made.append(result.numel())
            return result

    with Watch():
        model = random_checkpoint(shape, device=torch.device("meta"), dtype=torch.bfloat16)
    assert {weight.device.type for weight in (*model.parameters(), *model.buffers())} == {"meta"}
    assert sum(weight.numel() for weight in model.parameters()) > 6.5e9
    assert sum(made) < 1e6
