"""Code of a checkpoint: refused at once by name, never asked about, and not run where it is not needed."""

from __future__ import annotations

import json

import pytest

from codesample.errors import ModelError
from codesample.sampling.checkpoint import load_checkpoint, load_without_weights

TRAP = "raise AssertionError('this code must not run')\n"


@pytest.fixture(autouse=True)
def _terminal(monkeypatch):
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda *_: pytest.fail("a question was asked"))


@pytest.mark.parametrize(
    "brings",
    [
        {"AutoConfig": "own.Own"},
        {"AutoModelForCausalLM": "own.Own"},
        {"AutoModel": "own.Own"},
        {"AutoConfig": "someone/else--own.Own", "AutoModelForCausalLM": "someone/else--own.Own"},
    ],
    ids=["config", "model", "base", "elsewhere"],
)
def test_code_that_is_needed_is_refused_by_name(folder, brings, capfd):
    made = folder()
    (made.path / "own.py").write_text(TRAP)
    made.settings(model_type="own", auto_map=brings)
    for load in (load_checkpoint, lambda path: load_without_weights(str(path))):
        with pytest.raises(ModelError, match=r"brings code of its own.*--trust-remote-code") as error:
            load(made.path)
        assert str(made.path) in str(error.value)
    assert capfd.readouterr().out == ""


def test_code_that_transformers_has_itself_is_not_needed(folder):
    made = folder()
    (made.path / "own.py").write_text(TRAP)
    made.settings(auto_map={"AutoConfig": "own.Own", "AutoModelForCausalLM": "own.Own"})
    assert type(load_checkpoint(made.path, device="cpu").model).__name__ == "LlamaForCausalLM"


def test_code_of_a_tokenizer_is_refused_and_another_tokenizer_serves(folder, tmp_path):
    made, other = folder(), folder("llama", "other")
    settings = json.loads((made.path / "tokenizer_config.json").read_text())
    settings |= {"tokenizer_class": "Own", "auto_map": {"AutoTokenizer": ["own.Own", None]}}
    (made.path / "tokenizer_config.json").write_text(json.dumps(settings))
    (made.path / "own.py").write_text(TRAP)
    with pytest.raises(ModelError, match="brings code of its own"):
        load_checkpoint(made.path)
    assert load_checkpoint(made.path, tokenizer=other.path, device="cpu")


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "\xff"])
def test_settings_that_are_none_are_refused_in_one_line(folder, text):
    path = folder().path
    (path / "config.json").write_text(text)
    with pytest.raises(ModelError) as error:
        load_checkpoint(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)
