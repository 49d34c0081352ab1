"""Two and four processes that share a prompt's keys draw what one draws that has all of them."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from codesample.errors import ParameterError
from codesample.sampling.sampler import Sampler
from codesample.testing.models import byte_tokenizer, random_model

CHECKS = Path(__file__).with_name("host_checks.py")
# float32: log-probabilities have its own rounding in every layer; of weights as models begin with, 1e-6
WITHIN = {"float64": 1e-10, "float32": 1e-5, "usual": 1e-6}


@pytest.mark.slow
@pytest.mark.parametrize("size", [2, 4])
def test_several_processes_are_as_one(
    size: int,
    divisible: Path,
    tmp_path: Path,
    processes: Callable[..., subprocess.Popen[str]],
    found: Callable[[int], dict[str, Any]],
) -> None:
    said, _ = processes(size, CHECKS, divisible, tmp_path).communicate(timeout=280)
    assert (tmp_path / "rank0.json").exists(), said
    ranks = [found(rank) for rank in range(size)]
    compared = {name: each for name, each in ranks[0].items() if name.split()[-1] in WITHIN}
    assert len(compared) == (13 if size == 2 else 9)
    for name, each in compared.items():
        assert each["tokens"], name
        assert each["drawn"] > 60, name
        assert each["apart"] <= WITHIN[name.split()[-1]], name
        # several processes round as one does
        assert "float32" not in name or each["several"] <= 2 * each["one"], name
    # all have drawn the same to the last bit, and say the same
    for name in (*compared, "described", "read", "back", "refused", "parted"):
        assert all(each[name] == ranks[0][name] for each in ranks), name
    first = ranks[0]
    assert first["described"] == f"exact, prefill=ring(chunk=8), hosts={size}"
    assert first["read"]
    assert first["back"] == 0
    # each has its share, and room for no more
    tokens = first["held"][0]
    assert sum(each["held"][1] for each in ranks) == tokens
    assert all(each["held"][2] <= tokens / size + 8 for each in ranks)
    for given, expected in zip(
        first["refused"],
        (
            f"hosts = {size + 1}: a prompt's keys are spread over all processes",
            "prefill = 'ring' passes keys from process to process",
            "prefix = 'quest' chooses among all keys",
            "prefill = 'criti' needs all keys",
        ),
        strict=True,
    ):
        assert given.startswith("ParameterError: ")
        assert expected in given
    # the first one alone asks, and the others do what it does
    assert [each["led"] for each in ranks[1:]] == [None] * (size - 1)
    led = first["led"]
    assert led["tokens"]
    assert led["apart"] <= WITHIN["float64"]
    assert led["policy"] == f"exact, prefill=ring(chunk=2048), hosts={size}"
    assert led["reproducibility"] == "exact"
    assert "is for models that one process has whole" in led["refused"]
    assert "drawn different tokens" in first["parted"]
    assert f"rank {size - 1} of {size} ran out of memory on cpu" in ranks[-1]["lost"]
    assert f"rank 0 of the {size} processes" in first["lost"]


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        (
            "hosts=2",
            r"hosts = 2: a prompt's keys are spread over all processes of a launcher, and 1 is joined",
        ),
        ("prefill=ring, hosts=2", r"hosts = 2: .* torchrun --nproc-per-node 2 -m -- codesample"),
        ("prefill=ring", r"prefill = 'ring' passes keys from process to process: give hosts = N"),
    ],
)
def test_one_process_alone_is_refused_by_name(policy: str, said: str) -> None:
    sampler = Sampler(random_model("llama"), tokenizer=byte_tokenizer())
    with pytest.raises(ParameterError, match=said):
        sampler.with_policy(policy)


def test_one_host_is_the_plain_path() -> None:
    sampler = Sampler(random_model("llama"), tokenizer=byte_tokenizer(), prefix_cache=0)
    one = sampler.with_policy("hosts=1")
    assert one.policy_account is None
    assert one.describe() == sampler.describe()
    got, expected = (each.sample("def f", 2, max_new_tokens=6) for each in (one, sampler))
    assert [each.logprobs for each in got] == [each.logprobs for each in expected]
