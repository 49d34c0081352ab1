"""Models with eyes: their text part continues a text as their own `generate` does."""

from __future__ import annotations

import pytest
import torch
from transformers import (
    Gemma3Config,
    Gemma3ForConditionalGeneration,
    LlavaConfig,
    LlavaForConditionalGeneration,
    PaliGemmaConfig,
    PaliGemmaForConditionalGeneration,
    Qwen2VLConfig,
    Qwen2VLForConditionalGeneration,
)

from codesample import Sampler
from codesample.errors import ModelError
from codesample.testing.models import byte_tokenizer

TEXT = {
    "vocab_size": 270,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "max_position_embeddings": 256,
    "bos_token_id": 256,
    "eos_token_id": 257,
    "pad_token_id": 258,
}
HEADS = TEXT | {"head_dim": 16}
EYES = {
    "hidden_size": 16,
    "intermediate_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "image_size": 28,
    "patch_size": 14,
}
SIGLIP, CLIP = EYES | {"model_type": "siglip_vision_model"}, EYES | {"model_type": "clip_vision_model"}
WINDOWED = HEADS | {"sliding_window": 8, "layer_types": ["sliding_attention", "full_attention"]}
ROPE = {"rope_type": "default", "mrope_section": [2, 3, 3], "rope_theta": 1e4}

KINDS = {
    "gemma3": lambda: Gemma3ForConditionalGeneration(
        Gemma3Config(text_config=WINDOWED, vision_config=SIGLIP, mm_tokens_per_image=4, image_token_index=260)
    ),
    "llava": lambda: LlavaForConditionalGeneration(
        LlavaConfig(text_config=HEADS | {"model_type": "llama"}, vision_config=CLIP, image_token_index=260)
    ),
    "qwen2_vl": lambda: Qwen2VLForConditionalGeneration(
        Qwen2VLConfig(
            text_config=TEXT | {"rope_parameters": ROPE},
            vision_config={"depth": 1, "embed_dim": 16, "hidden_size": 32, "num_heads": 2, "patch_size": 4},
            image_token_id=260,
            video_token_id=261,
        )
    ),
    "paligemma": lambda: PaliGemmaForConditionalGeneration(
        PaliGemmaConfig(
            text_config=HEADS | {"model_type": "gemma"},
            vision_config=SIGLIP,
            image_token_index=260,
            projection_dim=32,
        )
    ),
}


@pytest.fixture
def made(tmp_path):
    def make(kind):
        torch.manual_seed(0)
        model = KINDS[kind]().double().eval()
        with torch.no_grad():
            for parameter in model.parameters():
                if parameter.dim() > 1:
                    parameter.normal_(std=0.2)
        model.save_pretrained(tmp_path)
        byte_tokenizer().save_pretrained(tmp_path)
        return model, tmp_path

    return make


@pytest.mark.parametrize("kind", ["gemma3", "llava", "qwen2_vl"])
def test_texts_are_continued_as_generate_continues_them(made, kind):
    model, path = made(kind)
    ids = torch.tensor([byte_tokenizer()("def f(x):")["input_ids"]])
    expected = model.generate(ids, max_new_tokens=20, do_sample=False)[0, ids.shape[1] :].tolist()
    for sampler in (
        Sampler(path, dtype="float64", device="cpu"),
        Sampler(model, tokenizer=byte_tokenizer()),
    ):
        assert type(sampler.checkpoint.model) is type(model)
        greedy = sampler.sample("def f(x):", max_new_tokens=20, temperature=0.0)[0]
        assert list(greedy.token_ids) == expected[: len(greedy.token_ids)]
        assert len(greedy.token_ids) in (20, len(expected) - 1)


def test_one_that_sees_all_of_its_prompt_is_refused(made):
    model, path = made("paligemma")
    with pytest.raises(ModelError, match="lets a token see those behind it"):
        Sampler(path, device="cpu")
    with pytest.raises(ModelError, match="lets a token see those behind it"):
        Sampler(model, tokenizer=byte_tokenizer())
