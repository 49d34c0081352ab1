"""Many clients of one service beside the same work as one batch: throughput, and how long clients wait.

    python docs/benchmarks/service.py [--model tiny] [--clients 32] [-n 8] [--rounds 4]

Each client asks for n candidates of a problem of its own, all at once. The one batch is a single call of
`Sampler.stream` with all the requests. Each has a process of its own, as in use, and they take turns, after a
round that is not counted; so both find the prompts stored. The latency of a client is the time until it has
all of its candidates; in the batch, until the last of that prompt's is there. Appends to service.jsonl beside
this file and prints the row.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
from collections import defaultdict
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter
from typing import Any, NamedTuple

import torch

from codesample.bench.machine import MODELS, machine
from codesample.records import Request, SamplingParams
from codesample.sampling.sampler import Sampler
from codesample.serving.async_sampler import AsyncSampler
from codesample.tasks.registry import load_task

ROWS = Path(__file__).with_name("service.jsonl")


class Round(NamedTuple):
    """What came of the work once; times in seconds, by client."""

    seconds: float
    tokens: int
    texts: dict[tuple[str, int], str]
    firsts: list[float]
    latencies: list[float]


def in_one_batch(sampler: Sampler, requests: Sequence[Request], params: SamplingParams) -> Round:
    """Draw everything by one call of a sampler."""
    begun, tokens, texts = perf_counter(), 0, {}
    times = defaultdict[str, list[float]](list)
    for candidate in sampler.stream(requests, params):
        times[candidate.task_id].append(perf_counter() - begun)
        tokens += len(candidate.token_ids or ())
        texts[candidate.task_id, candidate.index] = candidate.completion
    seconds = perf_counter() - begun
    return Round(seconds, tokens, texts, [t[0] for t in times.values()], [t[-1] for t in times.values()])


async def by_clients(sampler: AsyncSampler, requests: Sequence[Request], params: SamplingParams) -> Round:
    """Let each request be a client of its own."""
    begun, tokens, texts = perf_counter(), 0, {}

    async def client(request: Request) -> tuple[float, float]:
        nonlocal tokens
        times = []
        async for candidate in sampler.stream(request, params=params):
            times.append(perf_counter() - begun)
            tokens += len(candidate.token_ids or ())
            texts[candidate.task_id, candidate.index] = candidate.completion
        return times[0], times[-1]

    waited = await asyncio.gather(*map(client, requests))
    seconds = perf_counter() - begun
    return Round(seconds, tokens, texts, [first for first, _ in waited], [last for _, last in waited])


def figures(name: str, rounds: Sequence[Round]) -> dict[str, Any]:
    """Sum up rounds of one way of doing it."""
    latencies = [latency for each in rounds for latency in each.latencies]
    return {
        f"{name}_tokens_per_second": [round(each.tokens / each.seconds) for each in rounds],
        f"{name}_latency_median": round(median(latencies), 3),
        f"{name}_latency_p95": round(quantiles(latencies, n=20)[-1], 3),
        f"{name}_first_median": round(median(first for each in rounds for first in each.firsts), 3),
    }


def requests_of(clients: int, n: int) -> tuple[list[Request], SamplingParams]:
    """Return what is asked for, one request for each client."""
    task = load_task("mini")
    requests = [Request(each.task_id, each.prompt, tuple(range(n))) for each in task.load()[:clients]]
    return requests, SamplingParams().settled(stop=task.stop, max_new_tokens=task.max_new_tokens)


async def work(way: str, model: str, clients: int, n: int, turns: Connection) -> None:
    """Do the work in one of the two ways whenever asked to."""
    requests, params = requests_of(clients, n)
    if way == "batch":
        sampler = Sampler(model)
        while turns.recv():
            turns.send(in_one_batch(sampler, requests, params))
        return
    async with AsyncSampler(model) as served:
        while turns.recv():
            turns.send(await by_clients(served, requests, params))


def worker(*given: Any) -> None:
    """Be the process of one way."""
    asyncio.run(work(*given))


def measure(model: str, clients: int, n: int, rounds: int) -> dict[str, Any]:
    """Return the row."""
    found: dict[str, list[Round]] = {"batch": [], "service": []}
    spawning, turns = multiprocessing.get_context("spawn"), {}
    for way in found:
        turns[way], theirs = spawning.Pipe()
        spawning.Process(target=worker, args=(way, model, clients, n, theirs), daemon=True).start()
    for number in range(rounds + 1):
        for way, each in turns.items():
            each.send(True)
            once = each.recv()
            if number:
                found[way].append(once)
    for each in turns.values():
        each.send(False)
    pairs = list(zip(found["batch"], found["service"], strict=True))
    alike = [batch.texts[key] == text for batch, service in pairs for key, text in service.texts.items()]
    asked = {"kind": "service", "model": model, "clients": clients, "n": n, "rounds": rounds}
    return (
        asked
        | {name: value for way, each in found.items() for name, value in figures(way, each).items()}
        | {
            "tokens": found["service"][0].tokens,
            # above 1 where the service is faster
            "throughput": round(median(b.seconds / b.tokens / (s.seconds / s.tokens) for b, s in pairs), 3),
            "alike": round(sum(alike) / len(alike), 4),
        }
        | machine(MODELS, torch.device("cpu"))
    )


def main() -> None:
    """Measure, print and keep the row."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--model", default="tiny")
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("-n", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=4)
    args = parser.parse_args()
    row = measure(args.model, args.clients, args.n, args.rounds)
    print(json.dumps(row, indent=1))
    with ROWS.open("a", encoding="utf-8") as rows:
        rows.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main()
