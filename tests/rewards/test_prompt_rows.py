"""Rows for trainers: prompts in the form asked for, and names by which rewards find their problems."""

from __future__ import annotations

import logging

import pytest
from adding_tasks import adding

from codesample import CodeTests, Problem, RunOptions, rewards
from codesample.errors import ParameterError


def test_rows_for_trl_hold_messages_or_texts() -> None:
    chat = rewards.dataset("mini", system="Be brief.")
    assert (len(chat), chat.column_names) == (107, ["prompt", "task_id"])
    assert [each["role"] for each in chat[0]["prompt"]] == ["system", "user"]
    base = rewards.dataset("mini", style="base")
    assert base[0]["prompt"].startswith("def ")
    assert base[0]["task_id"] == chat[0]["task_id"] == "mini/0"


def test_rows_for_verl_and_openrlhf_are_named_as_these_do() -> None:
    row = rewards.dataset(adding(), trainer="verl")[1]
    assert row["reward_model"] == {"style": "rule", "ground_truth": "adding/2"}
    assert row["extra_info"] == {"index": 1, "task_id": "adding/2"}
    assert row["data_source"] == "problems"
    assert row["prompt"][0]["role"] == "user"
    row = rewards.dataset(adding(), style="base", trainer="openrlhf")[1]
    assert row == {"input": adding()[1].prompt, "label": "adding/2"}


def test_verl_takes_messages_alone() -> None:
    with pytest.raises(
        ParameterError, match="style = 'base': verl puts every prompt through a chat template"
    ):
        rewards.dataset(adding(), style="base", trainer="verl")


def test_problems_that_cannot_be_judged_are_left_out(caplog: pytest.LogCaptureFixture) -> None:
    weak = Problem(
        task_id="weak",
        prompt="def f(x):\n",
        tests=CodeTests(source="assert f(1) == 2", mode="in_process"),
        entry_point="f",
    )
    with caplog.at_level(logging.WARNING):
        assert rewards.dataset([weak, *adding()])["task_id"] == [each.task_id for each in adding()]
    assert "1 of 5 problems are left out" in caplog.text
    assert len(rewards.dataset([weak, *adding()], run=RunOptions(integrity="any"))) == 5


@pytest.mark.parametrize("task", [[], ["mini", *adding()], 3])
def test_what_is_no_task_is_refused(task: object) -> None:
    with pytest.raises(ParameterError, match="task"):
        rewards.dataset(task)  # type: ignore[arg-type]
