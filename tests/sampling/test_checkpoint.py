import json
import sys

import pytest
import torch

from codesample.errors import HubUnavailableError, ModelError, ParameterError, UnknownNameError
from codesample.sampling import Sampler
from codesample.sampling.checkpoint import load_checkpoint, load_without_weights
from codesample.sampling.loading import weights_size
from codesample.testing.models import byte_tokenizer, random_model


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("checkpoint")
    random_model("llama").save_pretrained(path)
    byte_tokenizer().save_pretrained(path)
    return path


def test_a_folder_gives_the_model_that_was_saved(folder):
    loaded = Sampler(folder)
    assert loaded.describe()["path"] == "shared"
    assert loaded.describe()["parameters"] == sum(p.numel() for p in random_model("llama").parameters())
    expected = Sampler(random_model("llama"), tokenizer=byte_tokenizer()).sample("abc", n=3, max_new_tokens=9)
    assert [c.token_ids for c in loaded.sample("abc", n=3, max_new_tokens=9)] == [
        c.token_ids for c in expected
    ]


def test_dtype_and_device_are_as_asked(folder):
    assert load_checkpoint(folder, dtype="bfloat16", device="cpu").model.dtype == torch.bfloat16
    assert load_checkpoint(folder).model.dtype == torch.float32
    with pytest.raises(ParameterError, match="dtype = 'float8'"):
        load_checkpoint(folder, dtype="float8")
    with pytest.raises(ParameterError, match="device = 'gpu'"):
        load_checkpoint(folder, device="gpu")


def test_a_name_that_is_none_suggests_a_near_one():
    with pytest.raises(UnknownNameError, match="unknown model 'tinny'; did you mean 'tiny'"):
        load_checkpoint("tinny")


def test_a_folder_without_a_checkpoint_is_refused(tmp_path):
    with pytest.raises(ModelError, match=r"no config.json"):
        load_checkpoint(tmp_path)


def test_damaged_weights_are_refused_in_one_line(folder, tmp_path):
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "model.safetensors").write_bytes(b"not weights")
    with pytest.raises(ModelError, match=r"model.safetensors is cut short or no") as error:
        load_checkpoint(tmp_path)
    assert "\n" not in str(error.value)


def test_another_kind_of_model_is_refused(folder, tmp_path):
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(
        json.dumps(config | {"model_type": "vit", "architectures": ["ViTModel"]})
    )
    with pytest.raises(ModelError, match="causal language model"):
        load_checkpoint(tmp_path)


def test_a_hub_id_that_cannot_be_fetched_says_what_to_do(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(HubUnavailableError, match="give --model a folder") as error:
        load_checkpoint("nobody/no-such-model")
    assert "\n" not in str(error.value)


def test_a_model_larger_than_memory_is_refused_before_its_weights_are_read(folder, monkeypatch):
    monkeypatch.setattr(weights_size, "free_memory", lambda device: 1000)
    with pytest.raises(ModelError, match=r"weights take .* GiB .* choose a smaller model"):
        load_checkpoint(folder)


def test_bos_is_added_once_and_eos_never(folder):
    from tokenizers.processors import TemplateProcessing

    tokenizer = byte_tokenizer()
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 256), ("</s>", 257)]
    )
    loaded = load_checkpoint(random_model("llama"), tokenizer=tokenizer)
    plain = byte_tokenizer()("a\n")["input_ids"]
    assert loaded.encode("a\n") == (256, *plain)
    assert loaded.encode("<s>a\n") == (256, *plain)
    assert loaded.encode("") == (256,)


def test_only_an_eos_that_the_tokenizer_adds_is_dropped():
    from tokenizers.processors import TemplateProcessing

    model, tokenizer = random_model("llama"), byte_tokenizer()
    plain = tokenizer("a")["input_ids"]
    # chat models end their turns with a token of their own
    model.generation_config.eos_token_id = [257, 258]
    loaded = load_checkpoint(model, tokenizer=tokenizer)
    assert loaded.encode("a<pad>") == (*plain, 258)
    assert loaded.encode("a</s>") == (*plain, 257)
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 256), ("</s>", 257)]
    )
    assert loaded.encode("a<pad>") == (256, *plain, 258)
    assert loaded.encode("a</s>") == (256, *plain, 257)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"device": "meta"}, "device = 'meta': the loaded model is on cpu"),
        ({"dtype": "bfloat16"}, r"dtype = 'bfloat16': the loaded model has torch\.float32"),
        ({"dtype": torch.float64}, r"dtype = 'torch\.float64': the loaded model has torch\.float32"),
        ({"revision": "main"}, "revision = 'main': the model is loaded already"),
    ],
)
def test_a_loaded_model_is_not_asked_to_be_another(asked, message):
    with pytest.raises(ParameterError, match=message):
        load_checkpoint(random_model("llama"), tokenizer=byte_tokenizer(), **asked)


def test_a_loaded_model_may_be_named_as_what_it_is():
    model = random_model("llama")
    loaded = load_checkpoint(model, tokenizer=byte_tokenizer(), device="cpu", dtype="float32")
    assert loaded.model is model


@pytest.fixture
def custom(folder, tmp_path):
    """A checkpoint whose architecture and tokenizer are code beside it."""
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    config = json.loads((tmp_path / "config.json").read_text())
    names = {"AutoConfig": "own.OwnConfig", "AutoModelForCausalLM": "own.OwnModel"}
    (tmp_path / "config.json").write_text(json.dumps(config | {"model_type": "own", "auto_map": names}))
    (tmp_path / "own.py").write_text(
        "from transformers import LlamaConfig, LlamaForCausalLM\n"
        "class OwnConfig(LlamaConfig):\n    model_type = 'own'\n"
        "class OwnModel(LlamaForCausalLM):\n    config_class = OwnConfig\n"
    )
    return tmp_path


def test_code_of_a_checkpoint_is_refused_without_a_question(custom, monkeypatch, capfd):
    monkeypatch.setattr("builtins.input", lambda *_: pytest.fail("a question was asked"))
    with pytest.raises(ModelError, match=r"brings code of its own.*--trust-remote-code") as error:
        load_checkpoint(custom)
    assert str(custom) in str(error.value)
    assert "\n" not in str(error.value)
    assert capfd.readouterr().out == ""


def test_code_of_a_checkpoint_runs_where_it_is_trusted(custom, monkeypatch, tmp_path_factory):
    monkeypatch.setattr(
        "transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path_factory.mktemp("modules"))
    )
    monkeypatch.setattr("sys.path", [*sys.path])
    sampler = Sampler(custom, trust_remote_code=True)
    assert type(sampler.checkpoint.model).__name__ == "OwnModel"
    assert sampler.describe()["trust_remote_code"] is True
    assert Sampler("tiny").describe()["trust_remote_code"] is False
    expected = Sampler(random_model("llama"), tokenizer=byte_tokenizer()).sample("abc", max_new_tokens=5)
    assert sampler.sample("abc", max_new_tokens=5)[0].token_ids == expected[0].token_ids


def test_code_of_a_tokenizer_is_refused_as_well(folder, tmp_path):
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    settings = json.loads((tmp_path / "tokenizer_config.json").read_text())
    settings |= {"tokenizer_class": "Own", "auto_map": {"AutoTokenizer": [None, "own.Own"]}}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(settings))
    with pytest.raises(ModelError, match="brings code of its own"):
        load_without_weights(str(tmp_path))
