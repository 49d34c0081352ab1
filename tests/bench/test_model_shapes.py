"""Sizes of known models agree wherever they are named."""

import pytest

from codesample.bench.model_shapes import DECODERS, HEADS
from codesample.bench.random_models import SHAPES


def test_a_name_means_the_same_heads_everywhere():
    for name in DECODERS.keys() & HEADS.keys():
        shape = DECODERS[name]
        assert (shape.heads, shape.kv_heads, shape.width) == HEADS[name]
    for name in SHAPES.keys() & HEADS.keys():
        config = SHAPES[name]
        width = config.hidden_size // config.num_attention_heads
        assert (config.num_attention_heads, config.num_key_value_heads, width) == HEADS[name]


@pytest.mark.parametrize(("name", "billions"), [("7b-mha", 6.6), ("mistral-7b", 7.1)])
def test_bytes_of_weights_and_of_keys_and_values(name, billions):
    shape = DECODERS[name]
    assert round(shape.weight_bytes(2) / 2e9, 1) == billions
    # half a megabyte for each token of Llama 2 7B in two bytes
    assert shape.kv_bytes(8, 2) == 8 * 2**17 * shape.kv_heads // 8
