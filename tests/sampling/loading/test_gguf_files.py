"""GGUF files: the numbers of the model that they were written from, or a refusal by name."""

from __future__ import annotations

import sys
from operator import itemgetter

import gguf
import numpy as np
import pytest
import torch
from gguf import GGMLQuantizationType as Kind
from transformers import LlamaConfig
from transformers.models.auto import AutoModelForCausalLM

from codesample import Sampler
from codesample.errors import ModelError
from codesample.sampling.checkpoint import load_checkpoint, load_without_weights
from codesample.testing.models import byte_tokenizer

CONFIG = LlamaConfig(
    vocab_size=259,
    bos_token_id=256,
    eos_token_id=257,
    pad_token_id=258,
    hidden_size=64,
    intermediate_size=96,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    max_position_embeddings=512,
    rms_norm_eps=1e-5,
)
PLACES = {
    "model.embed_tokens": "token_embd",
    "model.norm": "output_norm",
    "lm_head": "output",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


def original():
    torch.manual_seed(3)
    model = AutoModelForCausalLM.from_config(CONFIG)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn_like(parameter) * 0.2 + (parameter.dim() == 1))
    return model.eval()


def file_name(key):
    for theirs, place in PLACES.items():
        key = key.replace(theirs, place)
    return key.replace("model.layers.", "blk.")


def interleaved(weight, heads):
    """Order the rows of a query or key matrix as llama.cpp rotates them: pairs side by side."""
    return weight.reshape(heads, 2, weight.shape[0] // heads // 2, -1).swapaxes(1, 2).reshape(weight.shape)


@pytest.fixture
def write(tmp_path):
    """Write a model as a GGUF file; return the file and the weights that it then holds."""

    def save(model, kind=Kind.F32, *, edit=lambda tensors: None, settings=lambda writer: None, tokens=True):
        path = tmp_path / f"m-{kind.name}.gguf"
        writer = gguf.GGUFWriter(path, "llama")
        writer.add_name("m")
        config = model.config
        writer.add_context_length(config.max_position_embeddings)
        writer.add_embedding_length(config.hidden_size)
        writer.add_block_count(config.num_hidden_layers)
        writer.add_feed_forward_length(config.intermediate_size)
        writer.add_head_count(config.num_attention_heads)
        writer.add_head_count_kv(config.num_key_value_heads)
        writer.add_layer_norm_rms_eps(config.rms_norm_eps)
        writer.add_rope_dimension_count(config.head_dim)
        writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
        writer.add_vocab_size(config.vocab_size)
        settings(writer)
        if tokens:
            add_tokens(writer)
        held, tensors = {}, {}
        for key, value in model.state_dict().items():
            weight, packed = value.numpy().copy(), kind if value.dim() > 1 else Kind.F32
            heads = {"q_proj": config.num_attention_heads, "k_proj": config.num_key_value_heads}
            count = next((heads[part] for part in heads if part in key), None)
            stored = weight if count is None else interleaved(weight, count)
            data = gguf.quants.quantize(np.ascontiguousarray(stored), packed)
            tensors[file_name(key)] = (data, packed)
            # a row is packed by itself, so that the rows of the original are packed alike in their order
            held[key] = torch.from_numpy(gguf.quants.dequantize(gguf.quants.quantize(weight, packed), packed))
        edit(tensors)
        for name, (data, packed) in tensors.items():
            writer.add_tensor(name, data, raw_dtype=packed)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        return path, held

    return save


def add_tokens(writer):
    vocabulary = byte_tokenizer().get_vocab()
    # a merge has to be there, and its word; it stands in the place of a byte that no text here has
    words = ["ab" if id_ == 255 else word for word, id_ in sorted(vocabulary.items(), key=itemgetter(1))]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("llama-bpe")
    writer.add_token_list(words)
    writer.add_token_types([gguf.TokenType.NORMAL] * 256 + [gguf.TokenType.CONTROL] * 3)
    writer.add_token_merges(["a b"])
    writer.add_bos_token_id(256)
    writer.add_eos_token_id(257)
    writer.add_pad_token_id(258)


@pytest.mark.parametrize("kind", [Kind.F32, Kind.F16, Kind.Q8_0, Kind.Q4_0], ids=lambda kind: kind.name)
def test_weights_are_those_of_the_file_in_the_models_own_order(write, kind):
    path, held = write(original(), kind)
    loaded = load_checkpoint(path, tokenizer=byte_tokenizer(), device="cpu")
    state = loaded.model.state_dict()
    assert state.keys() == held.keys()
    for key, value in held.items():
        assert torch.equal(state[key], value), key
    assert loaded.shared


def test_samples_are_those_of_the_model_it_was_written_from(write):
    model = original()
    expected = Sampler(model, tokenizer=byte_tokenizer()).sample("def f(", n=4, max_new_tokens=10)
    path, _ = write(model)
    found = Sampler(path, tokenizer=byte_tokenizer(), device="cpu").sample("def f(", n=4, max_new_tokens=10)
    assert [each.token_ids for each in found] == [each.token_ids for each in expected]
    assert [each.logprobs for each in found] == [each.logprobs for each in expected]


def test_the_tokenizer_is_in_the_file(write):
    path, _ = write(original())
    for loaded in (load_checkpoint(path, device="cpu"), load_without_weights(str(path))):
        assert loaded.encode("xaby")[-2] == 255
        assert loaded.eos_ids == {257}
        assert loaded.max_positions == 512
        ids = loaded.tokenizer("def f(x): # ü\n", add_special_tokens=False)["input_ids"]
        assert loaded.tokenizer.decode(ids) == "def f(x): # ü\n"


def test_a_folder_with_one_file_means_it(write, tmp_path):
    write(original())
    assert load_checkpoint(tmp_path, device="cpu").name == str(tmp_path)


def test_tied_embeddings_need_no_head_in_the_file(write):
    path, _ = write(original(), edit=lambda tensors: tensors.pop("output.weight"))
    model = load_checkpoint(path, tokenizer=byte_tokenizer(), device="cpu").model
    assert model.lm_head.weight is model.model.embed_tokens.weight


def test_factors_of_rotary_frequencies_are_applied(write):
    factors = np.array([1, 1, 2, 3, 4, 8, 8, 8], dtype=np.float32)
    path, _ = write(
        original(), edit=lambda tensors: tensors.update({"rope_freqs.weight": (factors, Kind.F32)})
    )
    model = load_checkpoint(path, tokenizer=byte_tokenizer(), device="cpu").model
    expected = original().model.rotary_emb.inv_freq / torch.from_numpy(factors)
    assert torch.equal(model.model.rotary_emb.inv_freq, expected)


def refused(path, said):
    with pytest.raises(ModelError, match=said) as error:
        load_checkpoint(path, tokenizer=byte_tokenizer(), device="cpu")
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_a_missing_tensor_is_named(write):
    path, _ = write(original(), edit=lambda tensors: tensors.pop("blk.1.ffn_down.weight"))
    refused(path, r"model\.layers\.1\.mlp\.down_proj\.weight")


@pytest.mark.parametrize("name", ["blk.0.attn_q.bias", "blk.7.attn_norm.weight", "rope_factors_long.weight"])
def test_a_tensor_without_a_place_is_named(write, name):
    extra = (np.ones(64, dtype=np.float32), Kind.F32)
    path, _ = write(original(), edit=lambda tensors: tensors.update({name: extra}))
    refused(path, rf"1 tensors of the file have no place in LlamaForCausalLM: {name}")


def test_a_setting_that_is_passed_over_is_refused(write):
    def scaled(writer):
        writer.add_rope_scaling_type(gguf.RopeScalingType.YARN)
        writer.add_rope_scaling_factor(4.0)

    path, _ = write(original(), settings=scaled)
    refused(path, r"llama\.rope\.scaling\.type = yarn, and transformers reads it as default")
    path, _ = write(original(), settings=lambda writer: writer.add_sliding_window(32))
    refused(path, r"llama\.attention\.sliding_window = 32, and transformers reads it as None")


def test_a_file_that_is_cut_short_or_is_none_is_refused(write, tmp_path):
    path, _ = write(original())
    whole = path.read_bytes()
    for kept in (0, 3, 100, len(whole) - 1000):
        path.write_bytes(whole[:kept])
        with pytest.raises(ModelError, match="m-F32"):
            load_checkpoint(path, tokenizer=byte_tokenizer())


def test_an_architecture_that_transformers_cannot_read_is_named(write):
    path, _ = write(original())
    path.write_bytes(path.read_bytes().replace(b"llama", b"grokx"))
    refused(path, r"grokx")


def test_a_part_of_a_file_says_what_joins_them(write):
    path, _ = write(original(), settings=lambda writer: writer.add_uint16("split.count", 3))
    refused(path, r"is one of 3 parts; join them: llama-gguf-split --merge")


def test_without_its_packages_the_extra_is_named(write, monkeypatch):
    path, _ = write(original())
    monkeypatch.setattr("codesample.sampling.loading.gguf_files.find_spec", lambda name: None)
    for load in (load_checkpoint, lambda name: load_without_weights(str(name))):
        with pytest.raises(ModelError, match=r"needs gguf and accelerate: pip install 'codesample\[gguf\]'"):
            load(path)
    assert "gguf" in sys.modules
