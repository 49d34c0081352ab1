"""What is loaded already: taken as it is, or refused with what to give in its place."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from transformers import AutoModelForSequenceClassification, LlamaModel, T5Config, pipeline
from transformers.models.auto import AutoModelForSeq2SeqLM

from codesample import Sampler
from codesample.errors import ModelError, ParameterError
from codesample.testing.models import ARCHITECTURES, byte_tokenizer, random_model


def refused(model, said, kind=ParameterError):
    with pytest.raises(kind, match=said) as error:
        Sampler(model, tokenizer=byte_tokenizer())
    assert "\n" not in str(error.value)


def test_a_compiled_model_is_refused_with_the_model_in_it():
    refused(torch.compile(random_model("llama")), r"compiled \(OptimizedModule\); give model\._orig_mod")
    model = random_model("llama")
    model.compile()
    refused(model, r"compiled in place \(model\.compile\(\)\)")


def test_a_wrapped_model_is_refused_with_the_model_in_it():
    refused(nn.DataParallel(random_model("llama")), r"\(DataParallel\); give model\.module")


def test_processes_wrappers_are_known(tmp_path):
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/met", rank=0, world_size=1)
    try:
        wrapped = nn.parallel.DistributedDataParallel(random_model("llama"))
        refused(wrapped, r"wrapped for training \(DistributedDataParallel\); give model\.module")
    finally:
        torch.distributed.destroy_process_group()


def test_a_pipeline_is_refused_with_its_parts():
    pipe = pipeline("text-generation", model=random_model("llama"), tokenizer=byte_tokenizer())
    refused(pipe, r"a pipeline .*; give its parts: Sampler\(pipe\.model, tokenizer=pipe\.tokenizer\)")


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (nn.Linear(2, 2), r"the model is torch\.Linear; expected a name, a folder, or a causal"),
        (object(), r"the model is builtins\.object"),
        (None, r"the model is builtins\.NoneType"),
        ({"model": 1}, r"the model is builtins\.dict"),
        (random_model, r"the model is builtins\.function"),
    ],
)
def test_what_is_no_model_is_named(model, said):
    refused(model, said)


def test_other_kinds_of_models_are_refused():
    config = T5Config(vocab_size=259, d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2)
    refused(AutoModelForSeq2SeqLM.from_config(config), "is an encoder-decoder", ModelError)
    refused(LlamaModel(ARCHITECTURES["llama"]), "LlamaModel has no language-modelling head", ModelError)
    classifier = AutoModelForSequenceClassification.from_config(ARCHITECTURES["llama"])
    refused(classifier, "LlamaForSequenceClassification has no language-modelling head", ModelError)


def test_weights_on_several_devices_are_refused():
    model = random_model("llama")
    model.hf_device_map = {"model.layers.0": 0, "model.layers.1": 1, "lm_head": "cpu"}
    refused(model, r"its weights are on cuda:0, cuda:1; expected one device", ModelError)
    model.hf_device_map = {"": "cpu", "lm_head": "disk"}
    assert Sampler(model, tokenizer=byte_tokenizer()).sample("a", max_new_tokens=1)


def test_a_tokenizer_may_be_named_or_in_a_processor(tmp_path):
    byte_tokenizer().save_pretrained(tmp_path)
    expected = Sampler(random_model("llama"), tokenizer=byte_tokenizer()).sample("ab", max_new_tokens=4)

    class Processor:
        tokenizer = byte_tokenizer()

    for tokenizer in (tmp_path, str(tmp_path), Processor()):
        assert Sampler(random_model("llama"), tokenizer=tokenizer).sample("ab", max_new_tokens=4) == expected
    with pytest.raises(ParameterError, match=r"tokenizer = 3: expected a tokenizer of transformers"):
        Sampler(random_model("llama"), tokenizer=3)
    with pytest.raises(ParameterError, match="a loaded model needs its tokenizer"):
        Sampler(random_model("llama"))
