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
