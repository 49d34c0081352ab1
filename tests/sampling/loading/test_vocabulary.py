"""Vocabularies larger and smaller than the tokenizer's: known at load, never an index out of range."""

from __future__ import annotations

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from codesample import Sampler
from codesample.errors import ModelError, ParameterError
from codesample.records import Message
from codesample.sampling.checkpoint import load_checkpoint
from codesample.testing.models import byte_tokenizer, random_model


def larger_tokenizer():
    """Return one of 300 tokens of its own: bytes, and pairs of bytes."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    pairs = [(a, b) for a in letters[:7] for b in letters[:7]][:44]
    words = letters + [a + b for a, b in pairs]
    tokenizer = Tokenizer(models.BPE({word: i for i, word in enumerate(words)}, pairs))
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer)


def test_a_tokenizer_with_more_tokens_of_its_own_is_another_models():
    with pytest.raises(ModelError, match=r"41 tokens of its own that .* no row for \(it has 259; 259 is '"):
        load_checkpoint(random_model("llama"), tokenizer=larger_tokenizer())


def test_tokens_that_were_added_without_a_row_are_said_and_refused_in_prompts(caplog):
    tokenizer = byte_tokenizer()
    tokenizer.add_tokens(["<|think|>"])
    tokenizer.chat_template = "<|think|>{{ messages[0].content }}"
    sampler = Sampler(random_model("llama"), tokenizer=tokenizer)
    assert "1 tokens that were added to the tokenizer have no row in the model, which has 259" in caplog.text
    assert sampler.sample("ab", max_new_tokens=2)
    with pytest.raises(ParameterError, match=r"the token '<\|think\|>' \(259\), for which .* has no"):
        sampler.sample("ab<|think|>", max_new_tokens=2)
    with pytest.raises(ParameterError, match=r"'<\|think\|>' \(259\)"):
        sampler.sample([Message("user", "ab")], max_new_tokens=2)


def test_rows_behind_the_last_token_are_drawn_as_generate_draws_them_and_stand_for_no_text():
    model = random_model("llama", vocabulary=300)
    with torch.no_grad():
        # rows that pad the vocabulary are likely here, which no trained model makes them
        model.lm_head.weight[259:] += 0.3 * torch.randn(41, 64, generator=torch.Generator().manual_seed(0))
        model.lm_head.weight[259:] *= 3
    tokenizer = byte_tokenizer()
    sampler = Sampler(model, tokenizer=tokenizer)
    found = sampler.sample("ab", n=8, max_new_tokens=12, temperature=1.0)
    drawn = [id_ for each in found for id_ in each.token_ids]
    assert max(drawn) > 258
    whole = [each for each in found if 257 not in each.token_ids]
    assert whole
    assert all(each.completion == tokenizer.decode(list(each.token_ids)) for each in whole)
    greedy = sampler.sample("ab", max_new_tokens=12, temperature=0.0)[0]
    ids = torch.tensor([sampler.checkpoint.encode("ab")])
    generated = model.generate(ids, max_new_tokens=12, do_sample=False)[0, 2:].tolist()
    assert list(greedy.token_ids) == generated
