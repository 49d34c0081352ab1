"""Adapters of peft: sampled from with exactly their weights, or refused by name."""

from __future__ import annotations

import json
import re
import shutil
from copy import deepcopy

import peft
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from codesample import Sampler
from codesample.errors import HubUnavailableError, ModelError, ParameterError, UnknownNameError
from codesample.sampling.checkpoint import load_checkpoint, load_without_weights
from codesample.testing.models import byte_tokenizer, random_model

KINDS = {
    "lora": peft.LoraConfig(r=4, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM"),
    "rslora": peft.LoraConfig(
        r=4, use_rslora=True, target_modules="all-linear", lora_dropout=0.5, task_type="CAUSAL_LM"
    ),
    "dora": peft.LoraConfig(r=2, use_dora=True, target_modules=["down_proj"], task_type="CAUSAL_LM"),
    "no task": peft.LoraConfig(r=2, target_modules=["down_proj"]),
    "head": peft.LoraConfig(
        r=2, target_modules=["q_proj"], modules_to_save=["lm_head"], task_type="CAUSAL_LM"
    ),
    "ia3": peft.IA3Config(
        target_modules=["k_proj", "down_proj"], feedforward_modules=["down_proj"], task_type="CAUSAL_LM"
    ),
    "loha": peft.LoHaConfig(r=2, target_modules=["q_proj"], task_type="CAUSAL_LM"),
}


def adapted(config, *, seed=1, base=None):
    model = peft.get_peft_model(random_model("llama") if base is None else base, deepcopy(config))
    torch.manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if any(part in name for part in ("lora_", "ia3", "hada", "modules_to_save")):
                parameter.add_(torch.randn_like(parameter) * 0.3)
    return model.eval()


@pytest.fixture
def adapter(tmp_path, folder):
    """Return the folders of an adapter and of the model that it is for."""

    def save(config=KINDS["lora"], **options):
        base = folder().path
        model = adapted(config, **options)
        model.peft_config["default"].base_model_name_or_path = str(base)
        model.save_pretrained(tmp_path / "adapter")
        return tmp_path / "adapter", base

    return save


def logprobs_of(model, sampler, prompt, candidate):
    """Return what transformers or peft itself makes of a candidate's tokens."""
    ids = [*sampler.checkpoint.encode(prompt), *candidate.token_ids]
    with torch.inference_mode():
        logits = model(torch.tensor([ids])).logits[0].double().log_softmax(-1)
    first = len(ids) - len(candidate.token_ids)
    return [float(logits[at - 1, ids[at]]) for at in range(first, len(ids))]


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param(kind, marks=() if kind in ("lora", "dora", "head") else pytest.mark.slow)
        for kind in KINDS
    ],
)
def test_samples_are_those_of_peft(adapter, kind):
    path, base = adapter(KINDS[kind])
    sampler = Sampler(base, adapter=path, dtype="float64", device="cpu")
    assert sampler.checkpoint.shared
    own = peft.PeftModel.from_pretrained(
        AutoModelForCausalLM.from_pretrained(base, dtype=torch.float64), str(path)
    ).double()
    plain = Sampler(base, dtype="float64", device="cpu")
    prompt = "def f(x):"
    candidates = sampler.sample(prompt, n=3, max_new_tokens=8)
    for candidate in candidates:
        expected = logprobs_of(own, sampler, prompt, candidate)
        # log-probabilities are recorded in float32
        assert candidate.logprobs == pytest.approx(expected, rel=1e-6)
    greedy = sampler.sample(prompt, max_new_tokens=8, temperature=0.0)[0]
    ids = torch.tensor([sampler.checkpoint.encode(prompt)])
    with torch.inference_mode():
        assert torch.equal(sampler.checkpoint.model(ids).logits, own(ids).logits)
    generated = own.generate(input_ids=ids, max_new_tokens=8, do_sample=False)[0, ids.shape[1] :].tolist()
    assert list(greedy.token_ids) == generated
    others = plain.sample(prompt, n=3, max_new_tokens=8)
    assert [each.logprobs for each in candidates] != [each.logprobs for each in others]


def test_a_folder_that_is_an_adapter_is_its_base_with_it(adapter, drawn):
    path, base = adapter()
    own, both = Sampler(path, device="cpu"), Sampler(base, adapter=path, device="cpu")
    for (ids, known), (others, expected) in zip(drawn(own), drawn(both), strict=True):
        assert ids == others
        assert torch.equal(known, expected)
    assert own.describe()["adapter"] == str(path)
    assert own.describe()["name"] == str(path)


def test_an_adapter_in_its_models_own_folder_counts(adapter, drawn):
    path, base = adapter()
    expected = drawn(Sampler(base, adapter=path, device="cpu"))
    for file in path.glob("adapter_*"):
        shutil.copy(file, base)
    found = drawn(Sampler(base, device="cpu"))
    assert [ids for ids, _ in found] == [ids for ids, _ in expected]
    with pytest.raises(ParameterError, match="is an adapter, or holds one, itself"):
        load_checkpoint(base, adapter=path)


def test_a_peft_model_is_sampled_from_as_it_stands(adapter):
    model = adapted(KINDS["lora"])
    sampler = Sampler(model, tokenizer=byte_tokenizer())
    candidate = sampler.sample("ab", max_new_tokens=6)[0]
    assert candidate.logprobs == pytest.approx(logprobs_of(model, sampler, "ab", candidate), abs=1e-4)
    with pytest.raises(ParameterError, match="the model is loaded already; put the adapter on with peft"):
        load_checkpoint(model, tokenizer=byte_tokenizer(), adapter=adapter()[0])


def spoil(path, edit):
    found = load_file(path / "adapter_model.safetensors")
    edit(found)
    save_file(found, path / "adapter_model.safetensors")


def refused(said, path, base):
    with pytest.raises(ModelError) as error:
        load_checkpoint(base, adapter=path, device="cpu")
    assert re.search(said, str(error.value)), error.value
    assert "\n" not in str(error.value)


def test_a_missing_weight_of_an_adapter_is_named(adapter):
    path, base = adapter()
    spoil(path, lambda w: w.pop("base_model.model.model.layers.1.self_attn.q_proj.lora_B.weight"))
    refused(r"1 of the 12 weights .* not in its files: .*layers\.1\.self_attn\.q_proj\.lora_B", path, base)


def test_a_left_over_weight_of_an_adapter_is_named(adapter):
    path, base = adapter()
    name = "base_model.model.model.layers.0.mlp.up_proj.lora_A.weight"
    spoil(path, lambda w: w.update({name: torch.ones(4, 64)}))
    refused(r"1 of the adapter's 13 weights have no place .*mlp\.up_proj\.lora_A", path, base)


def test_another_rank_than_the_settings_say_is_refused(adapter):
    path, base = adapter()
    settings = json.loads((path / "adapter_config.json").read_text())
    (path / "adapter_config.json").write_text(json.dumps(settings | {"r": 8}))
    refused(r"lora_A\.weight is \[4, 64\] in the adapter and \[8, 64\] .*r = 8", path, base)


def test_numbers_of_an_adapter_that_are_none_are_refused(adapter):
    path, base = adapter()
    name = "base_model.model.model.layers.1.self_attn.q_proj.lora_B.weight"
    spoil(path, lambda w: w[name].fill_(float("nan")))
    refused(r"no finite numbers.*layers\.1\.self_attn\.q_proj\.lora_B", path, base)


@pytest.mark.parametrize(
    ("architecture", "said"), [("gpt2", "q_proj"), ("qwen3", r"is \[64, 4\] .* in this model|have no place")]
)
def test_an_adapter_of_another_base_is_refused(adapter, folder, architecture, said):
    path, _ = adapter()
    refused(said, path, folder(architecture, "other").path)


def test_an_adapter_of_a_shorter_base_is_refused_with_the_base_it_names(adapter, folder):
    path, base = adapter()
    longer = folder("llama", "longer")
    model = random_model("llama")
    model.config.num_hidden_layers = 5
    AutoModelForCausalLM.from_config(model.config).save_pretrained(longer.path)
    refused(rf"8 of the 20 weights .*layers\.3\..* says that it is for {base}", path, longer.path)


@pytest.mark.parametrize(
    "config",
    [
        peft.PromptTuningConfig(num_virtual_tokens=3, task_type="CAUSAL_LM"),
        peft.PrefixTuningConfig(num_virtual_tokens=3, task_type="CAUSAL_LM"),
    ],
    ids=["prompt", "prefix"],
)
def test_what_is_no_weights_is_refused_by_its_kind(tmp_path, folder, config):
    base = folder().path
    model = peft.get_peft_model(random_model("llama"), config)
    model.save_pretrained(tmp_path / "adapter")
    kind = config.peft_type.value
    refused(rf"adapter of the kind {kind}, which changes what the model is given", tmp_path / "adapter", base)
    with pytest.raises(ModelError, match=f"adapter of the kind {kind}"):
        load_checkpoint(model, tokenizer=byte_tokenizer())


def test_an_adapter_that_works_around_the_model_is_refused(folder):
    class Louder(peft.PeftModelForCausalLM):
        def forward(self, *args, **named):
            output = super().forward(*args, **named)
            output.logits = output.logits * 2
            return output

    model = Louder(random_model("llama"), KINDS["lora"]).eval()
    with pytest.raises(ModelError, match="acts around the model and not in its layers"):
        load_checkpoint(model, tokenizer=byte_tokenizer())


def test_an_adapter_of_a_classifier_has_no_head(adapter):
    path, base = adapter()
    settings = json.loads((path / "adapter_config.json").read_text())
    (path / "adapter_config.json").write_text(json.dumps(settings | {"task_type": "SEQ_CLS"}))
    refused("adapter for the task SEQ_CLS, which has no language-modelling head", path, base)


def test_tokens_that_came_with_an_adapter_have_their_rows(tmp_path, folder):
    base = folder().path
    model = random_model("llama")
    model.resize_token_embeddings(262, mean_resizing=False)
    config = peft.LoraConfig(
        r=2,
        target_modules=["q_proj"],
        modules_to_save=["embed_tokens", "lm_head"],
        task_type="CAUSAL_LM",
    )
    whole = adapted(config, base=model)
    whole.peft_config["default"].base_model_name_or_path = str(base)
    whole.save_pretrained(tmp_path / "adapter")
    tokenizer = byte_tokenizer()
    tokenizer.add_tokens(["<|think|>"])
    tokenizer.save_pretrained(tmp_path / "adapter")
    found = load_checkpoint(tmp_path / "adapter", device="cpu")
    assert found.encode("<|think|>") == (259,)
    assert found.model.get_output_embeddings().weight.shape[0] == 262


def test_the_tokenizer_of_an_adapter_goes_before_its_bases(adapter):
    path, base = adapter()
    tokenizer = byte_tokenizer()
    tokenizer.chat_template = "{{ messages[0].content }}"
    tokenizer.save_pretrained(path)
    assert load_checkpoint(path, device="cpu").takes_messages
    assert load_without_weights(str(path)).takes_messages
    assert load_without_weights(str(base), adapter=str(path)).adapter == str(path)
    assert not load_checkpoint(path, tokenizer=str(base), device="cpu").takes_messages


def test_what_is_no_adapter_is_refused(adapter, tmp_path, monkeypatch):
    path, base = adapter()
    with pytest.raises(ModelError, match=r"no adapter_config\.json in this folder"):
        load_checkpoint(base, adapter=base)
    with pytest.raises(ModelError, match=r"it has some inside: adapter"):
        load_checkpoint(base, adapter=tmp_path)
    with pytest.raises(ModelError, match=f"is a file; expected the folder of an adapter: --adapter {path}"):
        load_checkpoint(base, adapter=path / "adapter_config.json")
    with pytest.raises(UnknownNameError, match=r"unknown adapter './nothing'"):
        load_checkpoint(base, adapter="./nothing")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(HubUnavailableError, match="adapter 'nobody/nothing' is not on this machine"):
        load_checkpoint(base, adapter="nobody/nothing")


def test_an_adapter_whose_base_is_gone_says_what_to_give(adapter):
    path, base = adapter()
    shutil.rmtree(base)
    with pytest.raises(ModelError, match=rf"is an adapter for {base}, which is not here .*--model BASE"):
        load_checkpoint(path)
    settings = json.loads((path / "adapter_config.json").read_text())
    (path / "adapter_config.json").write_text(json.dumps(settings | {"base_model_name_or_path": None}))
    with pytest.raises(ModelError, match=r"does not say which model the adapter is for"):
        load_checkpoint(path)


def test_without_peft_the_extra_is_named(adapter, monkeypatch):
    path, base = adapter()
    monkeypatch.setitem(__import__("sys").modules, "peft", None)
    with pytest.raises(ModelError, match=r"pip install 'codesample\[peft\]'"):
        load_checkpoint(base, adapter=path)
