"""OpenRLHF's `reward_func`: whole queries with special tokens in, a dict of tensors out."""

from __future__ import annotations

import json
import pickle
from typing import Any

import pytest
import torch
from adding_tasks import adding, numbers_task
from judges_of_tests import FailingJudge

from codesample import RunOptions, rewards
from codesample.errors import ExecutionError, ParameterError

TWO = RunOptions(workers=2)
BASE = 'def add(x):\n    """Return x + 1."""\n'
CHAT = "<|im_start|>user\nAdd one.<|im_end|>\n<|im_start|>assistant\n"
FENCED = "```python\ndef add(x):\n    return x + 1\n```"


def test_rewards_scores_and_logs_are_tensors_in_order() -> None:
    reward_func = rewards.for_openrlhf(numbers_task(), partial=True, run=TWO)
    half = "    return x + 1 if x < 5 else 0\n"
    got = reward_func(
        [BASE + "    return x + 1\n", BASE + half], [BASE, BASE], ["numbers", "numbers"], extra=1
    )
    assert got["rewards"].tolist() == [1.0, 0.5]
    assert got["scores"].tolist() == [1.0, 0.0]
    assert got["rewards"].dtype == torch.float32
    assert {name: each.tolist() for name, each in got["extra_logs"].items()} == {
        "passed": [1.0, 0.0],
        "checks_passed": [1.0, 0.5],
        "timeouts": [0.0, 0.0],
        "no_program": [0.0, 0.0],
    }


@pytest.mark.parametrize(
    "end", ["<|endoftext|>", "<|im_end|>\n", "</s>", "<｜end▁of▁sentence｜>", "<eos><pad><pad>", ""]
)
def test_end_tokens_of_known_models_are_no_part_of_the_program(end: str) -> None:
    reward_func = rewards.for_openrlhf(adding(), run=TWO)
    got = reward_func([f"{BASE}    return x + 1{end}"], [BASE], ["adding/1"])
    assert got["rewards"].tolist() == [1.0]


def test_end_tokens_of_other_models_are_given() -> None:
    query = f"{BASE}    return x + 1[[stop]]rest"
    assert rewards.for_openrlhf(adding(), ends=("[[stop]]",), run=TWO)([query], [BASE], ["adding/1"])[
        "rewards"
    ].tolist() == [1.0]
    with pytest.raises(ParameterError, match="ends holds an empty text"):
        rewards.for_openrlhf(adding(), ends=("",))


def test_a_prompt_of_a_chat_template_is_answered() -> None:
    reward_func = rewards.for_openrlhf(adding(), run=TWO)
    queries = [f"{CHAT}{FENCED}<|im_end|>", f"{CHAT}I cannot.<|im_end|>"]
    assert reward_func(queries, [CHAT] * 2, ["adding/1"] * 2)["rewards"].tolist() == [1.0, 0.0]


def test_a_prompt_whose_beginning_was_cut_off_is_found_by_its_end() -> None:
    prompt = "<s> " + "Words that a limit cut off. " * 20 + "Now add one to x, by a function add.\n"
    query = prompt[200:] + FENCED
    reward_func = rewards.for_openrlhf(adding(), run=TWO)
    assert reward_func([query], [prompt], ["adding/1"])["rewards"].tolist() == [1.0]
    with pytest.raises(ParameterError, match="a query does not hold its prompt"):
        reward_func([FENCED], [prompt], ["adding/1"])


def test_labels_may_hold_the_tests() -> None:
    label = json.dumps({"test": "assert add(1) == 2", "entry_point": "add"})
    reward_func: Any = pickle.loads(pickle.dumps(rewards.for_openrlhf(run=TWO)))
    got = reward_func([BASE + "    return x + 1\n", CHAT + FENCED], [BASE, CHAT], [label] * 2)
    assert got["rewards"].tolist() == [1.0, 1.0]
    reward_func.close()


def test_an_empty_batch_gives_empty_tensors() -> None:
    got = rewards.for_openrlhf(adding(), run=TWO)([], [], [])
    assert got["rewards"].shape == got["scores"].shape == got["extra_logs"]["passed"].shape == (0,)


def test_a_fault_of_the_harness_raises() -> None:
    judge = FailingJudge(failures={"return": 99})
    reward_func = rewards.for_openrlhf(adding(), run=RunOptions(judge=judge, skip_health_check=True))
    with pytest.raises(ExecutionError, match="1 of 1 programs were not judged"):
        reward_func([BASE + "    return x\n"], [BASE], ["adding/1"])
    with pytest.raises(ParameterError, match="1 queries, 1 prompts, 0 labels"):
        reward_func(["x"], ["x"], [])
