"""How far policies move next-token distributions from exact ones, and what attention they miss.

    python docs/benchmarks/policy_distances.py CHECKPOINT PROBLEMS OUT --policy "quest(keep=0.2)" ...

For each problem exact steps draw candidates first; every policy then steps over the same tokens, audited
throughout and whatever its guards. Rows have means over problems, steps and candidates.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from itertools import islice
from pathlib import Path
from statistics import fmean

from codesample.bench.machine import MODELS, machine
from codesample.bench.policy_steps import PolicyBench, total_variation
from codesample.sampling.checkpoint import load_checkpoint
from codesample.sampling.policy_choice import PolicyChoice


def main() -> None:
    """Measure as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("checkpoint")
    parser.add_argument("problems", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--policy", action="append", required=True)
    parser.add_argument("--n", type=int, default=8)
    parser.add_argument("--steps", type=int, default=16)
    parser.add_argument("--limit", type=int, default=20)
    parser.add_argument("--dtype", default="float32")
    asked = parser.parse_args()
    checkpoint = load_checkpoint(asked.checkpoint, dtype=asked.dtype)
    choices = {text: PolicyChoice(text) for text in asked.policy}
    for choice in choices.values():
        choice.served(checkpoint)
    found: dict[str, dict[str, list[float]]] = {text: defaultdict(list) for text in choices}
    with asked.problems.open(encoding="utf-8") as lines:
        for number, line in enumerate(islice(lines, asked.limit), 1):
            prompt = checkpoint.encode(json.loads(line)["prompt"])
            bench = PolicyBench(
                checkpoint.model, checkpoint.kv_shapes, prompt, rows=asked.n, steps=asked.steps
            )
            exact = bench.exact()
            for text, choice in choices.items():
                by = bench.by(choice, audit=True)
                found[text]["total_variation"].append(total_variation(by.probabilities, exact.probabilities))
                prefill = by.account.prefill
                for name, audit in (
                    ("missed", by.account.audit),
                    ("prompt_missed", prefill.audit if prefill else None),
                ):
                    if audit is not None:
                        found[text][name].append(audit.overall)
            print(number, {text: round(fmean(each["total_variation"]), 4) for text, each in found.items()})
    with asked.out.open("a", encoding="utf-8") as rows:
        for text, each in found.items():
            means = {name: round(fmean(values), 5) for name, values in each.items()}
            row = {
                "kind": "policy distance",
                "policy": text,
                "problems": asked.limit,
                "n": asked.n,
                "steps": asked.steps,
            }
            facts = machine(MODELS, checkpoint.model.device)
            rows.write(json.dumps(row | means | {"model": "retrieval checkpoint"} | facts) + "\n")


if __name__ == "__main__":
    main()
