"""Runs on a Ray cluster of two nodes while something is killed, beside one process that nothing befalls.

    unshare --net --pid --fork --mount-proc --kill-child python ray_scenarios.py FOLDER

Prints a JSON object: for each scenario what came of it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from small_cluster import (
    ADDRESS,
    actors,
    kill,
    processes,
    raise_loopback,
    start_head,
    start_nodes,
    wait_until,
)

from codesample import ModelOptions, Request, RunOptions, SamplingParams, evaluate, read_problems
from codesample.distributed.cluster import Happened
from codesample.distributed.judging_actor import MadeExecutor
from codesample.distributed.placement import Placement
from codesample.distributed.ray_cluster import RayCluster, connected
from codesample.distributed.ray_engine import RayEngine
from codesample.distributed.ray_judges import RayJudge
from codesample.execution import Level, Limits
from codesample.runs import RunFolder
from codesample.testing.engines import check_engine

PROBLEMS, N, AFTER = 8, 6, 5
PARAMS = SamplingParams(max_new_tokens=48)
WORDS = [
    "eval",
    "mini",
    "--limit",
    str(PROBLEMS),
    "--n",
    str(N),
    "--max-new-tokens",
    "48",
    "--dtype",
    "float64",
]
WORDS += ["-r", "mean_logprob", "--allow-weak-isolation", "none", "--no-cache"]
MODEL = ModelOptions("tiny", dtype="float64")


class Watched:
    """An engine that says how many candidates have come."""

    def __init__(self, engine: RayEngine, told: Callable[[int], None]) -> None:
        self._engine, self._told = engine, told
        self.name, self.abilities = engine.name, engine.abilities
        self.reproducibility, self.describe = engine.reproducibility, engine.describe

    def stream(self, *given: Any, **named: Any) -> Iterator[Any]:
        for count, each in enumerate(self._engine.stream(*given, **named), 1):
            self._told(count)
            yield each


def contents(run: Path) -> tuple[list[bytes], list[tuple[Any, ...]]]:
    """Return what has to be equal: every candidate's line, and every verdict but for times and memory."""
    with RunFolder.open(run) as folder:
        verdicts = sorted(
            (key, str(each.status), each.detail, each.checks) for key, each in folder.verdicts().items()
        )
    count = (run / "verdicts.jsonl").read_bytes().count(b"\n")
    assert count == len(verdicts), "a verdict stands there twice"
    return sorted((run / "samples.jsonl").read_bytes().splitlines()), verdicts


def opened() -> tuple[Any, str | None]:
    from codesample.engines.registry import open_engine

    return open_engine(MODEL), None


class Stage:
    """The cluster with its actors, and the run that everything is compared with."""

    def __init__(self, folder: Path, cluster: RayCluster) -> None:
        self.folder, self.cluster, self.happened = folder, cluster, Happened()
        self.problems = read_problems("mini").narrowed(limit=PROBLEMS)
        evaluate(self.problems, model=MODEL, params=PARAMS, n=N, run=self.kept("whole", cache=False))
        self.whole = contents(folder / "whole")
        placement = Placement.for_cluster(cluster.nodes(), gpus=1)
        made = MadeExecutor(1, Limits(), Level.NONE)
        told = {"placement": placement, "happened": self.happened}
        self.judge = RayJudge(cluster, lambda slot: made, **told)
        self.engine = RayEngine(cluster, opened, **told)
        self.everyone()

    def everyone(self) -> None:
        """Wait until every node that lives has its actor again."""
        nodes = len(self.cluster.nodes())

        def all_there() -> bool:
            self.engine._crew.tend()
            return len(self.engine._crew.live) == nodes and len(actors("JudgingActor")) == nodes

        wait_until(all_there, seconds=120)

    def kept(self, name: str, **more: Any) -> RunOptions:
        return RunOptions(out=self.folder / name, allow_weak_isolation="none", **more)

    def while_killing(self, name: str, strike: Callable[[], None]) -> dict[str, Any]:
        """Evaluate, strike when a few candidates have come, and compare."""
        failed = self.happened.failed

        def told(count: int) -> None:
            if count == AFTER:
                strike()

        began = time.monotonic()
        engine = Watched(self.engine, told)
        evaluate(self.problems, model=engine, params=PARAMS, n=N, run=self.kept(name, judge=self.judge))
        return self.compared(name, began, died=self.happened.failed - failed)

    def compared(self, name: str, began: float, **more: Any) -> dict[str, Any]:
        samples, verdicts = contents(self.folder / name)
        seconds = round(time.monotonic() - began, 1)
        same = {"samples": samples == self.whole[0], "verdicts": verdicts == self.whole[1]}
        return {**same, "count": len(samples), "seconds": seconds, **more}


def driver_killed(stage: Stage) -> dict[str, Any]:
    """Kill the driver of a run by command, and go on with it."""
    began, run = time.monotonic(), stage.folder / "driver"
    command = [sys.executable, "-m", "codesample", *WORDS, "--ray", ADDRESS, "--out", str(run)]
    driver = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    samples = run / "samples.jsonl"
    wait_until(lambda: samples.exists() and samples.read_bytes().count(b"\n") >= AFTER, seconds=120)
    kill(driver.pid)
    driver.wait()
    left = samples.read_bytes().count(b"\n")
    done = subprocess.run([*command, "--resume"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    session = json.loads((run / "run.json").read_text())["sessions"][-1]
    return stage.compared("driver", began, left=left, nodes=len(session["cluster"]["nodes"]))


def node_killed(stage: Stage, raylet: int) -> dict[str, Any]:
    def strike() -> None:
        for pid in [pid for pid, (parent, _) in processes().items() if parent == raylet] + [raylet]:
            kill(pid)

    found = stage.while_killing("node", strike)
    wait_until(lambda: len(stage.cluster.nodes()) == 1)
    return found


def doctor() -> dict[str, Any]:
    command = [sys.executable, "-m", "codesample", "doctor", "--ray", "auto", "--json"]
    named = os.environ | {"RAY_ADDRESS": ADDRESS}
    done = subprocess.run(command, capture_output=True, text=True, env=named)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def protocol(stage: Stage) -> dict[str, Any]:
    asked = [Request(each.task_id, each.prompt, (0, 1)) for each in stage.problems.problems[:3]]
    return {"tried": check_engine(stage.engine, asked, SamplingParams(max_new_tokens=12)).tried}


def note(what: str) -> None:
    print(what, round(time.monotonic() - BEGAN, 1), file=sys.stderr, flush=True)


BEGAN = time.monotonic()


def main(folder: Path) -> dict[str, Any]:
    raise_loopback()
    began, found = time.monotonic(), {}
    start_head(folder / "ray")
    raylets = start_nodes(1)
    found["cluster"] = {"seconds": round(time.monotonic() - began, 1)}
    with connected(ADDRESS) as cluster:
        note("actors")
        stage = Stage(folder, cluster)
        found["actors"] = {"seconds": round(time.monotonic() - began, 1)}
        note("protocol")
        found["protocol"] = protocol(stage)
        for name, kind in (("sampling actor", "SamplingActor"), ("judging actor", "JudgingActor")):
            note(name)
            found[name] = stage.while_killing(name.split()[0], lambda kind=kind: kill(actors(kind)[0]))
            stage.everyone()
        note("doctor")
        found["doctor"] = doctor()
        note("node")
        found["node"] = node_killed(stage, min(raylets))
        found["failures"] = stage.happened.failures
        stage.judge.close()
        stage.engine.close()
    note("driver")
    found["driver"] = driver_killed(stage)
    found["all"] = {"seconds": round(time.monotonic() - began, 1)}
    return found


if __name__ == "__main__":
    try:
        came = main(Path(sys.argv[1]))
    except BaseException:
        traceback.print_exc()
        sys.exit(1)
    print(json.dumps(came))
