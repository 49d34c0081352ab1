"""A checkpoint whose weights are not exactly its model's is refused by their names."""

from __future__ import annotations

import re

import pytest
import torch
from safetensors.torch import load_file, save_file

from codesample.errors import ModelError
from codesample.sampling.checkpoint import load_checkpoint
from codesample.testing.models import random_model


def refused(path, *parts):
    with pytest.raises(ModelError) as error:
        load_checkpoint(path, device="cpu")
    said = str(error.value)
    assert str(path) in said
    assert "\n" not in said
    for part in parts:
        assert re.search(part, said), said


def test_a_missing_weight_is_named(folder):
    path = folder().weights(lambda w: w.pop("model.layers.1.mlp.down_proj.weight"))
    refused(path, r"1 weight of LlamaForCausalLM is not in the checkpoint: model\.layers\.1\.mlp\.down_proj")


def test_of_many_missing_weights_the_first_are_named_in_their_order(folder):
    path = folder().settings(num_hidden_layers=12)
    refused(
        path, r"81 weights .* are not in the checkpoint: model\.layers\.3\.", "and 78 more", "config.json"
    )


def test_a_missing_head_is_no_random_head(folder):
    refused(
        folder().weights(lambda w: w.pop("lm_head.weight")),
        r"LlamaForCausalLM has no language-modelling head \(lm_head\.weight is not",
    )


def test_a_head_that_is_the_embeddings_need_not_be_stored(folder):
    path = folder("gpt2").path
    assert "lm_head.weight" not in load_file(path / "model.safetensors")
    loaded = load_checkpoint(path, device="cpu").model
    assert loaded.get_output_embeddings().weight is loaded.get_input_embeddings().weight


def test_a_head_that_differs_from_the_embeddings_it_should_be_is_refused(folder):
    changed = folder("llama").settings(tie_word_embeddings=True)
    refused(changed, r"lm_head\.weight differs from model\.embed_tokens\.weight", "tie_word_embeddings")
    same = folder("llama", "same")
    same.settings(tie_word_embeddings=True)
    same.weights(lambda w: w.update({"lm_head.weight": w["model.embed_tokens.weight"].clone()}))
    assert load_checkpoint(same.path, device="cpu")


def test_a_weight_of_another_shape_is_named_with_both_shapes(folder):
    path = folder().settings(intermediate_size=80)
    refused(path, r"layers\.0\.mlp\.down_proj\.weight is \[64, 96\] .* and \[64, 80\]", "and so 8 more")


@pytest.mark.parametrize(
    "left_over",
    [
        "model.layers.0.self_attn.q_proj.bias",
        "model.layers.3.mlp.up_proj.weight",
        "model.layers.0.self_attn.q_norm.weight",
        "lm_head.bias",
        "something.else",
    ],
)
def test_a_weight_without_a_place_is_named(folder, left_over):
    path = folder().weights(lambda w: w.update({left_over: torch.ones(64)}))
    refused(path, rf"1 weight of the checkpoint has no place in LlamaForCausalLM: {re.escape(left_over)}")


def test_an_adapters_weights_among_the_models_are_no_small_matter(folder):
    path = folder().weights(
        lambda w: w.update({"model.layers.0.self_attn.q_proj.lora_A.weight": torch.ones(2, 64)})
    )
    refused(path, "q_proj.lora_A.weight", "merge the adapter")


@pytest.mark.parametrize(
    ("left_over", "settings"),
    [
        ("model.layers.0.self_attn.rotary_emb.inv_freq", {}),
        ("model.rotary_emb.cos_cached", {}),
        ("model.layers.0.self_attn.masked_bias", {}),
        ("mtp.fc.weight", {}),
        ("v_head.summary.weight", {}),
        ("model.layers.3.mlp.up_proj.weight", {"num_nextn_predict_layers": 1}),
    ],
)
def test_what_no_prediction_needs_may_be_left_over(folder, left_over, settings):
    made = folder()
    made.settings(**settings)
    assert load_checkpoint(made.weights(lambda w: w.update({left_over: torch.ones(64)})), device="cpu")


def test_a_bias_of_zeros_adds_nothing(folder):
    name = "model.layers.0.self_attn.q_proj.bias"
    assert load_checkpoint(folder().weights(lambda w: w.update({name: torch.zeros(64)})), device="cpu")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_weight_that_is_no_number_is_named(folder, value):
    def spoil(weights):
        weights["model.layers.2.mlp.up_proj.weight"][5, 7] = value

    refused(folder().weights(spoil), r"1 weight has values that are no finite.*layers\.2\.mlp\.up_proj")


def test_a_dtype_too_narrow_for_a_weight_is_found(folder):
    path = folder().weights(lambda w: w["model.norm.weight"].fill_(1e9))
    with pytest.raises(ModelError, match=r"model\.norm\.weight; .* dtype is too narrow"):
        load_checkpoint(path, device="cpu", dtype="float16")


@pytest.mark.parametrize(
    ("prefix", "said"),
    [("_orig_mod.", "compiled model; save model._orig_mod"), ("module.", "wrapped model; save model.module")],
)
def test_names_that_a_wrapper_gave_say_which(folder, prefix, said):
    made = folder()
    found = load_file(made.path / "model.safetensors")
    save_file({prefix + key: value for key, value in found.items()}, made.path / "model.safetensors")
    refused(made.path, said)


def test_transformers_prints_no_table_of_its_own(folder, caplog):
    refused(folder().weights(lambda w: w.pop("model.norm.weight")), r"model\.norm\.weight")
    assert "LOAD REPORT" not in caplog.text


@pytest.mark.parametrize("architecture", ["llama", "gpt2", "gpt_neox", "opt", "bloom", "phi3", "gpt_bigcode"])
def test_what_save_pretrained_wrote_is_whole(folder, architecture):
    loaded = load_checkpoint(folder(architecture).path, device="cpu").model.state_dict()
    for key, value in random_model(architecture).state_dict().items():
        assert torch.equal(loaded[key], value), key
