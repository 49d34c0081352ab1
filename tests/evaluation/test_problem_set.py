"""Which problems an evaluation covers."""

from __future__ import annotations

from pathlib import Path

import pytest

from codesample.errors import DataError, ParameterError, UnknownNameError
from codesample.evaluation.problem_set import read_problems


def test_requests_ask_for_the_missing_candidates_in_the_order_of_the_task(adding) -> None:
    chosen = read_problems(adding)
    asked = chosen.requests_for([("adding/3", 1), ("adding/1", 5), ("adding/1", 0)])
    assert [(each.task_id, each.indices) for each in asked] == [("adding/1", (0, 5)), ("adding/3", (1,))]
    assert asked[0].prompt == chosen.problems[0].prompt


def test_a_limit_takes_the_first_problems_and_is_recorded(adding) -> None:
    chosen = read_problems(adding, limit=2)
    assert [problem.task_id for problem in chosen.problems] == ["adding/1", "adding/2"]
    assert chosen.origin == {"task": None, "limit": 2, "data": None, "task_file": None}
    assert chosen.keys(2) == {("adding/1", 0), ("adding/1", 1), ("adding/2", 0), ("adding/2", 1)}


def test_data_beside_a_ready_made_task_are_refused(adding, tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="named task"):
        read_problems(adding, data=tmp_path / "x.jsonl")


def test_a_malformed_line_of_ones_own_problems_is_named(tmp_path: Path) -> None:
    file = tmp_path / "mine.jsonl"
    file.write_text('{"task_id": "a"\n')
    with pytest.raises(DataError, match=r"mine\.jsonl:1"):
        read_problems(file)


def test_an_unknown_task_suggests_a_near_one() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'humaneval'"):
        read_problems("humanevl")


def test_a_task_is_recorded_by_what_names_it_wherever_the_next_call_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.py").write_text(
        "from codesample import CodeTests, Problem, Task\n"
        "def one():\n    return [Problem('a/1', 'def f():\\n', CodeTests(source='assert f()'))]\n"
        "mine = Task('another name', '1', 'me', (), 8, load=one)\n"
    )
    monkeypatch.chdir(tmp_path)
    assert read_problems("mine.py:mine").origin["task"] == f"{tmp_path}/mine.py:mine"
    assert read_problems("mini", limit=1).origin["task"] == "mini"


def test_ids_are_recorded_as_the_task_writes_them_and_find_the_same_problems_again(adding) -> None:
    chosen = read_problems(adding, ids="5,2-3", limit="2-3")
    assert [problem.task_id for problem in chosen.problems] == ["adding/3", "adding/5"]
    assert chosen.origin["ids"] == ["adding/2", "adding/3", "adding/5"]
    again = read_problems(adding, limit=chosen.origin["limit"], ids=chosen.origin["ids"])
    assert again.problems == chosen.problems


@pytest.mark.parametrize("limit", ["2", " 2 ", 2])
def test_a_number_of_problems_is_recorded_as_a_number(adding, limit: str | int) -> None:
    assert read_problems(adding, limit=limit).origin["limit"] == 2
