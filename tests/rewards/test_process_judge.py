"""Where programs are judged: one executor per process, in forked and spawned workers of trainers too."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from adding_tasks import adding

from codesample import RunOptions, rewards
from codesample.errors import ParameterError
from codesample.rewards.process_judge import judge_for

WORKERS = """
import multiprocessing, os, sys, threading
sys.path.insert(0, {helpers!r})
from adding_tasks import adding
from codesample import RunOptions, rewards

BODIES = ["    return x + 1\\n", "    return x\\n", "    import os\\n    os._exit(0)\\n"]

def score(reward):
    # verdicts that are known already would start no process
    bodies = [f"{{body}}# {{os.getpid()}}\\n" for body in BODIES]
    return reward(completions=bodies, task_id=["adding/1"] * len(BODIES))

def pids(reward):
    return {{each.process.pid for each in reward._grader._judge()._scheduler._workers.values()}}

def work(reward, results):
    results.put((score(reward), sorted(pids(reward))))

if __name__ == "__main__":
    reward = rewards.for_trl(adding(), style="base", run=RunOptions(workers=1))
    if sys.argv[1] == "fork-after-use":
        print(score(reward))
    kind = sys.argv[1].partition("-")[0]
    context = multiprocessing.get_context(kind)
    results = context.Queue()
    processes = [context.Process(target=work, args=(reward, results)) for _ in range(2)]
    for each in processes: each.start()
    told = [results.get(timeout=100) for _ in processes]
    for each in processes: each.join(60)
    print([found for found, _ in told], [each.exitcode for each in processes])
    theirs = [set(found) for _, found in told]
    print(len(theirs[0] | theirs[1] | pids(reward)) == len(theirs[0]) + len(theirs[1]) + len(pids(reward)))
    print(score(reward))
"""
EXPECTED = [1.0, 0.0, 0.0]


@pytest.mark.parametrize(
    "start",
    [
        "fork-after-use",
        *(pytest.param(each, marks=pytest.mark.slow) for each in ("fork-before-use", "spawn")),
    ],
)
def test_workers_of_a_trainer_judge_by_processes_of_their_own(start: str, tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text(WORKERS.format(helpers=str(Path(__file__).parent / "helpers")))
    done = subprocess.run([sys.executable, script, start], capture_output=True, text=True, timeout=150)
    lines = done.stdout.splitlines()
    assert done.returncode == 0, done.stderr
    assert lines[-3:] == [f"{[EXPECTED] * 2} [0, 0]", "True", f"{EXPECTED}"]


@pytest.mark.slow
def test_nothing_is_started_before_the_first_batch_and_nothing_stays_behind_the_process() -> None:
    script = (
        "from codesample import RunOptions, rewards\n"
        "import sys\n"
        "from codesample.rewards import process_judge\n"
        "reward = rewards.for_trl('mini', run=RunOptions(workers=2))\n"
        "print(len(process_judge._shared), 'torch' in sys.modules, 'trl' in sys.modules)\n"
        "reward(completions=['    return 0'], task_id=['mini/0'])\n"
        "judge = reward._grader._judge()\n"
        "print(*(each.process.pid for each in judge._scheduler._workers.values()))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=100)
    first, pids = done.stdout.splitlines()
    assert first == "0 False False"
    assert pids.split()
    assert not [pid for pid in pids.split() if os.path.exists(f"/proc/{pid}")], done.stderr


def test_processes_of_one_machine_share_its_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    reward = rewards.for_trl(adding())
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "1000")
    assert reward._grader._judge().workers == 1
    reward.close()
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "many")
    with pytest.raises(ParameterError, match="LOCAL_WORLD_SIZE='many'"):
        reward._grader._judge()


def test_a_judge_ends_with_the_last_reward_that_uses_it() -> None:
    class Holder:
        pass

    first, second, run = Holder(), Holder(), RunOptions(workers=3)
    judge = judge_for(run, first)
    assert judge_for(run, second) is judge
    from codesample.rewards.process_judge import give_back

    give_back(first)
    assert judge_for(run, second) is judge
    give_back(second)
    assert judge_for(run, first) is not judge
    give_back(first)


def test_run_folders_are_no_part_of_a_reward(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="out and resume belong to run folders"):
        rewards.for_trl(adding(), run=RunOptions(out=tmp_path))
