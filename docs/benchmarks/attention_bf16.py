"""What a CPU's fused attention takes in float32 and in bfloat16, keys narrowed anew at each call, in turns.

    python docs/benchmarks/attention_bf16.py

A row for each number of queries of a KV head (of a decode step: rows times query heads of a KV head) and of
keys, of two KV heads of width 64: microseconds of both, how many times as fast bfloat16 is, and the largest
difference from float64 beside the largest output. Appends the rows to attention_bf16.jsonl beside this file
and prints them.
"""

from __future__ import annotations

import json
from pathlib import Path
from statistics import median
from time import perf_counter
from unittest.mock import patch

import torch
from torch import Tensor

from codesample.bench.machine import MODELS, machine
from codesample.bench.rounds import Rounds
from codesample.kernels.bifurcated_decode import torch_parts
from codesample.kernels.bifurcated_decode.torch_parts import attend

ROWS = Path(__file__).with_name("attention_bf16.jsonl")
QUERIES, KEYS, HEADS, WIDTH = (7, 32, 56, 224, 448), (166, 512, 2048, 8192), 2, 64
ROUNDS = 15


def attended(q: Tensor, k: Tensor, v: Tensor, *, in_bf16: bool) -> Tensor:
    """Attend as a decode step does."""
    return attend(q, k, v, scale=WIDTH**-0.5, softcap=None, seen=None, in_bf16=in_bf16).out


@torch.inference_mode()
def measured(queries: int, keys: int) -> dict[str, object]:
    """Time both and look how far off they are."""
    generator = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(1, HEADS, count, WIDTH, generator=generator) for count in (queries, keys, keys))
    exact, rounds = attended(q.double(), k.double(), v.double(), in_bf16=False), Rounds()
    off = {}
    for number in range(ROUNDS + 1):
        for name in ("float32", "bfloat16"):
            begun = perf_counter()
            found = attended(q, k, v, in_bf16=name == "bfloat16")
            if number:
                rounds.add(name, perf_counter() - begun)
            off[name] = float(f"{(found - exact).abs().max() / exact.abs().max():.2g}")
    return {
        "kind": "attention in bfloat16",
        "queries": queries,
        "keys": keys,
        "us": {name: round(1e6 * median(each), 1) for name, each in rounds.seconds.items()},
        "times_float32": round(1 / median(rounds.ratios("float32")["bfloat16"]), 2),
        "off": off,
    }


def main() -> None:
    """Measure, print and keep the rows."""
    with patch.multiple(torch_parts, _MANY_QUERIES=0, _MANY_KEYS=0), ROWS.open("a", encoding="utf-8") as rows:
        for queries in QUERIES:
            for keys in KEYS:
                row = measured(queries, keys) | machine(MODELS, torch.device("cpu"))
                print(row, flush=True)
                rows.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main()
