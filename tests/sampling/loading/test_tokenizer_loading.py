"""Folders without a tokenizer, tokenizers of other folders, and what is refused about them."""

from __future__ import annotations

import json

import pytest

from codesample import Sampler
from codesample.errors import HubUnavailableError, ModelError, UnknownNameError
from codesample.sampling.checkpoint import load_checkpoint, load_without_weights
from codesample.testing.models import byte_tokenizer, random_model


@pytest.fixture
def bare(tmp_path):
    def save(architecture="llama"):
        random_model(architecture).save_pretrained(tmp_path / architecture)
        return tmp_path / architecture

    return save


@pytest.mark.parametrize("architecture", ["llama", "gpt2", "qwen2", "gemma2"])
def test_a_folder_without_a_tokenizer_says_which_option_names_one(bare, architecture):
    # of some kinds transformers would make one without a vocabulary
    with pytest.raises(ModelError, match=r"no tokenizer in this folder; name one: --tokenizer"):
        load_checkpoint(bare(architecture))


def test_a_tokenizer_without_a_vocabulary_is_none(bare):
    path = bare("gpt2")
    (path / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "GPT2Tokenizer"}))
    with pytest.raises(ModelError, match=r"its tokenizer has no vocabulary; name one: --tokenizer"):
        load_checkpoint(path)


def test_a_tokenizer_of_another_folder_serves(bare, tmp_path, folder):
    byte_tokenizer().save_pretrained(tmp_path / "tokens")
    expected = Sampler(folder().path, device="cpu").sample("abc", n=2, max_new_tokens=5)
    for place in (tmp_path / "tokens", str(tmp_path / "tokens" / "tokenizer.json")):
        sampler = Sampler(bare(), tokenizer=place, device="cpu")
        assert sampler.sample("abc", n=2, max_new_tokens=5) == expected
    assert load_without_weights(str(bare()), tokenizer=str(tmp_path / "tokens")).encode("a")


def test_a_name_that_is_no_tokenizer_is_refused(bare, tmp_path, monkeypatch):
    with pytest.raises(UnknownNameError, match=r"unknown tokenizer '\./nothing'.*Give a folder"):
        load_checkpoint(bare(), tokenizer="./nothing")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelError, match=r"empty: no tokenizer in this folder"):
        load_checkpoint(bare(), tokenizer=tmp_path / "empty")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(
        HubUnavailableError, match=r"^tokenizer .nobody/nothing. .*, or give --tokenizer a folder$"
    ):
        load_checkpoint(bare(), tokenizer="nobody/nothing")


def test_transformers_does_not_warn_of_texts_beyond_the_positions(monkeypatch):
    said = []
    monkeypatch.setattr("transformers.tokenization_utils_base.logger.warning", said.append)
    checkpoint = load_without_weights("tiny")
    assert len(checkpoint.encode("x = 1\n" * 400)) > checkpoint.tokenizer.model_max_length
    assert said == []
    checkpoint.tokenizer.deprecation_warnings.clear()
    checkpoint.encode("x = 1\n" * 400)
    assert len(said) == 1


def test_a_damaged_tokenizer_is_said_to_be_that(folder):
    path = folder().path
    (path / "tokenizer.json").write_text("{}")
    with pytest.raises(ModelError, match=r"its tokenizer cannot be loaded: .*--tokenizer") as error:
        load_checkpoint(path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ("{", "config.json' is not a valid JSON file"),
        ('{"model_type": "llama", "num_hidden_layers": "3"}', "field 'num_hidden_layers': .*expected int"),
        ('{"model_type": "llama", "hidden_size": 64, "num_attention_heads": 5}', "not a multiple of"),
    ],
)
def test_broken_settings_are_not_blamed_on_the_tokenizer(folder, settings, said):
    path = folder().path
    (path / "config.json").write_text(settings)
    with pytest.raises(ModelError, match=f"cannot be loaded as a causal language model: .*{said}"):
        load_checkpoint(path)
