"""What the driver of a run on Ray costs: processor time for each candidate and each answer, and memory.

    python docs/benchmarks/ray_driver.py 127.0.0.1:6379 [--actors 1] [--candidates 20000]
    python docs/benchmarks/ray_driver.py --page

Actors on a real cluster give candidates of 150 tokens with log-probabilities, and verdicts, as fast as they
are asked for; all that is left is the driver's own work, from the lease to the last line in the run folder.
The first form appends a row to ray_driver.jsonl beside this file and prints it; the second one prints the
tables of docs/cluster.md: the rows, and what larger runs would cost by the dearest of them.
"""

from __future__ import annotations

import argparse
import itertools
import json
import resource
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import replace
from math import ceil
from pathlib import Path
from typing import Any, NamedTuple

ROWS = Path(__file__).with_name("ray_driver.jsonl")
TOKENS, PER_PROMPT, WORKERS = 150, 200, 64


def run_row(address: str, *, actors: int, candidates: int) -> dict[str, Any]:
    """Measure one run."""
    from codesample.bench.machine import PROCESSES, machine
    from codesample.distributed.cluster import Happened
    from codesample.distributed.placement import Placement
    from codesample.distributed.ray_cluster import connected
    from codesample.distributed.ray_engine import RayEngine
    from codesample.distributed.ray_judges import RayJudge

    with connected(address) as cluster:
        (node, *_) = cluster.nodes()
        several = _Several(cluster, actors)
        told = {"placement": Placement(0.0), "happened": Happened()}
        judge = RayJudge(several, lambda slot: instant_judge, **told)
        engine = RayEngine(several, instant_engine, **told)
        while len(engine._crew.live) < actors:
            time.sleep(0.1)
            engine._crew.tend()
        found = spent(engine, judge, candidates)
        found |= {"answer_cpu_ms": answer_cost(several, engine)}
        judge.close()
        engine.close()
    row = {"kind": "ray_driver", "actors": actors, "candidates": candidates, "tokens": TOKENS, **found}
    return (
        row
        | {"ray": cluster.version, "processor": told["happened"].nodes[node.id]["cpu"]}
        | machine((*PROCESSES, "commit", "date"))
    )


class _Several:
    """The cluster with one node counted as several, so that one machine has more actors than nodes."""

    def __init__(self, cluster: Any, actors: int) -> None:
        self._cluster, self._actors = cluster, actors
        self.settled, self.answer, self.end = cluster.settled, cluster.answer, cluster.end

    def nodes(self) -> list[Any]:
        (node, *_) = self._cluster.nodes()
        return [node, *(replace(node, id=f"{node.id}/{n}") for n in range(1, self._actors))]

    def start(self, kind: type, node: Any, *, cpus: float, gpus: float) -> Any:
        there = replace(node, id=node.id.partition("/")[0])
        return self._cluster.start(kind, there, cpus=0.0, gpus=0.0)


def spent(engine: Any, judge: Any, candidates: int) -> dict[str, Any]:
    """Let the driver do a run; return times for each candidate, and by how much it grew."""
    from codesample import Observer, RunOptions, SamplingParams
    from codesample.evaluation.evaluate import plan_evaluation
    from codesample.evaluation.plan import model_source
    from codesample.evaluation.sample_and_judge import sample_and_judge
    from codesample.runs import RunFolder

    params = SamplingParams(max_new_tokens=TOKENS)
    chosen = problems(candidates // PER_PROMPT)
    with tempfile.TemporaryDirectory() as folder:
        options = RunOptions(out=Path(folder) / "run", judge=judge, allow_weak_isolation="none")
        plan, _ = plan_evaluation(
            chosen, model_source(engine), n=PER_PROMPT, params=params, k=None, rerankers=(), run=options
        )
        before = memory()
        with RunFolder.create(plan.out, plan.manifest) as run:
            cpu, wall = time.process_time(), time.perf_counter()
            sample_and_judge(plan, run, engine=engine, judge=judge, observer=Observer())
            cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
            assert len(run.judged) == candidates
    return {
        "driver_cpu_ms": round(1000 * cpu / candidates, 3),
        "wall_ms": round(1000 * wall / candidates, 3),
        "growth_mb": round((peak() - before) / 2**20, 1),
    }


def answer_cost(cluster: Any, engine: Any, *, answers: int = 500) -> float:
    """Return the driver's processor time for an answer that brings nothing, in milliseconds."""
    (actor, *_) = (member.actor for member in engine._crew.live)
    actor.ask("drop")
    cpu = time.process_time()
    for _ in range(answers):
        question = actor.ask("take", 0.0, 0.0)
        assert cluster.settled([question], seconds=60.0)
        cluster.answer(question)
    return round(1000 * (time.process_time() - cpu) / answers, 3)


def problems(count: int) -> Any:
    """Return so many small problems."""
    from codesample.evaluation.problem_set import ProblemSet
    from codesample.records import CodeTests, Problem
    from codesample.tasks.contract import Task

    def one(number: int) -> Problem:
        prompt = f'def f(x):\n    """Return x + {number}."""\n'
        tests = CodeTests(source=f"assert f(1) == {1 + number}", entry_point="f")
        return Problem(f"made/{number}", prompt, tests, description=prompt, entry_point="f")

    made = [one(number) for number in range(count)]
    task = Task(
        name="made", version="1", source="made here", stop=(), max_new_tokens=TOKENS, load=lambda: made
    )
    return ProblemSet(task, tuple(made))


def memory() -> int:
    """Return what is resident now, in bytes."""
    import psutil

    return int(psutil.Process().memory_info().rss)


def peak() -> int:
    """Return the most that was resident, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


class Instant:
    """Gives candidates of 150 tokens as fast as they are taken."""

    name, abilities, reproducibility = "instant", frozenset({"logprobs"}), "exact"

    def stream(self, requests: Sequence[Any], params: Any, *, progress: Any = None) -> Iterator[Any]:
        """Yield them."""
        from codesample.records import Candidate, FinishReason

        text = "    return x + 1  # " + "word " * TOKENS
        ids, logs = tuple(range(1000, 1000 + TOKENS)), tuple(-0.123456789 * n for n in range(TOKENS))
        ends = tuple(len(text) * (n + 1) // TOKENS for n in range(TOKENS))
        for each in requests:
            for index in each.indices:
                if progress is not None:
                    progress(TOKENS)
                yield Candidate(
                    *(each.task_id, index, text, ids, logs, logs, FinishReason.EOS), token_ends=ends
                )

    def describe(self) -> dict[str, Any]:
        """Say what it is."""
        return {"name": self.name}


def instant_engine() -> tuple[Any, None]:
    """Open it."""
    return Instant(), None


class InstantJudge:
    """Says of every program that it passed."""

    workers, in_flight = WORKERS, 2 * WORKERS

    def __init__(self) -> None:
        from codesample.execution import Isolation, Level

        self.isolation = Isolation(Level.CONFINED, {}, {}, "", "", "", "", "", "")

    def submit(self, program: Any) -> Future[Any]:
        """Say so."""
        from codesample.records import Status, Verdict

        future: Future[Any] = Future()
        future.set_result(
            Verdict(program.task_id, program.index, Status.PASSED, 0.05, 0.06, 2**24, "", (True,))
        )
        return future


def instant_judge() -> Any:
    """Make it."""
    return InstantJudge()


class Node(NamedTuple):
    """A node as the table of docs/cluster.md takes it; none of this was measured.

    Attributes:
        gpus: Sampling actors.
        drawn: Candidates that each of them draws in a second.
        start: Seconds until a model is loaded.
    """

    gpus: int = 8
    drawn: float = 20.0
    start: float = 60.0


ASSUMED = Node()


def table(rows: Sequence[dict[str, Any]], node: Node = ASSUMED) -> str:
    """Return what runs would cost on clusters, reckoned from what was measured."""
    each, answer = (max(row[name] for row in rows) / 1000 for name in ("driver_cpu_ms", "answer_cpu_ms"))
    lines = [
        "| nodes | candidates | drawn a second | the driver can take | wall time | driver busy |",
        "|---|---|---|---|---|---|",
    ]
    for nodes, candidates in itertools.product((1, 8, 64), (164 * 200, 1_000_000)):
        offered = nodes * node.gpus * node.drawn
        # two kinds of actors, each asked a hundred times a second at most
        asked = sum(min(100.0, actors / (0.02 + 0.01 * actors)) for actors in (nodes * node.gpus, nodes))
        most = (1 - asked * answer) / each
        rate = min(offered, most)
        wall = node.start + candidates / rate
        busy = min(1.0, rate * each + asked * answer)
        lines.append(
            f"| {nodes} | {candidates:,} | {offered:,.0f} | {most:,.0f} | {minutes(wall)} | {busy:.0%} |"
        )
    alone = int(most / (node.gpus * node.drawn))
    several = node.start + 1_000_000 / (64 * node.gpus * node.drawn)
    said = (
        f"One driver keeps {alone} such nodes busy. Eight of them, each with 8 of the 64 nodes and a shard, "
    )
    said += f"would have the 1,000,000 in {minutes(several)}."
    return "\n".join([*lines, "", said])


def measured(rows: Sequence[dict[str, Any]]) -> str:
    """Return what was measured as a table."""
    lines = [
        "| actors of each kind | candidates | CPU time for a candidate | for an answer | driver grows by |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {row['actors']} | {row['candidates']:,} | {row['driver_cpu_ms']:.2f} ms | "
        f"{row['answer_cpu_ms']:.2f} ms | {row['growth_mb']:.0f} MB |"
        for row in rows
    ]
    return "\n".join(lines)


def minutes(seconds: float) -> str:
    """Write a time as a person reads it."""
    return f"{ceil(seconds)} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def main() -> None:
    """Measure, or print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("address", nargs="?")
    parser.add_argument("--actors", type=int, default=1)
    parser.add_argument("--candidates", type=int, default=20_000)
    parser.add_argument("--page", action="store_true")
    given = parser.parse_args()
    if given.page:
        rows = [json.loads(line) for line in ROWS.read_text().splitlines()]
        print(measured(rows), table(rows), sep="\n\n")
        return
    row = run_row(given.address, actors=given.actors, candidates=given.candidates)
    with ROWS.open("a") as file:
        file.write(json.dumps(row) + "\n")
    print(json.dumps(row, indent=2))


if __name__ == "__main__":
    assert threading.current_thread() is threading.main_thread()
    main()
