"""Several tasks in one reward and one data set: each row is judged by the tests of its own task."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
from adding_tasks import adding

from codesample import RunOptions, Task, read_problems, rewards
from codesample.errors import ParameterError, UnknownNameError

TWO = RunOptions(workers=2)
MINI = read_problems("mini").problems[0]
RIGHT = [MINI.reference, "    return x + 1\n"]
OWN = {"task_id": "own/0", "prompt": "def add(x):\n", "entry_point": "add", "test": "assert add(1) == 2"}


@pytest.fixture
def own(tmp_path: Path) -> Path:
    file = tmp_path / "own.jsonl"
    file.write_text(json.dumps(OWN) + "\n")
    return file


def test_each_row_is_judged_by_its_own_task(own: Path) -> None:
    reward = rewards.for_trl(["mini", own], style="base", run=TWO)
    assert reward(completions=RIGHT, task_id=["mini/0", "own/0"]) == [1.0, 1.0]
    swapped = reward(completions=RIGHT[::-1], task_id=np.array(["mini/0", "own/0"]))
    assert swapped == [0.0, 0.0]
    copy = pickle.loads(pickle.dumps(reward))
    assert copy(completions=RIGHT, task_id=["mini/0", "own/0"]) == [1.0, 1.0]


def test_rows_of_several_tasks_stand_one_after_another(own: Path) -> None:
    rows = rewards.dataset([own, "mini"], trainer="verl")
    assert (len(rows), rows["data_source"][0], rows["data_source"][1]) == (108, "own", "mini")
    assert rows[1]["extra_info"] == {"index": 0, "task_id": "mini/0"}


def test_an_id_that_none_of_them_knows_is_refused(own: Path) -> None:
    reward = rewards.for_trl([own, "mini"], run=TWO)
    with pytest.raises(UnknownNameError, match=r"unknown task id 'mini/1000'.* Those of own, mini"):
        reward(completions=["x"], task_id=["mini/1000"])
    with pytest.raises(ParameterError, match="a row has no 'task_id'"):
        reward(completions=["x"], other=["mini/0"])


def test_what_cannot_stand_together_is_refused(own: Path) -> None:
    twice = Task("twice", "1", "", (), 64, load=adding)
    with pytest.raises(ParameterError, match="'adding/1' is a problem of task twice and of again"):
        rewards.for_trl([twice, Task("again", "1", "", (), 64, load=adding)])
    with pytest.raises(ParameterError, match="task: problems stand beside tasks"):
        rewards.for_trl(["mini", *adding()])
    with pytest.raises(ParameterError, match="is of one task"):
        rewards.for_trl(["mini", "mbpp"], data=own)
