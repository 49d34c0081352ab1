"""The built-in model as a GGUF file, in float32, for servers that read nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import gguf
import numpy as np
from safetensors.numpy import load_file

import codesample

__all__ = ["write_tiny"]

_WEIGHTS = Path(codesample.__file__).parent / "tiny" / "weights"
_PLACES = {
    "model.embed_tokens": "token_embd",
    "model.norm": "output_norm",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "model.layers.": "blk.",
}


def write_tiny(path: Path) -> Path:
    """Write the file. Its tokenizer splits texts as GPT-2's, which is nearly the model's own way."""
    config = json.loads((_WEIGHTS / "config.json").read_text())
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("tiny")
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_key_length(config["head_dim"])
    writer.add_value_length(config["head_dim"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_dimension_count(config["head_dim"])
    writer.add_rope_freq_base(config["rope_parameters"]["rope_theta"])
    writer.add_vocab_size(config["vocab_size"])
    _add_tokenizer(writer, config["vocab_size"])
    heads = {"q_proj": config["num_attention_heads"], "k_proj": config["num_key_value_heads"]}
    for key, weight in load_file(_WEIGHTS / "model.safetensors").items():
        count = next((heads[part] for part in heads if part in key), None)
        stored = weight.astype(np.float32)
        writer.add_tensor(_place(key), stored if count is None else _interleaved(stored, count))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _place(key: str) -> str:
    for theirs, place in _PLACES.items():
        key = key.replace(theirs, place)
    return key


def _interleaved(weight: np.ndarray, heads: int) -> np.ndarray:
    """Order the rows of a query or key matrix as llama.cpp rotates them: pairs side by side."""
    halves = weight.reshape(heads, 2, weight.shape[0] // heads // 2, -1)
    return np.ascontiguousarray(halves.swapaxes(1, 2).reshape(weight.shape))


def _add_tokenizer(writer: gguf.GGUFWriter, rows: int) -> None:
    stated = json.loads((_WEIGHTS / "tokenizer.json").read_text())
    added = {each["id"]: each["content"] for each in stated["added_tokens"]}
    words = {id_: word for word, id_ in stated["model"]["vocab"].items()} | added
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list([words.get(id_, f"<unused {id_}>") for id_ in range(rows)])
    kinds = gguf.TokenType
    writer.add_token_types([kinds.CONTROL if id_ in added else kinds.NORMAL for id_ in range(rows)])
    merges = stated["model"]["merges"]
    writer.add_token_merges([each if isinstance(each, str) else " ".join(each) for each in merges])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_pad_token_id(0)
    writer.add_add_bos_token(True)
