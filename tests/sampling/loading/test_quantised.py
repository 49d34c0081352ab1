"""Quantised folders: sized by what is stored, and refused with the package that reads them."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import load_file, save_file

from codesample import Sampler
from codesample.errors import ModelError
from codesample.sampling.checkpoint import load_checkpoint
from codesample.sampling.loading import weights_size
from codesample.sampling.loading.quantised import bits_of, quantised_by, unpacks
from codesample.sampling.loading.weight_files import StoredWeight
from codesample.sampling.loading.weights_size import weight_bytes
from codesample.testing.models import random_model

CPU, CUDA = torch.device("cpu"), torch.device("cuda")
BNB = {"quant_method": "bitsandbytes", "load_in_4bit": True}
GROUPS = {"group_0": {"weights": {"num_bits": 4}, "targets": ["Linear"]}}


@pytest.mark.parametrize(
    ("quantisation", "packages"),
    [
        (BNB, "bitsandbytes"),
        ({"load_in_8bit": True}, "bitsandbytes"),
        ({"quant_method": "awq", "bits": 4}, "gptqmodel"),
        ({"quant_method": "gptq", "bits": 4}, "optimum"),
        ({"quant_method": "compressed-tensors", "config_groups": GROUPS}, "compressed-tensors"),
        ({"quant_method": "aqlm"}, r"'aqlm\[gpu,cpu\]'"),
        ({"quant_method": "fp8"}, "accelerate"),
    ],
)
def test_a_missing_package_is_named_before_anything_is_read(folder, monkeypatch, quantisation, packages):
    monkeypatch.setattr("codesample.sampling.loading.quantised.find_spec", lambda module: None)
    made = folder()
    made.settings(quantization_config=quantisation)
    (made.path / "model.safetensors").unlink()
    with pytest.raises(ModelError, match=rf"quantised by \S+, which needs .*: pip install .*{packages}"):
        load_checkpoint(made.path)


def test_a_kind_that_nothing_reads_is_named(folder):
    path = folder().settings(quantization_config={"quant_method": "exl3"})
    with pytest.raises(
        ModelError, match=r"quantised by 'exl3', which transformers does not read; it reads aqlm"
    ):
        load_checkpoint(path)


@pytest.mark.parametrize(
    ("quantisation", "method", "bits"),
    [
        ({}, "", 16),
        (BNB, "bitsandbytes", 4.28),
        ({"quant_method": "bitsandbytes_8bit"}, "bitsandbytes", 8.56),
        ({"quant_method": "gptq", "bits": 3}, "gptq", 3.21),
        ({"quant_method": "compressed-tensors", "config_groups": GROUPS}, "compressed-tensors", 4.28),
        ({"quant_method": "fp8"}, "fp8", 8),
        ({"quant_method": "mxfp4"}, "mxfp4", 4.25),
        ({"quant_method": "vptq"}, "vptq", 16),
    ],
)
def test_bits_are_read_off_the_settings(quantisation, method, bits):
    settings = {"quantization_config": quantisation}
    assert quantised_by(settings) == method
    assert bits_of(settings) == pytest.approx(bits)
    assert quantised_by({"text_config": settings}) == method


def test_what_no_device_but_a_gpu_multiplies_with_is_unpacked():
    assert unpacks({"quantization_config": {"quant_method": "fp8"}}, CPU)
    assert not unpacks({"quantization_config": {"quant_method": "fp8"}}, CUDA)
    assert unpacks({"quantization_config": {"quant_method": "fp8", "dequantize": True}}, CUDA)
    assert not unpacks({"quantization_config": BNB}, CPU)


def test_a_model_of_four_bits_needs_a_fourth_and_not_the_whole(tmp_path):
    model = random_model("llama")
    numbers = sum(each.numel() for each in model.parameters())
    plain = 2 * 259 * 64
    settings = {"quantization_config": BNB}
    found = weight_bytes(model, settings, device=CUDA, dtype=torch.bfloat16)
    assert found == int(plain * 2 + (numbers - plain) * 4.28 / 8)
    stored = {"a": StoredWeight("U8", (100,), 100, tmp_path), "b": StoredWeight("BF16", (8,), 16, tmp_path)}
    assert weight_bytes(model, settings, device=CUDA, dtype=torch.bfloat16, stored=stored) == 116
    assert weight_bytes(model, {}, device=CPU, dtype=torch.bfloat16, stored=stored) == numbers * 2


def test_the_fit_is_that_of_what_is_stored(folder, monkeypatch):
    monkeypatch.setattr("codesample.sampling.loading.quantised.find_spec", lambda module: True)
    monkeypatch.setattr(weights_size, "free_memory", lambda device: 100_000)
    path = folder().settings(quantization_config=BNB)
    with pytest.raises(ModelError, match=r"weights take 0\.0 GiB quantised by bitsandbytes, and cpu has"):
        load_checkpoint(path, device="cpu")


def test_weights_of_eight_bits_are_the_numbers_they_stand_for(folder):
    """A block of fp8 is its codes times its scale; where nothing multiplies with them, they are unpacked."""
    made = folder()
    found = load_file(made.path / "model.safetensors")
    expected, block = {}, 32
    for key in [key for key in found if "proj" in key]:
        weight = found[key]
        scales = torch.rand(-(-weight.shape[0] // block), -(-weight.shape[1] // block)) + 0.5
        found[key] = weight.to(torch.float8_e4m3fn)
        found[f"{key}_scale_inv"] = scales
        whole = scales.repeat_interleave(block, 0)[: weight.shape[0]].repeat_interleave(block, 1)
        expected[key] = found[key].float() * whole[:, : weight.shape[1]]
    save_file(found, made.path / "model.safetensors")
    made.settings(
        quantization_config={
            "quant_method": "fp8",
            "weight_block_size": [block, block],
            "activation_scheme": "dynamic",
        }
    )
    loaded = Sampler(made.path, device="cpu")
    state = loaded.checkpoint.model.state_dict()
    for key, value in expected.items():
        assert torch.equal(state[key].float(), value), key
    assert len(loaded.sample("ab", max_new_tokens=3)[0].token_ids) <= 3
