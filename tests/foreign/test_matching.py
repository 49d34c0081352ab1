"""Samples to candidates of a task's problems."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from codesample.errors import DataError
from codesample.foreign import Matched

Reader = Callable[..., Matched]
Lines = Callable[..., Path]

TASKS = ["humaneval", "mbpp"]


def row(name: str | int, **extra: object) -> dict[str, object]:
    return {"task_id": name, "completion": "x", **extra}


def test_samples_of_another_data_set_are_named_with_the_task_that_judges_them(
    lines: Lines, read: Reader
) -> None:
    path = lines(row("HumanEval/0"), row("MBPP/11"))
    said = rf"{path}:2: humaneval has no problem 'MBPP/11'; these are samples of MBPP: --task mbpp$"
    with pytest.raises(DataError, match=said):
        read(path, ["HumanEval/0"], task="humaneval", tasks=TASKS)


def test_a_problem_that_the_data_set_lacks_is_no_other_data_set(lines: Lines, read: Reader) -> None:
    with pytest.raises(DataError, match=r"no problem 'HumanEval/164'; did you mean 'HumanEval/16'"):
        read(lines(row("HumanEval/164")), ["HumanEval/16"], task="humaneval", tasks=TASKS)


def test_problems_that_are_not_evaluated_are_left_out_with_a_notice(lines: Lines, read: Reader) -> None:
    path = lines(row("Mbpp/11"), row(2), row(2), row(601))
    found = read(path, ["Mbpp/11"], outside=["Mbpp/2", "Mbpp/601"], task="mbpp")
    assert [each.task_id for each in found.candidates] == ["Mbpp/11"]
    assert found.notices == [
        "3 samples of 2 problems that mbpp does not evaluate are left out (Mbpp/2, Mbpp/601)"
    ]
    with pytest.raises(DataError, match=r"does not evaluate.*; nothing is left"):
        read(lines(row(2)), ["Mbpp/11"], outside=["Mbpp/2"])


def test_two_names_of_one_problem_count_as_one(lines: Lines, read: Reader) -> None:
    found = read(lines(row(11), row("Mbpp/11"), row("MBPP/11")), ["Mbpp/11"])
    assert [each.index for each in found.candidates] == [0, 1, 2]
    assert [each.name for each in found.origins] == [11, "MBPP/11"]
    with pytest.raises(DataError, match=r":2: candidate 0 of 'Mbpp/11' occurs twice"):
        read(lines(row(11, index=0), row("Mbpp/11", index=0)), ["Mbpp/11"])


def test_an_extraction_begins_with_the_text_and_forgets_earlier_ones(lines: Lines, read: Reader) -> None:
    path = lines(
        row("a", program="p", rule="fence", spans=[[0, 1]], logprobs=[-0.5]),
        {"task_id": "b", "solution": "y"},
    )
    first, second = read(path, extract=True).candidates
    assert (first.completion, first.program, first.rule, first.spans, first.logprobs) == (
        "x",
        None,
        None,
        None,
        (-0.5,),
    )
    assert (second.completion, second.program) == ("y", None)
