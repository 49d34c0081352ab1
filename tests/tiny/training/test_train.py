"""Training on a toy scale: runs repeat, checkpoints reload."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from codesample.tiny.training.train import TrainOptions, save, train

TOY = TrainOptions(
    functions=60, steps=3, vocabulary=320, tokenizer_functions=60, batch_tokens=600, warmup=2, workers=1
)


@pytest.fixture(scope="module")
def trained():
    return train(TOY)


@pytest.mark.slow
def test_same_options_give_the_same_weights_bit_for_bit(trained):
    again = train(TOY).model.state_dict()
    for name, value in trained.model.state_dict().items():
        assert torch.equal(value, again[name]), name


def test_another_seed_gives_other_weights(trained):
    other = train(dataclasses.replace(TOY, seed=1, steps=1))
    assert not torch.equal(other.model.lm_head.weight, trained.model.lm_head.weight)


def test_saved_checkpoint_reloads_in_single_precision(trained, tmp_path):
    model = trained.model
    kept = {name: value.half().float() for name, value in model.state_dict().items()}
    save(tmp_path, trained)
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path)
    assert loaded.dtype == torch.float32
    for name, value in loaded.state_dict().items():
        assert torch.equal(value, kept[name]), name
    assert len(json.loads((tmp_path / "training.json").read_text())["runs"]) == 1
    assert AutoTokenizer.from_pretrained(tmp_path).get_vocab() == trained.tokenizer.get_vocab()


def test_training_goes_on_from_a_checkpoint(trained, tmp_path):
    save(tmp_path / "first", trained)
    still = train(dataclasses.replace(TOY, steps=1, learning_rate=0.0), start=tmp_path / "first")
    for name, value in still.model.state_dict().items():
        assert torch.equal(value, trained.model.state_dict()[name].half().float()), name
    save(tmp_path / "second", still)
    assert len(json.loads((tmp_path / "second" / "training.json").read_text())["runs"]) == 2


@pytest.mark.whole
def test_two_workers_repeat_each_other_bit_for_bit(tmp_path):
    options = ["--steps=2", "--functions=40", "--workers=2"]
    for name in ("first", "second"):
        command = [
            sys.executable,
            "-m",
            "codesample.tiny.training.train",
            f"--out={tmp_path / name}",
            *options,
        ]
        subprocess.run(command, check=True, timeout=300)
    first, second = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("first", "second"))
    assert first == second
