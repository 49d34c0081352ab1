"""Files of weights that are cut short or lack are refused by name, before any of them is read."""

from __future__ import annotations

import json

import pytest
import torch

from codesample.errors import ModelError
from codesample.sampling.checkpoint import load_checkpoint
from codesample.sampling.loading.checkpoint_origin import CheckpointOrigin
from codesample.sampling.loading.weight_files import stored_weights
from codesample.testing.models import byte_tokenizer, random_model

INDEX = "model.safetensors.index.json"


@pytest.fixture
def shards(tmp_path):
    random_model("llama").save_pretrained(tmp_path, max_shard_size="100KB")
    byte_tokenizer().save_pretrained(tmp_path)
    assert len(list(tmp_path.glob("model-*.safetensors"))) > 2
    return tmp_path


def test_shards_are_one_model(shards):
    loaded = load_checkpoint(shards, device="cpu").model
    assert all(torch.equal(loaded.state_dict()[k], v) for k, v in random_model("llama").state_dict().items())
    stored = stored_weights(CheckpointOrigin("m", str(shards)))
    assert sum(each.nbytes for each in stored.values()) == sum(p.numel() * 4 for p in loaded.parameters())
    assert stored["lm_head.weight"].shape == (259, 64)


def test_a_shard_that_is_not_there_is_named(shards):
    gone = sorted(shards.glob("model-*.safetensors"))[1]
    gone.unlink()
    with pytest.raises(
        ModelError, match=rf"{gone.name} of the \d+ weight files that {INDEX} names is not in"
    ):
        load_checkpoint(shards)


@pytest.mark.parametrize("kept", [0, 5, 100, -1])
def test_a_shard_that_is_cut_short_is_named(shards, kept):
    cut = sorted(shards.glob("model-*.safetensors"))[-1]
    cut.write_bytes(cut.read_bytes()[:kept])
    with pytest.raises(ModelError, match=rf"{cut.name} .*(cut short|damaged).*download it again"):
        load_checkpoint(shards)


def test_more_bytes_than_promised_are_damage(shards):
    longer = sorted(shards.glob("model-*.safetensors"))[0]
    longer.write_bytes(longer.read_bytes() + b"\0")
    with pytest.raises(ModelError, match=rf"{longer.name} .* damaged"):
        load_checkpoint(shards)


def test_a_header_that_is_no_json_is_damage(shards):
    spoilt = sorted(shards.glob("model-*.safetensors"))[0]
    data = bytearray(spoilt.read_bytes())
    data[8:12] = b"\xff\xff\xff\xff"
    spoilt.write_bytes(bytes(data))
    with pytest.raises(ModelError, match=rf"{spoilt.name} is damaged"):
        load_checkpoint(shards)


def test_an_index_that_promises_what_no_file_holds_is_refused(shards):
    index = json.loads((shards / INDEX).read_text())
    index["weight_map"]["model.layers.9.mlp.up_proj.weight"] = min(index["weight_map"].values())
    (shards / INDEX).write_text(json.dumps(index))
    with pytest.raises(ModelError, match=r"promises weights that are not in .* model\.layers\.9\.mlp"):
        load_checkpoint(shards)
    (shards / INDEX).write_text("[]")
    with pytest.raises(ModelError, match="is no index of weights"):
        load_checkpoint(shards)


def test_a_pointer_in_the_place_of_a_file_says_what_fetches_it(folder):
    path = folder().path
    (path / "model.safetensors").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\n")
    with pytest.raises(ModelError, match=r"pointer of git-lfs: git lfs pull"):
        load_checkpoint(path)


def test_a_folder_without_weights_says_so(folder):
    path = folder().path
    (path / "model.safetensors").unlink()
    with pytest.raises(ModelError, match=r"no file named model\.safetensors"):
        load_checkpoint(path)


def test_weights_of_torch_are_loaded_and_a_damaged_file_is_refused(folder):
    made = folder()
    (made.path / "model.safetensors").unlink()
    torch.save(random_model("llama").state_dict(), made.path / "pytorch_model.bin")
    assert stored_weights(CheckpointOrigin("m", str(made.path))) is None
    loaded = load_checkpoint(made.path, device="cpu").model
    assert torch.equal(loaded.lm_head.weight, random_model("llama").lm_head.weight)
    (made.path / "pytorch_model.bin").write_bytes((made.path / "pytorch_model.bin").read_bytes()[:999])
    with pytest.raises(ModelError, match="cannot be loaded"):
        load_checkpoint(made.path, device="cpu")
