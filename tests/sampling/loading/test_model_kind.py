"""What was not trained to continue text is refused by its kind, never sampled with a random head."""

from __future__ import annotations

import pytest
import torch
from transformers import AutoModelForSequenceClassification, BertConfig, LlamaModel, T5Config
from transformers.models.auto import AutoModel, AutoModelForMaskedLM, AutoModelForSeq2SeqLM

from codesample.errors import ModelError
from codesample.sampling.checkpoint import load_checkpoint, load_without_weights
from codesample.testing.models import ARCHITECTURES, byte_tokenizer, random_model

SMALL_BERT = BertConfig(
    vocab_size=259, hidden_size=32, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2
)


@pytest.fixture
def kept(tmp_path):
    def keep(model):
        model.save_pretrained(tmp_path)
        byte_tokenizer().save_pretrained(tmp_path)
        return tmp_path

    return keep


def test_a_classifier_has_no_head_to_sample_from(kept):
    path = kept(AutoModelForSequenceClassification.from_config(ARCHITECTURES["llama"]))
    with pytest.raises(ModelError, match="LlamaForSequenceClassification has no language-modelling head"):
        load_checkpoint(path)
    with pytest.raises(ModelError, match="LlamaForSequenceClassification has no language-modelling head"):
        load_without_weights(str(path))


@pytest.mark.parametrize(
    "kind",
    ["MistralForTokenClassification", "LlamaForRewardModel", "InternLM2RewardModel", "BertForPreTraining"],
)
def test_a_kind_is_known_by_its_name(folder, kind):
    with pytest.raises(ModelError, match=f"{kind} has no language-modelling head"):
        load_checkpoint(folder().settings(architectures=[kind]))


def test_a_model_without_its_head_is_no_language_model(kept):
    torch.manual_seed(0)
    path = kept(LlamaModel(ARCHITECTURES["llama"]))
    with pytest.raises(ModelError, match=r"LlamaModel has no language-modelling head"):
        load_checkpoint(path)


def test_a_model_whose_embeddings_are_its_head_has_one(kept):
    model = random_model("gpt2")
    loaded = load_checkpoint(kept(model.transformer), device="cpu").model
    assert torch.equal(loaded.lm_head.weight, model.lm_head.weight)


def test_encoders_are_refused(kept, tmp_path):
    path = kept(AutoModelForMaskedLM.from_config(SMALL_BERT))
    with pytest.raises(ModelError, match="BertForMaskedLM has no language-modelling head"):
        load_checkpoint(path)
    path = kept(AutoModel.from_config(SMALL_BERT))
    with pytest.raises(ModelError, match=str(tmp_path)):
        load_checkpoint(path)


def test_an_encoder_decoder_is_refused_by_name(kept):
    config = T5Config(vocab_size=259, d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2)
    path = kept(AutoModelForSeq2SeqLM.from_config(config))
    with pytest.raises(ModelError, match="T5ForConditionalGeneration is an encoder-decoder"):
        load_checkpoint(path)


def test_a_model_that_sees_what_follows_is_refused_whatever_it_is_called(folder):
    from transformers import BertLMHeadModel

    made = folder()
    torch.manual_seed(0)
    BertLMHeadModel(SMALL_BERT).save_pretrained(made.path)
    with pytest.raises(ModelError, match="BertLMHeadModel lets a token see those behind it"):
        load_checkpoint(made.path)
    made.settings(is_decoder=True)
    assert load_checkpoint(made.path, device="cpu")
