"""The shipped checkpoint: complete, small, and usable through the ordinary loaders."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from codesample.tiny.training.batching import encode
from codesample.tiny.training.corpus import generate

FOLDER = Path(str(files("codesample.tiny"))) / "weights"
PROMPT = (
    "def double(xs: list[int]) -> list[int]:\n"
    '    """Double each one of the numbers in xs.\n\n'
    "    >>> double([1, 2])\n    [2, 4]\n    >>> double([3])\n    [6]\n"
    '    """\n'
)


@pytest.fixture(scope="module")
def model():
    return AutoModelForCausalLM.from_pretrained(FOLDER).eval()


def test_folder_is_complete_and_small():
    names = {path.name for path in FOLDER.iterdir()}
    assert {"config.json", "generation_config.json", "model.safetensors"} <= names
    assert {"tokenizer.json", "tokenizer_config.json", "training.json"} <= names
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) <= 14_000_000


def test_model_is_a_small_llama_in_single_precision(model):
    assert model.config.model_type == "llama"
    assert 2_000_000 <= model.num_parameters() <= 6_000_000
    assert model.dtype == torch.float32


@pytest.fixture(scope="module")
def record():
    return json.loads((FOLDER / "training.json").read_text(encoding="utf-8"))


def test_parameters_are_those_of_the_training_record(model, record):
    assert record["parameters"] == model.num_parameters()


def test_loss_on_functions_it_was_not_trained_on_is_near_the_recorded_one(model, record):
    last = record["runs"][-1]
    seed = 1 + max(run["options"]["seed"] for run in record["runs"])
    functions = list(generate(40, seed=seed, mix=last["options"]["mix"]))
    losses = []
    for function in encode(functions, AutoTokenizer.from_pretrained(FOLDER)):
        ids = torch.tensor(function.ids)
        with torch.no_grad():
            logits = model(ids[None]).logits[0, :-1]
        losses.append(
            torch.nn.functional.cross_entropy(logits, ids[1:], reduction="none")[function.start - 1 :]
        )
    assert torch.cat(losses).mean() < 1.5 * last["loss_curve"][-1]["loss"]


def test_logits_are_finite(model):
    ids = AutoTokenizer.from_pretrained(FOLDER)(PROMPT, return_tensors="pt")["input_ids"]
    with torch.no_grad():
        logits = model(ids).logits
    assert logits.shape == (1, ids.shape[1], model.config.vocab_size)
    assert torch.isfinite(logits).all()


def test_greedy_completion_solves_an_easy_function_and_ends(model):
    tokenizer = AutoTokenizer.from_pretrained(FOLDER)
    ids = tokenizer(PROMPT, return_tensors="pt")["input_ids"]
    mask = torch.ones_like(ids)
    out = model.generate(ids, attention_mask=mask, do_sample=False, max_new_tokens=80)[0, ids.shape[1] :]
    assert out[-1] == tokenizer.eos_token_id
    namespace: dict = {}
    exec(PROMPT + tokenizer.decode(out, skip_special_tokens=True), namespace)
    assert namespace["double"]([4, -1]) == [8, -2]


def test_sampling_loads_nothing_of_what_trained_the_model():
    script = """
import sys
from codesample.records import Request, SamplingParams
from codesample.sampling.sampler import Sampler
requests, params = [Request("a", "def f(x):", (0,))], SamplingParams(max_new_tokens=2)
(drawn,) = Sampler("tiny", device="cpu").stream(requests, params)
assert drawn.token_ids
print([name for name in sys.modules if name.startswith(("codesample.tiny.training", "codesample.bench"))])
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=300, check=True
    )
    assert done.stdout.strip() == "[]"
