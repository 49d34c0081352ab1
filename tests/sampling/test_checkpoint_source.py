import subprocess
import sys

import pytest

from codesample.engines.model_options import ModelOptions
from codesample.errors import HubUnavailableError, ModelError, UnknownNameError
from codesample.sampling import native
from codesample.sampling.checkpoint import load_checkpoint
from codesample.sampling.checkpoint_source import BUILT_IN_MODELS, checkpoint_source, hub_file, is_on_hub


@pytest.mark.parametrize(
    "name",
    ["gpt2", "distilgpt2", "bert-base-uncased", "openai-community/gpt2", "Qwen/Qwen2.5-Coder-0.5B", "a/tiny"],
)
def test_an_id_of_the_hub_needs_no_owner(name):
    assert is_on_hub(name)
    assert checkpoint_source(name) == name


@pytest.mark.parametrize("name", ["tiyn", "tinny", "Tiny", "tin"])
def test_a_name_near_a_built_in_one_is_that_misspelt(name):
    assert not is_on_hub(name)
    with pytest.raises(UnknownNameError, match=f"unknown model '{name}'; did you mean 'tiny'"):
        checkpoint_source(name)


@pytest.mark.parametrize(
    "name",
    [
        *("a/b/c", "./gpt2", "/gpt2", "~/gpt2", "gpt 2", "", "gpt2.", "-gpt2", "a--b", "a..b", "x.git", "ü"),
        *("weights.gguf", "model.safetensors", "x.bin", "a\nb", "gpt2\n"),
    ],
)
def test_what_has_not_the_form_of_an_id_is_unknown(name):
    assert not is_on_hub(name)
    with pytest.raises(UnknownNameError, match=r"Give a built-in name .* a folder, a GGUF file or a hub id"):
        checkpoint_source(name)


def test_the_built_in_model_is_no_id():
    assert not is_on_hub("tiny")
    assert checkpoint_source("tiny") == str(BUILT_IN_MODELS["tiny"])


def test_a_folder_goes_before_an_id_of_the_same_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "gpt2").mkdir()
    assert not is_on_hub("gpt2")
    with pytest.raises(ModelError, match=r"gpt2: no config\.json in this folder"):
        checkpoint_source("gpt2")
    (tmp_path / "gpt2" / "config.json").write_text("{}")
    assert checkpoint_source("gpt2") == "gpt2"


def test_a_gguf_file_is_a_checkpoint_and_a_folder_with_one_means_it(tmp_path):
    gguf = tmp_path / "m-q4.GGUF"
    gguf.write_bytes(b"GGUF")
    assert checkpoint_source(str(gguf)) == checkpoint_source(str(tmp_path)) == str(gguf)
    (tmp_path / "m-q8.gguf").write_bytes(b"GGUF")
    with pytest.raises(ModelError, match=r"several GGUF files \(m-q4\.GGUF, m-q8\.gguf\); name one: --model"):
        checkpoint_source(str(tmp_path))
    (tmp_path / "config.json").write_text("{}")
    assert checkpoint_source(str(tmp_path)) == str(tmp_path)


def test_a_file_of_the_hub_is_named_behind_its_id():
    assert is_on_hub("owner/name-GGUF/sub/m-q4.gguf")
    assert hub_file("owner/name-GGUF/m-q4.gguf") == ("owner/name-GGUF", "m-q4.gguf")
    assert checkpoint_source("owner/name/m.gguf") == "owner/name/m.gguf"
    assert hub_file("owner/name") is None
    assert not is_on_hub("owner/na--me/m.gguf")


def test_a_file_says_what_loads_it(tmp_path):
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(b"")
    with pytest.raises(ModelError, match="is a file; expected a folder"):
        checkpoint_source(str(weights))
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ModelError, match=f"name its folder: --model {tmp_path}"):
        checkpoint_source(str(weights))


def test_an_id_without_an_owner_that_cannot_be_fetched_says_what_to_do(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(HubUnavailableError, match=r"'no-such-model' is not on this machine .*give --model a"):
        load_checkpoint("no-such-model")


def test_the_hub_is_looked_for_before_a_library_is_imported_that_reads_its_settings():
    """Without a network each library waits for the hub for itself, a minute in all, unless told before."""
    code = """
import sys
from codesample.engines.model_options import ModelOptions
from codesample.sampling import native
native.expect_hub = lambda: print("huggingface_hub" in sys.modules)
sys.modules["codesample.sampling.outline"] = sys.modules["codesample.sampling.sampler"] = None
for options in (ModelOptions("a/b"), ModelOptions("./x", adapter="a/b"), ModelOptions("./x")):
    for look in (native.look_at_native, lambda options: native.open_native(options.model, options)):
        try:
            look(options)
        except ImportError:
            pass
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=100)
    assert done.stdout.split() == ["False"] * 4, done.stderr


@pytest.mark.parametrize(("model", "asked"), [("gpt2", True), ("tiyn", False), ("x.gguf", False)])
def test_the_hub_is_looked_for_where_a_name_means_it(model, asked, monkeypatch):
    called = []
    monkeypatch.setattr(native, "expect_hub", lambda: called.append(model))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises((HubUnavailableError, UnknownNameError)):
        native.open_native(model, ModelOptions(model))
    assert bool(called) is asked
