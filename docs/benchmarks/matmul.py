"""What the numbers that a CPU multiplies in cost and change: speed in turns, and what the model says.

    python docs/benchmarks/matmul.py MODEL HumanEval.jsonl [--only speed] [--ways float32,int8] [...]

For each way of `Sampler(step=...)`, for "arranged", which is "float32" without the weights in 16 bits, and
for each but plain with "-small" behind it, which is without huge pages under the copies: milliseconds of a
decode step with n rows behind the first problem's prompt, each way in turn; of its products alone, one weight
of the model after the other, which is the least that a step can take; and over the problems' prompts with
their references, token by token, against float64: the mean and the largest difference of a token's
log-probability, the mean Kullback-Leibler divergence from float64's distribution in nats, and how often both
have the same likeliest token. With --tokens, texts are as many tokens of problems, one behind the other, and
their last 512 are compared. Beside milliseconds: what one pass over 1 GiB in huge pages reads in a second.
With --only memory: the most that a process of its own for each way has in memory at once, while it loads the
model and draws n candidates of the first problem. Appends a row to matmul_cpu.jsonl beside this file and
prints it.
"""

from __future__ import annotations

import argparse
import copy
import json
import resource
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor

from codesample import Sampler
from codesample.bench.machine import MODELS, machine
from codesample.bench.rounds import Rounds
from codesample.sampling import packed_weights
from codesample.sampling.half_weights import half_kernel
from codesample.sampling.huge_pages import huge_pages
from codesample.sampling.kv_store import KVStore
from codesample.sampling.model_state import ModelState
from codesample.sampling.packed_weights import multiplying
from codesample.sampling.prefill import SegmentTokens, logits_of

ROWS = Path(__file__).with_name("matmul_cpu.jsonl")
WAYS = ("plain", "arranged", "float32", "bfloat16", "int8")
SMALL = "-small"
SHORT, LONG = 4, 28
PASSES = 5
# tokens of a text that are compared at most, and tokens of a pass
LAST, PASS = 512, 256


def texts(data: Path, problems: int) -> list[tuple[str, str]]:
    """Return prompts and their references."""
    entries = [json.loads(line) for line in data.read_text(encoding="utf-8").splitlines()[:problems]]
    return [(each["prompt"], each["canonical_solution"]) for each in entries]


def long_texts(tokenizer: Any, given: list[str], tokens: int) -> list[str]:
    """Return texts of at least as many tokens, made of those given, one behind the other."""
    made = [""]
    for text in given:
        if len(tokenizer(made[-1])["input_ids"]) >= tokens:
            made.append("")
        made[-1] += text + "\n\n"
    return made[:-1] or made


def packed(way: str, first: Sampler) -> Sampler:
    """Return a sampler of the same model that has its copies."""
    base = way.removesuffix(SMALL)
    step: Any = "float32" if base == "arranged" else base
    sampler = Sampler(first.checkpoint.model, tokenizer=first.checkpoint.tokenizer, step=step)
    pages = nullcontext if base != way else huge_pages
    with (
        patch.object(packed_weights, "half_kernel", lambda: base != "arranged" and half_kernel()),
        patch.object(packed_weights, "huge_pages", pages),
    ):
        assert sampler._state.packed is not None, "there is no memory for copies"
    return sampler


def step_seconds(sampler: Sampler, prompt: str, n: int) -> float:
    """Time one decode step: a long job less a short one, whose prompt is stored."""
    took = []
    for tokens in (SHORT, LONG):
        begun = perf_counter()
        sampler.sample(prompt, n=n, max_new_tokens=tokens, stop=("no such text",), top_p=0.95)
        took.append(perf_counter() - begun)
    return (took[1] - took[0]) / (LONG - SHORT)


@torch.inference_mode()
def product_seconds(sampler: Sampler, n: int) -> float:
    """Time the products of one step and nothing else, one weight after the other."""
    packed = sampler._state.packed
    assert packed is not None, "there is no memory for copies"
    given = [(torch.randn(n, 1, each.layers[0].in_features), each.packed) for each in packed._copies]
    took = []
    for _ in range(PASSES):
        begun = perf_counter()
        for rows, weight in given:
            weight.multiplied(rows, None)
        took.append(perf_counter() - begun)
    return median(took)


@torch.inference_mode()
def bytes_a_second(numbers: Tensor) -> float:
    """Time one read of numbers in memory."""
    begun = perf_counter()
    numbers.amax()
    return numbers.nbytes / (perf_counter() - begun)


def peak_mib(model: str, data: Path, way: str, n: int) -> int:
    """Return the most that a process takes which loads a model and draws with it."""
    words = [sys.executable, __file__, model, str(data), "--only", "peak", "--ways", way, "-n", str(n)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    return int(done.stdout.split()[-1])


def print_peak(model: str, way: str, prompt: str, n: int) -> None:
    """Load, draw and print what `peak_mib` reads."""
    if way == "arranged":
        sampler = packed(way, Sampler(model, step="plain"))
    else:
        sampler = Sampler(model, step=way)  # type: ignore[arg-type]
    sampler.sample(prompt, n=n, max_new_tokens=LONG, stop=("no such text",), top_p=0.95)
    # Linux counts in KiB
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10)


def speed(samplers: dict[str, Sampler], prompt: str, n: int, count: int) -> dict[str, Any]:
    """Return milliseconds of a step and of its products by way, and how many times as fast each is."""
    rounds, products = Rounds(), Rounds()
    with huge_pages():
        numbers = torch.ones(1 << 28)
    read = []
    for number in range(count + 1):
        read.append(bytes_a_second(numbers))
        for way, sampler in samplers.items():
            took = step_seconds(sampler, prompt, n)
            if number:
                rounds.add(way, took)
            if number and way != "plain":
                products.add(way, product_seconds(sampler, n))
    base = "arranged" if "arranged" in samplers else next(iter(samplers))
    return {
        "step_ms": {way: round(1000 * median(each), 1) for way, each in rounds.seconds.items()},
        "products_ms": {way: round(1000 * median(each), 1) for way, each in products.seconds.items()},
        "read_gb_a_second": round(median(read) / 1e9, 1),
        f"times_{base}": {way: round(1 / median(each), 2) for way, each in rounds.ratios(base).items()},
    }


@torch.inference_mode()
def said(model: Any, state: ModelState, ids: Tensor) -> Tensor:
    """Return the log-probabilities behind the last tokens, of passes of a sampler, [T, V] float64."""
    packed, count = state.packed, ids.shape[1]
    assert packed is not None, "there is no memory for copies"
    store = KVStore(
        state.probed.kv_shapes,
        shared_tokens=count,
        rows=1,
        row_tokens=1,
        dtype=model.dtype,
        device=model.device,
    )
    with multiplying(model, packed):
        passes = list(logits_of(model, store, [SegmentTokens(ids[0].tolist(), 0)], chunk=PASS))
    return torch.cat(passes)[-LAST:].double().log_softmax(-1)


def differences(exact: Tensor, found: Tensor, ids: Tensor) -> Tensor:
    """Return per token: the difference of its log-probability, the divergence, whether both agree; [3, T]."""
    exact, found, next_ids = exact[:-1], found[:-1], ids[0, 1:][-len(exact) + 1 :, None]
    change = (exact - found).gather(-1, next_ids)[:, 0].abs()
    divergence = (exact.exp() * (exact - found)).sum(-1)
    return torch.stack([change, divergence, (exact.argmax(-1) == found.argmax(-1)).double()])


def accuracy(samplers: dict[str, Sampler], given: list[str]) -> dict[str, dict[str, float]]:
    """Return what each way changes of what is said to texts, by name."""
    model, tokenizer = samplers["plain"].checkpoint.model, samplers["plain"].checkpoint.tokenizer
    double = copy.deepcopy(model).double()
    every: dict[str, list[Tensor]] = {way: [] for way in samplers}
    for text in given:
        ids = torch.tensor(tokenizer(text)["input_ids"])[None]
        with torch.inference_mode():
            exact = double(ids, logits_to_keep=LAST).logits[0].log_softmax(-1)
        for way, sampler in samplers.items():
            if way == "plain":
                with torch.inference_mode():
                    found = model(ids, logits_to_keep=LAST).logits[0].double().log_softmax(-1)
            else:
                found = said(model, sampler._state, ids)
            every[way].append(differences(exact, found, ids))
    kept = {}
    for way, each in every.items():
        change, divergence, agree = torch.cat(each, 1)
        kept[way] = {
            "tokens": len(change),
            "change_mean": float(f"{change.mean():.3g}"),
            "change_largest": float(f"{change.max():.3g}"),
            "divergence_mean": float(f"{divergence.mean():.3g}"),
            "same_likeliest": round(agree.mean().item(), 4),
        }
    return kept


def main() -> None:
    """Measure, print and keep the row."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("data", type=Path)
    parser.add_argument("--only", choices=("speed", "accuracy", "memory", "peak"))
    parser.add_argument("--ways", default=",".join(WAYS), help=f"of {', '.join(WAYS)}; and {SMALL}")
    parser.add_argument("--problems", type=int, default=12)
    parser.add_argument("--tokens", type=int, help="of one text at least; default: a problem's")
    parser.add_argument("-n", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    given = texts(args.data, args.problems)
    ways = args.ways.split(",")
    if args.only == "peak":
        print_peak(args.model, *ways, given[0][0], args.n)
        return
    row: dict[str, Any] = {"kind": "matmul", "model": Path(args.model).name, "n": args.n}
    if args.only == "memory":
        row["peak_mib"] = {way: peak_mib(args.model, args.data, way, args.n) for way in ways}
    else:
        row |= measured(args, ways, given)
    row |= machine(MODELS, torch.device("cpu"))
    print(json.dumps(row, indent=1))
    with ROWS.open("a", encoding="utf-8") as rows:
        rows.write(json.dumps(row) + "\n")


def measured(args: argparse.Namespace, ways: list[str], given: list[tuple[str, str]]) -> dict[str, Any]:
    """Return what is measured of ways in one process."""
    first, found = Sampler(args.model, step="plain"), dict[str, Any]()
    # the small first, so that none is packed into what had huge pages
    assert "plain" + SMALL not in ways, "plain has no copies"
    order = sorted(set(ways) - {"plain"}, key=lambda way: SMALL not in way)
    made = {way: packed(way, first) for way in order}
    samplers = {way: made.get(way, first) for way in ways}
    if args.only != "accuracy":
        found |= speed(samplers, given[0][0], args.n, args.rounds)
    if args.only != "speed":
        joined = ["".join(each) for each in given]
        if args.tokens:
            joined, found["tokens"] = long_texts(first.checkpoint.tokenizer, joined, args.tokens), args.tokens
        found["against_float64"] = accuracy(samplers, joined)
    return found


if __name__ == "__main__":
    main()
