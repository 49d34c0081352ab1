"""A model and a workload that are small enough to be measured in a test."""

import pytest
from transformers import LlamaConfig

from codesample.bench import random_models, workloads

SMALL = LlamaConfig(
    vocab_size=300,
    hidden_size=64,
    intermediate_size=96,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    max_position_embeddings=256,
)


@pytest.fixture
def small(monkeypatch):
    """Name them "small" and "short"."""
    monkeypatch.setitem(random_models.SHAPES, "small", SMALL)
    monkeypatch.setitem(workloads.WORKLOADS, "short", workloads.Workload(9, (5, 12), 4, 8))


@pytest.fixture
def launch_row():
    """Return what makes a row of the attention benchmark on a GPU, its launches timed one by one."""

    def made(seconds, *, shared=True, **changed):
        parts = [seconds * 0.8, seconds * 0.2] if shared else [seconds]
        names = ("parts_kernel", "join_kernel") if shared else ("single_kernel",)
        return {
            "kind": "attention",
            "device": "a card",
            "commit": "c0ffee",
            "torch": "2.13.0",
            "triton": "3.9.0",
            "threads": None,
            "clock": "CUDA events",
            "dtype": "bfloat16",
            "impl": "triton",
            "model": "mistral-7b",
            "rows": 32,
            "context": 8192,
            "own": 64,
            "prompts": 1,
            "seconds": seconds,
            "launches": {
                "seconds": dict(zip(names, parts, strict=True)),
                "tiling": {"shared": shared, "block_m": 128, "workers": 132},
            },
            "rehearsal": False,
        } | changed

    return made
