"""Facts about a card; asked of a stand-in where there is none."""

import json
import subprocess
from types import SimpleNamespace

import pytest
import torch

from codesample.bench import gpu_environment as module
from codesample.bench.gpu_environment import gpu_environment


@pytest.fixture(autouse=True)
def _known_copy(monkeypatch):
    monkeypatch.setattr(module, "copy_rate", lambda device: 3e12)


@pytest.fixture
def card(monkeypatch):
    shown = SimpleNamespace(major=9, minor=0, multi_processor_count=132, total_memory=150 * 2**30)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: shown)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "a card")
    monkeypatch.setattr(module, "free_memory", lambda _: 140 * 2**30)
    return torch.device("cuda", 0)


def test_a_cpu_has_no_facts_of_a_card():
    found = gpu_environment(torch.device("cpu"))
    assert (found["driver"], found["capability"], found["multiprocessors"]) == (None, None, None)
    assert found["copy_bytes_per_second"] == 3e12
    assert found["memory_bytes"] > found["free_bytes"] > 0
    assert json.loads(json.dumps(found)) == found


def test_a_cards_facts_are_the_cards(card, monkeypatch):
    told = subprocess.CompletedProcess([], 0, stdout="580.159.04\n580.159.04\n")
    monkeypatch.setattr(module.subprocess, "run", lambda *_, **__: told)
    found = gpu_environment(card)
    assert (found["device"], found["driver"], found["capability"]) == ("a card", "580.159.04", "9.0")
    assert (found["memory_bytes"], found["free_bytes"]) == (150 * 2**30, 140 * 2**30)


@pytest.mark.parametrize("error", [FileNotFoundError(2, "no nvidia-smi"), subprocess.TimeoutExpired("x", 20)])
def test_without_the_drivers_tool_its_version_is_missing(card, monkeypatch, error):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(module.subprocess, "run", fail)
    monkeypatch.setattr(module, "machine", lambda *_: {})
    assert gpu_environment(card)["driver"] is None
