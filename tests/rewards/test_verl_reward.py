"""verl's `compute_score`, as its reward managers call it: one sample, a batch, or in an event loop."""

from __future__ import annotations

import asyncio
import importlib.util
import inspect
import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from adding_tasks import adding, numbers_task
from judges_of_tests import FailingJudge

from codesample import RunOptions, read_problems, rewards
from codesample.errors import ExecutionError, ParameterError, UnknownNameError

TWO = RunOptions(workers=2)
RIGHT = "```python\ndef add(x):\n    return x + 1\n```"
WRONG = "```python\ndef add(x):\n    return x\n```"
EXTRA = {"index": 3, "num_turns": None, "rollout_reward_scores": {}}


def test_one_sample_has_a_score_and_figures_for_the_log() -> None:
    compute_score = rewards.for_verl(adding(), run=TWO)
    got = compute_score(
        data_source="adding", solution_str=RIGHT, ground_truth="adding/1", extra_info=EXTRA, reward_router="x"
    )
    assert got == {"score": 1.0, "passed": 1.0, "checks_passed": 1.0, "timeout": 0.0, "program_found": 1.0}
    assert compute_score("adding", WRONG, "adding/1")["score"] == 0.0
    assert compute_score("adding", "No.", "adding/1")["program_found"] == 0.0


def test_the_problem_may_be_named_in_the_extra_info() -> None:
    compute_score = rewards.for_verl(adding(), run=TWO)
    assert compute_score("adding", RIGHT, None, {"task_id": "adding/1"})["score"] == 1.0
    with pytest.raises(UnknownNameError, match="unknown task id 'adding/9'"):
        compute_score("adding", RIGHT, "adding/9")


def test_a_batch_is_judged_at_once_and_in_order() -> None:
    compute_score = rewards.for_verl(numbers_task(), partial=True, run=TWO)
    half = "```python\ndef add(x):\n    return x + 1 if x < 5 else 0\n```"
    got = compute_score(
        data_sources=np.array(["adding"] * 3),
        solution_strs=[WRONG, half, RIGHT],
        ground_truths=["numbers"] * 3,
        extra_infos=np.array([dict(EXTRA) for _ in range(3)], dtype=object),
    )
    assert [each["score"] for each in got] == [0.0, 0.5, 1.0]
    assert compute_score(solution_strs=[], ground_truths=[], extra_infos=[]) == []
    with pytest.raises(ParameterError, match="1 solutions, 2 ground truths"):
        compute_score(solution_strs=["x"], ground_truths=["a", "b"])


@pytest.mark.parametrize("packed", [dict, json.dumps], ids=["dict", "JSON"])
def test_the_ground_truth_may_hold_the_tests(packed: Any) -> None:
    truth = packed({"test": ["assert add(1) == 2", "assert add(2) == 3"], "entry_point": "add"})
    compute_score = rewards.for_verl(partial=True, run=TWO)
    constant = "```python\ndef add(x):\n    return 2\n```"
    assert [compute_score("own", each, truth)["score"] for each in (RIGHT, constant)] == [1.0, 0.5]


def test_a_fault_of_the_harness_raises_since_no_score_would_be_true() -> None:
    judge = FailingJudge(failures={"return x + 1": 99})
    compute_score = rewards.for_verl(adding(), run=RunOptions(judge=judge, skip_health_check=True))
    with pytest.raises(ExecutionError, match=r"1 of 1 programs were not judged, .* out of order"):
        compute_score("adding", RIGHT, "adding/1")


def test_an_async_function_is_one_as_verl_looks_for_it() -> None:
    compute_score: Any = rewards.for_verl(adding(), asynchronous=True, run=TWO)
    assert inspect.iscoroutinefunction(compute_score)

    async def several() -> list[Any]:
        calls = [
            compute_score(data_source="a", solution_str=each, ground_truth="adding/1", extra_info=EXTRA)
            for each in (RIGHT, WRONG, RIGHT)
        ]
        return list(await asyncio.gather(*calls))

    assert [each["score"] for each in asyncio.run(several())] == [1.0, 0.0, 1.0]


def test_a_file_of_two_lines_is_enough_and_travels(tmp_path: Path) -> None:
    file = tmp_path / "reward.py"
    file.write_text("from codesample import rewards\ncompute_score = rewards.for_verl('mini')\n")
    spec = importlib.util.spec_from_file_location("custom_module", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    loaded = pickle.loads(pickle.dumps(module.compute_score))
    problem = read_problems("mini").problems[0]
    solution = f"```python\n{problem.prompt}{problem.reference}```"
    assert loaded("mini", solution, "mini/0")["score"] == 1.0
    assert module.compute_score("mini", solution, "mini/0")["score"] == 1.0
    loaded.close()
