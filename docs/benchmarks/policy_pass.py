"""Candidates by several policies, of prompts that are run once for all of them.

    python docs/benchmarks/policy_pass.py CHECKPOINT PROBLEMS OUT --policy "quest(keep=0.2, audit=4)" ...

Exact reading comes first. Each policy has a folder with `samples.jsonl`, for `codesample execute`, and with
`account.json`: what it read and missed, and how long its steps took, with preparing and choosing. The runs
that `execute` makes are then paired by problem: `codesample compare OUT/exact/run OUT/.../run`.
"""

from __future__ import annotations

import argparse
import json
import time
from itertools import islice
from pathlib import Path

from codesample import Sampler, SamplingParams

STOPS = ("\n#", "\ndef", "\nclass", "\nprint", "\nif")


def main() -> None:
    """Draw as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("checkpoint")
    parser.add_argument("problems", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--policy", action="append", required=True)
    parser.add_argument("--n", type=int, default=8)
    parser.add_argument("--max-new-tokens", type=int, default=24)
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--limit", type=int)
    asked = parser.parse_args()
    params = SamplingParams(max_new_tokens=asked.max_new_tokens, stop=STOPS)
    exact = Sampler(asked.checkpoint, dtype=asked.dtype)
    names = ["exact", *asked.policy]
    samplers = {name: exact.with_policy(name) for name in names}
    folders = {
        name: asked.out / (name if name == "exact" else f"policy{at}") for at, name in enumerate(names)
    }
    seconds = dict.fromkeys(names, 0.0)
    for folder in folders.values():
        folder.mkdir(parents=True)
    with asked.problems.open(encoding="utf-8") as lines:
        for number, line in enumerate(islice(lines, asked.limit), 1):
            problem = json.loads(line)
            # whoever comes first would pay for the prompt
            exact.sample(problem["prompt"], n=1, params=params, max_new_tokens=1)
            for name, sampler in samplers.items():
                began = time.perf_counter()
                drawn = sampler.sample(
                    problem["prompt"], n=asked.n, params=params, task_id=problem["task_id"]
                )
                seconds[name] += time.perf_counter() - began
                rows = [{"task_id": each.task_id, "completion": each.completion} for each in drawn]
                with (folders[name] / "samples.jsonl").open("a", encoding="utf-8") as samples:
                    samples.writelines(json.dumps(row) + "\n" for row in rows)
            for name, sampler in samplers.items():
                content = {"policy": name, "problems": number, "seconds": round(seconds[name], 2)}
                if (account := sampler.policy_account) is not None:
                    content |= account.as_json()
                text = json.dumps(content, indent=1) + "\n"
                (folders[name] / "account.json").write_text(text, encoding="utf-8")
            print(number, {name: round(each, 1) for name, each in seconds.items()}, flush=True)


if __name__ == "__main__":
    main()
