"""The model card's commands are those that made the model, and work."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from dataclasses import asdict
from importlib.resources import files
from pathlib import Path

import pytest

from codesample.tiny.training.train import parse

CARD = Path(str(files("codesample.tiny"))) / "README.md"
TEXT = CARD.read_text(encoding="utf-8")
COMMANDS = re.findall(r"^python (.*)$", TEXT, re.MULTILINE)
TRAIN = ["-m", "codesample.tiny.training.train"]


@pytest.fixture(scope="module")
def record():
    return json.loads((CARD.parent / "weights" / "training.json").read_text(encoding="utf-8"))


def test_the_training_commands_ask_for_the_recorded_runs(record):
    words = [shlex.split(command) for command in COMMANDS]
    asked = [parse(each[2:]) for each in words if each[:2] == TRAIN]
    assert [asdict(each.options) for each in asked] == [run["options"] for run in record["runs"]]
    assert [each.start for each in asked] == [None, asked[0].out]


def test_the_other_command_shows_a_function():
    (words,) = [each for each in map(shlex.split, COMMANDS) if each[:2] != TRAIN]
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, timeout=300, check=True)
    assert done.stdout.startswith("def ")
    assert ">>> " in done.stdout


def test_figures_of_the_card_are_those_of_the_record(record):
    rows = re.findall(r"^\| (\d) \| (\d+) \| ([\d.]+) \| (\d+) \|$", TEXT, re.MULTILINE)
    curves = [{point["step"]: point for point in run["loss_curve"]} for run in record["runs"]]
    points = [curves[int(run) - 1][int(step)] for run, step, _, _ in rows]
    assert [(f"{point['loss']:.3f}", f"{point['seconds']:.0f}") for point in points] == [
        (loss, seconds) for _, _, loss, seconds in rows
    ]
    sizes = re.findall(
        r"^\| \d \| (\w+), seed (\d) \| ([\d,]+) \| ([\d,]+) \| ([\d,]+) \|$", TEXT, re.MULTILINE
    )
    assert sizes == [
        (
            run["options"]["mix"],
            str(run["options"]["seed"]),
            *(f"{n:,}" for n in (run["options"]["functions"], run["corpus_tokens"], run["body_tokens"])),
        )
        for run in record["runs"]
    ]


def test_every_file_that_the_card_names_exists():
    names = re.findall(r"`([\w/]+(?:\.py|\.json|/))`", TEXT)
    places = (CARD.parent, CARD.parent / "training", Path(__file__).parents[2])
    assert [name for name in names if not any((place / name).exists() for place in places)] == []
    assert "composition.py" in names
