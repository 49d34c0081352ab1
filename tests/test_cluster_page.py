"""The scripts of docs/cluster.md do what the page says, with the built-in model and a few problems.

Each runs in bash, with `codesample` a command that notes how it was called; what was called is then run.
Where GNU parallel is not installed, a few lines stand for it.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml
from warm_commands import call

from codesample.cli.app import app

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "cluster.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
LOOPS = [block for kind, block in BLOCKS if kind == "sh"]
(SLURM,) = [block for kind, block in BLOCKS if kind == "bash"]
(JOB,) = [yaml.safe_load(block) for kind, block in BLOCKS if kind == "yaml"]
COUNT = 8
PROBLEMS = 2
FEWER = ["--limit", str(PROBLEMS), "--n", "2", "-r", "mean_logprob", "--dtype", "float64"]
FEWER += ["--allow-weak-isolation", "none", "--skip-health-check"]

NOTING = """#!{python} -S
import json, os, sys
with open({log!r}, "a") as file:
    file.write(json.dumps(sys.argv[1:]) + "\\n")
"""
PARALLEL = """#!{python} -S
import subprocess, sys
given, jobs = sys.argv[1:], sys.argv.index(":::") - 1
assert given[0] == "-j"
for number, value in enumerate(given[jobs + 1 :]):
    words = given[2].replace("{{%}}", str(number % int(given[1]) + 1)).replace("{{}}", value)
    subprocess.run(["bash", "-c", words], check=True)
"""


class Shell:
    """Runs scripts in a folder, and then what they called."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.log, self._commands = folder, folder / "log", folder / "bin"
        self._commands.mkdir()
        self._put("codesample", NOTING)
        if shutil.which("parallel") is None:
            self._put("parallel", PARALLEL)

    def _put(self, name: str, text: str) -> None:
        file = self._commands / name
        file.write_text(text.format(python=sys.executable, log=str(self.log)))
        file.chmod(0o755)

    def called(self, script: str, **environment: str) -> list[list[str]]:
        """Run a script, and return how it called the command."""
        self.log.write_text("")
        path = {"PATH": f"{self._commands}:{os.environ['PATH']}"}
        own = os.environ | path | environment
        subprocess.run(["bash", "-c", script], cwd=self.folder, env=own, check=True, timeout=60)
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def run(self, words: Sequence[str]) -> None:
        """Run a call on a few problems of `mini`; folders that are there now stand for a pattern."""
        spelt = ["mini" if each == "humaneval" else each for each in words]
        if "--model" in spelt:
            at = spelt.index("--model")
            del spelt[at : at + 2]
        spread = [
            str(each)
            for word in spelt
            for each in (sorted(self.folder.glob(word)) if "*" in word else [word])
        ]
        done = call(*spread, *(FEWER if words[0] == "eval" else []), cwd=self.folder)
        assert done.returncode == 0, done.stderr

    def samples(self, run: str) -> list[bytes]:
        return sorted((self.folder / run / "samples.jsonl").read_bytes().splitlines())


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


@pytest.mark.whole
def test_every_script_makes_the_run_of_one_process(shell: Shell) -> None:
    shell.run(["eval", "mini", "--out", "whole"])
    whole = shell.samples("whole")
    assert len(whole) == 2 * PROBLEMS
    places = []
    for block in LOOPS:
        calls = shell.called(block)
        assert sum(each[0] == "eval" for each in calls) >= 2
        for each in sorted(calls, key=lambda words: ["eval", "merge", "report"].index(words[0])):
            shell.run(each)
        places += [each[each.index("--out") + 1] for each in calls if each[0] == "merge"]
    assert places == ["merged", "merged-gpus", "merged-alone"]
    assert [shell.samples(each) == whole for each in places] == [True] * 3


@pytest.mark.parametrize("kind", ["slurm", "kubernetes"])
@pytest.mark.parametrize("number", [1, COUNT])
def test_each_process_is_told_its_shard_and_goes_on_where_its_folder_is_there(
    kind: str, number: int, shell: Shell
) -> None:
    assert shell.called(script(kind), **placed(kind, number)) == [words_of(kind, number)]
    run = shell.folder / "shards" / str(number)
    run.mkdir(parents=True)
    (run / "run.json").touch()
    assert shell.called(script(kind), **placed(kind, number)) == [[*words_of(kind, number), "--resume"]]


def words_of(kind: str, number: int) -> list[str]:
    """Return what a shard's process is to call the first time."""
    words = ["eval", "humaneval", "--model", "Qwen/Qwen2.5-Coder-0.5B-Instruct", "--n", "200"]
    words += ["--workers", "1"] if kind == "slurm" else []
    return [*words, "--shard", f"{number}/{COUNT}", "--out", f"shards/{number}"]


def script(kind: str) -> str:
    (container,) = JOB["spec"]["template"]["spec"]["containers"]
    return SLURM if kind == "slurm" else str(container["args"][0])


def placed(kind: str, number: int) -> dict[str, str]:
    """Return what the cluster tells the process of a shard."""
    if kind == "slurm":
        return {"SLURM_ARRAY_TASK_ID": str(number), "SLURM_CPUS_PER_TASK": "1"}
    return {"JOB_COMPLETION_INDEX": str(number - 1)}


def test_as_many_processes_are_started_as_there_are_shards() -> None:
    assert f"--array=1-{COUNT}\n" in SLURM
    assert f"shards={COUNT}\n" in SLURM
    assert JOB["spec"]["completions"] == COUNT
    assert JOB["spec"]["completionMode"] == "Indexed"
    (container,) = JOB["spec"]["template"]["spec"]["containers"]
    assert container["command"] == ["/bin/sh", "-c"]


def test_each_gpu_has_a_process_of_its_own(shell: Shell) -> None:
    noted = NOTING.replace("sys.argv[1:]", 'os.environ.get("CUDA_VISIBLE_DEVICES")')
    shell._put("codesample", noted)
    for block in LOOPS[1:]:
        gpus = [each for each in shell.called(block) if each is not None]
        assert set(gpus) == {"0", "1"}


def test_every_option_and_command_of_the_page_is_there() -> None:
    named = {each.name for each in app.registered_commands}
    assert set(re.findall(r"codesample (\w+)", PAGE)) <= named


def test_what_the_driver_costs_is_what_was_measured_and_what_follows_from_it() -> None:
    spec = importlib.util.spec_from_file_location(
        "ray_driver", ROOT / "docs" / "benchmarks" / "ray_driver.py"
    )
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    rows = [json.loads(line) for line in script.ROWS.read_text().splitlines()]
    assert script.measured(rows) in PAGE
    assert script.table(rows) in PAGE
    assert max(row["driver_cpu_ms"] for row in rows) < 1
    assert max(row["growth_mb"] for row in rows if row["candidates"] >= 100_000) < 500
