"""Families of models as codesample serves them: what the tests hold it to, and what docs/models.md says.

Each is a small configuration, with windows and chunks that are shorter than the prompts of the tests.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

__all__ = ["FAMILIES", "LATER", "VOCABULARY", "Family"]

VOCABULARY = 259

SHARED, ORDINARY, REFUSED = "shared", "ordinary", "refused"

SIZES: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "bos_token_id": 256,
    "eos_token_id": 257,
    "pad_token_id": 258,
    "hidden_size": 32,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 128,
    "head_dim": 8,
    "sliding_window": 24,
    "query_pre_attn_scalar": 8,
    # the older names
    "n_embd": 32,
    "n_layer": 2,
    "n_head": 4,
    "n_positions": 128,
    "n_layers": 2,
    "n_heads": 4,
    "d_model": 32,
    "n_ctx": 128,
    "n_inner": 32,
    "dff": 32,
    "rotary_dim": 4,
    "ffn_dim": 32,
    "word_embed_proj_dim": 32,
    "decoder_layers": 2,
    "decoder_attention_heads": 4,
    "decoder_ffn_dim": 32,
    "attention_dropout": 0.0,
    # experts
    "num_experts": 4,
    "num_local_experts": 4,
    "n_routed_experts": 4,
    "moe_num_experts": 4,
    "num_experts_per_tok": 2,
    "moe_k": 2,
    "moe_intermediate_size": 8,
    "shared_expert_intermediate_size": 8,
    "shared_intermediate_size": 32,
    "num_shared_experts": 1,
    "n_shared_experts": 1,
    "n_group": 1,
    "topk_group": 1,
    "first_k_dense_replace": 1,
    "moe_layer_start_index": 1,
    # latent attention
    "q_lora_rank": 16,
    "kv_lora_rank": 16,
    "qk_rope_head_dim": 4,
    "qk_nope_head_dim": 8,
    "v_head_dim": 8,
    # states
    "state_size": 8,
    "mamba_d_state": 8,
    "mamba_n_heads": 4,
    "mamba_d_head": 16,
    "mamba_n_groups": 1,
    "mamba_chunk_size": 16,
    "mamba_dt_rank": 4,
    "mamba_num_heads": 4,
    "mamba_head_dim": 16,
    "ssm_state_size": 8,
    "n_groups": 1,
    "chunk_size": 16,
    "lru_width": 32,
    "linear_num_key_heads": 2,
    "linear_num_value_heads": 4,
    "linear_key_head_dim": 8,
    "linear_value_head_dim": 8,
    "use_mamba_kernels": False,
}
"""Settings by name; a configuration is given those that it has."""


class Family(NamedTuple):
    """A kind of model and what becomes of it.

    Attributes:
        name: For people; unique.
        model_type: Of the configuration.
        path: "shared", "ordinary" or "refused".
        reason: Part of what is said where the path is not the shared one.
        settings: Of the configuration, besides `SIZES`.
        note: For people.
        reference: What its numbers are held against: "generate" of transformers, or "forward", a pass of the
            model over all tokens, where `generate` of some version is known to be wrong.
        rough: Whether its code computes in float32 whatever the model's dtype.
        since: Version of transformers from which on it is served; in older ones its tokens see later ones.
        shared_since: Version of transformers from which on it is shared all the same.
        quick: Whether it is among the few that every test run tries.
    """

    name: str
    model_type: str
    path: str = SHARED
    reason: str = ""
    settings: Mapping[str, Any] = MappingProxyType({})
    note: str = ""
    reference: str = "generate"
    rough: bool = False
    since: str = ""
    shared_since: str = ""
    quick: bool = False

    @property
    def because(self) -> str:
        """What people are told of the path."""
        return _BECAUSE.get(self.reason, f"setting `{self.reason}`") if self.reason else _OWN_STATE

    def config(self) -> Any:
        """Return the small configuration."""
        from transformers import CONFIG_MAPPING

        kind = CONFIG_MAPPING[self.model_type]
        known = {*getattr(kind, "__dataclass_fields__", ()), *getattr(kind, "attribute_map", {})}
        renamed = getattr(kind, "attribute_map", {})
        given = {k: v for k, v in SIZES.items() if k in known and renamed.get(k) not in SIZES}
        return kind(**(given | dict(self.settings)))


LONGROPE = {"rope_type": "longrope", "short_factor": [1.0] * 4, "long_factor": [4.0] * 4}
HYBRID = {"layer_types": ["linear_attention", "full_attention"]}
LATENT = {"num_key_value_heads": 4}
_INTERFACE = "cannot be served from the shared store: its attention cannot be replaced"
_STATE = "layers other than self-attention over all or recent tokens"
_WIDTHS = "keys are 12 wide and values 8"
LATER = "lets tokens see later ones|lets a token see those behind it"

_OWN_STATE = "a state instead of keys, or beside them"
_BECAUSE = {
    _INTERFACE: "attention of its own code, which cannot be routed",
    _STATE: "layers of other kinds",
    _WIDTHS: "keys and values of different widths",
    LATER: "tokens see later ones",
    "did not pass codesample_kv on": "its attention drops what is handed to it",
    "other logits": "other attention than the usual one",
    "in its mask alone": "windows that its attention function is not told of",
    "chunked_attention": "layers of other kinds: chunks",
}
"""What a reason means, by what is said of it."""

FAMILIES = (
    # every token, or the recent ones
    Family("Llama 2, 3", "llama", quick=True),
    Family(
        "Llama 3.1 rotary scaling",
        "llama",
        settings={
            "rope_parameters": {
                "rope_type": "llama3",
                "rope_theta": 1e4,
                "factor": 8.0,
                "low_freq_factor": 1.0,
                "high_freq_factor": 4.0,
                "original_max_position_embeddings": 32,
            }
        },
    ),
    Family("Mistral", "mistral", note="windows"),
    Family("Ministral", "ministral", note="windows"),
    Family("Ministral 3", "ministral3"),
    Family("Mixtral", "mixtral", note="windows, experts"),
    Family("Qwen2, Qwen2.5", "qwen2", note="DeepSeek-R1-Distill, Qwen2.5-Coder"),
    Family("Qwen2 with windows", "qwen2", settings={"use_sliding_window": True, "max_window_layers": 1}),
    Family("Qwen2 MoE", "qwen2_moe"),
    Family("Qwen3", "qwen3", quick=True),
    Family("Qwen3 MoE", "qwen3_moe", note="Qwen3-Coder"),
    Family("Gemma", "gemma", note="CodeGemma"),
    Family("Gemma 2", "gemma2", note="soft cap, windows in every second layer", quick=True),
    Family("VaultGemma", "vaultgemma", note="soft cap"),
    Family("Gemma 3 (text)", "gemma3_text", note="windows, two kinds of rotary positions"),
    Family("Gemma 4 (text)", "gemma4_text"),
    Family("Phi-1, Phi-2", "phi"),
    Family("Phi-3, Phi-4", "phi3"),
    Family(
        "Phi-3 long context, short text",
        "phi3",
        settings={"rope_parameters": LONGROPE, "original_max_position_embeddings": 100},
    ),
    Family(
        "Phi-3 long context",
        "phi3",
        settings={"rope_parameters": LONGROPE, "original_max_position_embeddings": 64},
        reference="forward",
        note="prompts that may grow past the switch of rotary frequencies take the ordinary path",
    ),
    Family("StarCoder2", "starcoder2", note="windows"),
    Family("SantaCoder, StarCoder", "gpt_bigcode", quick=True),
    Family("GPT-2", "gpt2"),
    Family("GPT-NeoX, Pythia", "gpt_neox"),
    Family("OPT", "opt"),
    Family("BioGPT", "biogpt"),
    Family("CTRL", "ctrl"),
    Family("OLMo", "olmo"),
    Family("OLMo 2", "olmo2"),
    Family("OLMo 3", "olmo3", note="windows"),
    Family("OLMoE", "olmoe"),
    Family("FlexOlmo", "flex_olmo"),
    Family("Cohere Command-R", "cohere"),
    Family("Cohere Command-R7B", "cohere2", note="windows"),
    Family("Granite", "granite"),
    Family("Granite MoE", "granitemoe"),
    Family("Granite MoE with shared experts", "granitemoeshared"),
    Family("GLM", "glm"),
    Family("GLM-4", "glm4"),
    Family("GLM-4 MoE", "glm4_moe"),
    Family("ERNIE 4.5", "ernie4_5"),
    Family("ERNIE 4.5 MoE", "ernie4_5_moe"),
    Family("EXAONE 4", "exaone4", note="windows"),
    Family("SmolLM3", "smollm3", note="layers without positions"),
    Family("GPT-OSS", "gpt_oss", note="attention sinks, windows", quick=True),
    Family("MiMo V2", "mimo_v2_flash", note="attention sinks, windows"),
    Family("Seed-OSS", "seed_oss"),
    Family("Hunyuan", "hunyuan_v1_dense"),
    Family("Hunyuan MoE", "hunyuan_v1_moe"),
    Family("MiniMax M2", "minimax_m2"),
    Family("Arcee", "arcee"),
    Family("Apertus", "apertus"),
    Family("BitNet", "bitnet"),
    Family("Code World Model", "cwm", note="windows"),
    Family("dots.llm1", "dots1"),
    Family("Helium", "helium"),
    Family("AFMoE", "afmoe", note="windows"),
    Family("JetMoE", "jetmoe"),
    Family("NanoChat", "nanochat"),
    Family("Persimmon", "persimmon"),
    Family("ModernBERT decoder", "modernbert-decoder", settings={"local_attention": 24}, note="windows"),
    Family("BERT as a decoder", "bert", settings={"is_decoder": True}),
    # attention that is the model's own
    Family("BLOOM", "bloom", ORDINARY, _INTERFACE, note="position biases", quick=True),
    Family("MPT", "mpt", ORDINARY, "attn_config", note="position biases"),
    Family("Falcon", "falcon", ORDINARY, _INTERFACE, settings={"new_decoder_architecture": True}),
    Family("Falcon with position biases", "falcon", ORDINARY, "alibi", settings={"alibi": True}),
    Family(
        "GPT-J", "gptj", ORDINARY, _INTERFACE, shared_since="5.24", note="shared from transformers 5.24 on"
    ),
    Family(
        "CodeGen",
        "codegen",
        ORDINARY,
        _INTERFACE,
        shared_since="5.24",
        note="shared from transformers 5.24 on",
    ),
    Family(
        "GPT-Neo",
        "gpt_neo",
        ORDINARY,
        "attention_types",
        settings={"num_layers": 2, "attention_types": [[["global", "local"], 1]], "window_size": 24},
    ),
    Family("StableLM", "stablelm", ORDINARY, "did not pass codesample_kv on"),
    Family("Nemotron", "nemotron", ORDINARY, "did not pass codesample_kv on"),
    Family("DiffLlama", "diffllama", ORDINARY, "other logits", note="differential attention"),
    Family(
        "Doge",
        "doge",
        ORDINARY,
        "keep_window_size",
        since="5.23",
        note="a mask that depends on the text; refused with transformers 5.17",
    ),
    Family("Phi-3.5 MoE", "phimoe", ORDINARY, "in its mask alone", note="shared without windows"),
    Family(
        "Qwen2 MoE with windows",
        "qwen2_moe",
        ORDINARY,
        "in its mask alone",
        settings={"use_sliding_window": True, "max_window_layers": 2},
    ),
    Family("DeepSeek V2", "deepseek_v2", ORDINARY, _WIDTHS, settings=LATENT),
    Family("DeepSeek V3, R1", "deepseek_v3", ORDINARY, _WIDTHS, settings=LATENT),
    Family("MiniCPM3", "minicpm3", ORDINARY, _WIDTHS, settings=LATENT),
    Family("GLM-4.7 Flash", "glm4_moe_lite", ORDINARY, _WIDTHS, settings=LATENT),
    Family(
        "Llama 4 (text)",
        "llama4_text",
        ORDINARY,
        "chunked_attention",
        settings={
            "attention_chunk_size": 16,
            "intermediate_size_mlp": 32,
            "no_rope_layers": [1, 0],
            "floor_scale": 8,
        },
        note="chunks, scales that grow with the position",
    ),
    # a state instead of keys, or beside them
    Family("Mamba", "mamba", ORDINARY, _STATE),
    Family("Mamba 2", "mamba2", ORDINARY, _STATE, settings={"num_heads": 8, "head_dim": 8}),
    Family("Falcon Mamba", "falcon_mamba", ORDINARY, _STATE),
    Family(
        "RWKV",
        "rwkv",
        ORDINARY,
        "",
        settings={"attention_hidden_size": 32},
        reference="forward",
        note="held against passes over all tokens: the cached steps of `generate` mix rows",
    ),
    Family("Bamba", "bamba", ORDINARY, _STATE, settings={"attn_layer_indices": [1]}, quick=True),
    Family(
        "Jamba",
        "jamba",
        ORDINARY,
        _STATE,
        settings={"attn_layer_period": 2, "attn_layer_offset": 1},
    ),
    Family("Qwen3-Next", "qwen3_next", ORDINARY, _STATE, settings=HYBRID),
    Family("Qwen3.5 (text)", "qwen3_5_text", ORDINARY, _STATE, settings=HYBRID),
    Family("Kimi Linear", "kimi_linear", ORDINARY, _STATE, settings=HYBRID | LATENT),
    Family("OLMo hybrid", "olmo_hybrid", ORDINARY, _STATE, settings=HYBRID),
    Family("MiniMax", "minimax", ORDINARY, _STATE, settings={"block_size": 16}),
    Family("LFM2", "lfm2", ORDINARY, _STATE, settings={"full_attn_idxs": [1]}),
    Family(
        "RecurrentGemma",
        "recurrent_gemma",
        ORDINARY,
        "",
        settings={"block_types": ["recurrent", "attention"], "attention_window_size": 24},
    ),
    Family(
        "Granite 4 hybrid",
        "granitemoehybrid",
        ORDINARY,
        _STATE,
        settings={"layer_types": ["mamba", "attention"]},
    ),
    Family(
        "Falcon H1",
        "falcon_h1",
        ORDINARY,
        "",
        settings={"mamba_d_ssm": 64, "mamba_n_heads": 4, "mamba_d_head": 16},
    ),
    Family("Nemotron H", "nemotron_h", ORDINARY, _STATE, rough=True),
    # nothing can be sampled from these token by token
    Family("BERT", "bert", REFUSED, LATER),
    Family("RoBERTa", "roberta", REFUSED, LATER, settings={"pad_token_id": 1}),
    Family("ELECTRA", "electra", REFUSED, LATER),
    Family("XLNet", "xlnet", REFUSED, LATER, settings={"d_head": 8, "d_inner": 32}),
    Family("XLM", "xlm", REFUSED, LATER, settings={"emb_dim": 32}),
    Family("RoFormer", "roformer", REFUSED, LATER),
    Family(
        "Gemma 3 embedding models",
        "gemma3_text",
        REFUSED,
        LATER,
        settings={"use_bidirectional_attention": True},
    ),
)
"""All of them, by path."""
