"""Shared by tests of plug-ins as they are installed: the example, its answers, and others made up."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from fresh_install import ROOT, environment_with, finished

PLUGIN = ROOT / "tests" / "plugin_package"
PACKAGE = "codesample_example"
NAMES = {"engine": "scripted", "task": "warmup", "reranker": "right_then_short"}
# which answers are right is told behind each; an example-held one is wrong all the same
ANSWERS = {
    "warmup/total": [
        "    return sum(numbers)\n",  # right, and the shortest that holds the example
        "    return max(numbers) + 1\n",  # holds the example
        "    result = 0\n    for each in numbers:\n        result += each\n    return result\n",  # right
        "    return 0\n",
    ],
    "warmup/longest": [
        "    return max(words, key=len)\n",  # right
        "    return words[-1]\n",  # holds the example, and the shortest that does
        "    return words[0]\n",
        "    return words.longest()\n",
    ],
    "warmup/add": [
        "print(sum(map(int, input().split())))\n",  # right, and the shortest that holds the example
        "a, b = input().split()\nprint(int(a) + int(b))\n",  # right
        "print(0)\n",
        "import sys\nprint(sum(int(each) for each in sys.stdin.read().split()))\n",  # right
    ],
    "warmup/words": [
        "print(len(input().split()))\n",
        "print(3)\n",  # holds the example
        "print(len(input()))\n",
        "raise SystemExit(1)\n",
    ],
}
WEAK = ("--allow-weak-isolation", "none")

Command = Callable[..., subprocess.CompletedProcess[str]]


def command_of(python: Path, place: Path) -> Command:
    """Return what runs an environment's `codesample` in a folder, where answers for the engine are put."""
    (place / "answers.json").write_text(json.dumps(ANSWERS))

    def run(*words: object, expect: int = 0) -> subprocess.CompletedProcess[str]:
        return finished([python.parent / "codesample", *words], cwd=place, expect=expect)

    return run


def distribution(home: Path, *, name: str, points: Mapping[str, str], source: str) -> Path:
    """Write a distribution of one module with an entry point of each kind; returns its folder."""
    module = name.replace("-", "_")
    home.mkdir()
    (home / f"{module}.py").write_text(source)
    groups = "".join(
        f'[project.entry-points."codesample.{kind}s"]\n{point} = "{module}:{kind}"\n'
        for kind, point in points.items()
    )
    head = (
        f'[project]\nname = "{name}"\nversion = "1"\n{groups}[tool.setuptools]\npy-modules = ["{module}"]\n'
    )
    (home / "pyproject.toml").write_text(head)
    return home


def beside(
    tmp_path_factory: pytest.TempPathFactory, wheels: tuple[Path, Path], folder: str, **facts: Any
) -> Command:
    """Install codesample, the plug-in and one more distribution; returns the command of that environment."""
    place = tmp_path_factory.mktemp(folder)
    other = distribution(place / "other", **facts)
    return command_of(environment_with([*wheels, other], place / "venv"), place)


def results_of(run: Path) -> Any:
    return json.loads((run / "results.json").read_text())


def lines_of(file: Path) -> list[Any]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def refusal(done: subprocess.CompletedProcess[str]) -> str:
    """Return what a command refused, which is one line and nothing else."""
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    return line
