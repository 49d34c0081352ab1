from contextlib import contextmanager

import pytest
import torch

from codesample.errors import ModelError
from codesample.sampling.attention_hook import NAME, attached, check_arguments, detached
from codesample.sampling.attention_probe import probe_shared_path
from codesample.testing.models import random_model


@contextmanager
def asking(model, **extra):
    """Let the model's last layer ask for more of attention functions that are not its own."""
    layer = model.model.layers[-1].self_attn
    forward = layer.forward
    layer.forward = lambda *args, codesample_kv=None, **kwargs: forward(
        *args, **(kwargs if codesample_kv is None else kwargs | extra | {"codesample_kv": codesample_kv})
    )
    try:
        yield
    finally:
        layer.forward = forward


@pytest.mark.parametrize(
    ("extra", "reason"),
    [
        ({"head_mask": torch.ones(4)}, "head_mask"),
        ({"position_bias": torch.zeros(1)}, "position_bias"),
        ({"block_indices": [0]}, "block_indices"),
        ({"dropout_p": 0.5}, "dropout_p"),
        ({"something_of_next_year": 0}, "something_of_next_year"),
        ({"attention_mask": torch.zeros(1, 1, 1, 1)}, "a mask of its own"),
        ({"attention_mask": {"full_attention": None}}, "a mask of its own"),
        ({"is_causal": False}, "attend to later ones"),
    ],
)
def test_what_is_not_computed_leads_to_the_ordinary_path_by_name(extra, reason):
    model = random_model("llama")
    with asking(model, **extra):
        found = probe_shared_path(model)
    assert not found.kv_shapes
    assert reason in found.notice
    assert "LlamaAttention" in found.notice


@pytest.mark.parametrize(
    "extra",
    [
        {"head_mask": None, "cu_seq_lens_q": None, "output_attentions": False},
        {"is_causal": True, "position_ids": torch.zeros(1, 3), "use_cache": True},
        {"cache_position": torch.arange(2), "deterministic": True},
    ],
)
def test_what_asks_for_nothing_is_no_reason(extra):
    model = random_model("llama")
    with asking(model, **extra):
        assert probe_shared_path(model).kv_shapes


def test_dropout_counts_where_it_drops():
    layer = torch.nn.Identity()
    check_arguments(layer, {"dropout": 0.0})
    with pytest.raises(ModelError, match="dropout"):
        check_arguments(layer, {"dropout": 0.1})


def test_a_layer_that_is_not_causal_is_refused_unless_it_asks_otherwise():
    layer = torch.nn.Identity()
    layer.is_causal = False
    with pytest.raises(ModelError, match="later ones"):
        check_arguments(layer, {})
    check_arguments(layer, {"is_causal": True})


def test_a_mask_that_comes_after_the_load_is_an_error_and_no_number(llama):
    with asking(llama, attention_mask=torch.ones(1, 1, 2, 2)), attached(llama):
        state = type("State", (), {"attend": lambda self, layer, q, *_: q.transpose(1, 2)})()
        with pytest.raises(ModelError, match="a mask of its own"):
            llama(torch.zeros(1, 2, dtype=torch.long), use_cache=False, codesample_kv=state)


def test_what_is_attached_inside_is_put_back(llama):
    own = llama.config._attn_implementation
    with attached(llama):
        with detached(llama):
            assert llama.config._attn_implementation == own
        assert llama.config._attn_implementation == NAME
    assert llama.config._attn_implementation == own
