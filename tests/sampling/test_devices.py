"""Devices and dtypes by name: what is not here is refused with what is."""

from __future__ import annotations

import pytest
import torch

from codesample.errors import ParameterError
from codesample.sampling.devices import device_of, dtype_of


@pytest.fixture
def machine(monkeypatch):
    """A machine with so many devices of each kind."""

    def have(*, cuda=0, xpu=0, mps=False):
        for module, count in ((torch.cuda, cuda), (torch.xpu, xpu)):
            monkeypatch.setattr(module, "is_available", lambda count=count: count > 0)
            monkeypatch.setattr(module, "device_count", lambda count=count: count)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)

    return have


@pytest.mark.parametrize(
    ("name", "kind"), [("mps", "Apple MPS"), ("xpu", "Intel XPU"), ("xpu:1", "Intel XPU"), ("cuda:0", "CUDA")]
)
def test_a_device_that_is_not_here_is_refused_with_what_is(machine, name, kind):
    machine()
    with pytest.raises(
        ParameterError, match=rf"device = '{name}': this machine shows no {kind} device; it has cpu$"
    ):
        device_of(name)


def test_of_more_than_there_are_those_there_are_named(machine):
    machine(cuda=2, xpu=1)
    with pytest.raises(
        ParameterError, match=r"shows 2 CUDA devices, counted from 0; it has cpu, cuda:0, cuda:1, xpu:0"
    ):
        device_of("cuda:7")
    with pytest.raises(ParameterError, match=r"device = 'xpu:1': this machine shows 1 Intel XPU device,"):
        device_of(torch.device("xpu:1"))
    assert device_of("cuda:1") == torch.device("cuda:1")
    assert device_of("xpu") == torch.device("xpu")


@pytest.mark.parametrize("name", ["gpu", "cuda:x", "", "meta", "tpu", "cuda:-1"])
def test_what_is_no_device_says_what_is(name):
    with pytest.raises(ParameterError, match=r"expected auto, cpu, cuda, cuda:N, xpu, xpu:N or mps"):
        device_of(name)


def test_auto_takes_cuda_and_else_the_cpu(machine):
    machine(xpu=1, mps=True)
    assert device_of("auto").type == "cpu"
    machine(cuda=1)
    assert device_of("auto").type == "cuda"


def test_a_device_without_float64_is_refused(machine):
    machine(mps=True)
    with pytest.raises(ParameterError, match="drawn in float64, which MPS does not have; use --device cpu"):
        device_of("mps")


def test_dtypes_are_named():
    assert dtype_of("bfloat16") is dtype_of(torch.bfloat16) is torch.bfloat16
    with pytest.raises(ParameterError, match="dtype = 'int8': expected one of float32, bfloat16"):
        dtype_of("int8")
