import pytest
from transformers import CONFIG_MAPPING, LlamaConfig

from codesample.sampling.attention_probe import probe_shared_path
from codesample.sampling.config_doubts import distances, doubts
from codesample.testing.models import ARCHITECTURES, random_model


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("local_block_size", 4096),
        ("use_logn_attn", True),
        ("use_dynamic_ntk", True),
        ("alibi", True),
        ("alibiBias", 8),
        ("landmark_every", 63),
        ("attn_temperature_tuning", True),
        ("sink_tokens", 4),
        ("index_topk", 2048),
        ("prefix_lm", True),
    ],
)
def test_a_setting_that_speaks_of_attention_in_unknown_words_leads_to_the_ordinary_path(name, value):
    model = random_model("llama")
    setattr(model.config, name, value)
    assert name in doubts(model.config)
    found = probe_shared_path(model)
    assert not found.kv_shapes
    assert f"its setting {name} = {value!r} is unknown here" in found.notice
    for nothing in (None, False, 0, [], {}):
        setattr(model.config, name, nothing)
        assert not doubts(model.config)


def test_settings_about_something_else_are_no_doubts():
    assert not doubts(LlamaConfig(norm_topk_prob=True, router_jitter=0.1, favourite_colour="blue"))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_common_models_raise_none(architecture):
    assert not doubts(ARCHITECTURES[architecture])


@pytest.mark.parametrize(
    "model_type", ["mixtral", "qwen3_moe", "gemma3_text", "olmo3", "cohere2", "gpt_oss", "exaone4"]
)
def test_nor_do_those_with_windows_and_experts(model_type):
    if model_type not in CONFIG_MAPPING:
        pytest.skip(f"transformers has no {model_type} in this version")
    assert not doubts(CONFIG_MAPPING[model_type]())


def test_rotary_positions_of_an_unknown_kind_or_setting_are_doubted():
    config = LlamaConfig()
    config.rope_parameters = {"rope_type": "spiral", "rope_theta": 1e4}
    assert "the unknown kind 'spiral'" in doubts(config)
    config.rope_parameters = {"rope_type": "default", "rope_theta": 1e4, "twist": 2}
    assert "its rotary setting twist" in doubts(config)
    kinds = {"full_attention": {"rope_type": "default"}, "sliding_attention": {"rope_type": "helix"}}
    config.rope_parameters = kinds
    assert "'helix'" in doubts(config)


def test_distances_are_what_windows_and_chunks_say():
    config = LlamaConfig()
    config.attention_chunk_size, config.sliding_window, config.window = 64, 128, None
    assert sorted(distances(config)) == [64, 128]
