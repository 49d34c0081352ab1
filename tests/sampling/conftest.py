"""Small models with random weights, for one process and for several that share them or their prompts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM

from codesample.sampling import int8_matmul
from codesample.sampling.loading.checkpoint_origin import CheckpointOrigin
from codesample.sampling.loading.tokenizer_loading import load_tokenizer
from codesample.testing.models import byte_tokenizer, random_model

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(
    params=[int8_matmul._Fbgemm(), int8_matmul._OneDnn(), int8_matmul._OneDnn(8, 8)],
    ids=lambda kernel: f"{type(kernel).__name__}-{kernel.weight_bits}",
)
def kernel(request):
    """What multiplies in 8 bits here."""
    if not int8_matmul._is_exact(request.param):
        pytest.skip("not exact on this processor, so never chosen")
    return request.param


@pytest.fixture(scope="session")
def tokenizer():
    return byte_tokenizer()


@pytest.fixture(scope="session")
def llama():
    return random_model("llama")


@pytest.fixture(scope="session")
def divisible(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `llama` and, with tied embeddings and biases, `qwen2`; 4 heads over 2 of keys."""
    place = tmp_path_factory.mktemp("divisible")
    tokenizer = load_tokenizer(CheckpointOrigin("tiny", str(ROOT / "codesample/tiny/weights")), None)
    # an odd size: the head's shards are of two sizes
    shape = {
        "vocab_size": len(tokenizer) + 1,
        "hidden_size": 32,
        "intermediate_size": 52,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 1024,
        "eos_token_id": tokenizer.eos_token_id,
    }
    torch.manual_seed(0)
    models = {
        "llama": LlamaForCausalLM(LlamaConfig(**shape)),
        "qwen2": Qwen2ForCausalLM(Qwen2Config(**shape, tie_word_embeddings=True)),
    }
    for name, model in models.items():
        for weight in model.parameters():
            if weight.dim() > 1:
                torch.nn.init.normal_(weight, std=0.3)
        model.save_pretrained(place / name)
        tokenizer.save_pretrained(place / name)
    return place


@pytest.fixture
def two_processes(processes: Callable[..., subprocess.Popen[str]]) -> Callable[..., subprocess.Popen[str]]:
    """Return how to start torchrun with two processes on the CPU."""
    return partial(processes, 2)


@pytest.fixture
def processes() -> Callable[..., subprocess.Popen[str]]:
    """Return how to start torchrun with so many processes on the CPU."""

    def start(count: int, *words: str | Path) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [
                sys.executable,
                "-m",
                "torch.distributed.run",
                "--nproc-per-node",
                str(count),
                "--standalone",
                *map(str, words),
            ],
            env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": ""},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    return start


@pytest.fixture
def found(tmp_path: Path) -> Callable[[int], dict[str, object]]:
    """Return what a rank has written down."""
    return lambda rank: json.loads((tmp_path / f"rank{rank}.json").read_text(encoding="utf-8"))
