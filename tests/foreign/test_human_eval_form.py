from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codesample.errors import DataError
from codesample.records import Candidate
from codesample.runs import Manifest, RunFolder, read_samples


def _write(folder: Path, *rows: Any) -> Path:
    path = folder / "samples.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_rows_of_human_eval_are_numbered_per_task(tmp_path: Path) -> None:
    rows = [{"task_id": task, "completion": text} for task, text in [("a", "1"), ("b", "2"), ("a", "3")]]
    assert list(read_samples(_write(tmp_path, *rows))) == [
        Candidate("a", 0, "1"),
        Candidate("b", 0, "2"),
        Candidate("a", 1, "3"),
    ]


def test_a_solution_is_a_whole_program(tmp_path: Path) -> None:
    (got,) = read_samples(_write(tmp_path, {"task_id": "a", "solution": "def f(): pass"}))
    assert got == Candidate("a", 0, "def f(): pass", program="def f(): pass")


def test_a_completion_beside_a_solution_is_kept_as_the_completion(tmp_path: Path) -> None:
    (got,) = read_samples(_write(tmp_path, {"task_id": "a", "completion": "x", "solution": "y"}))
    assert (got.completion, got.program) == ("x", None)


def test_our_own_samples_are_read_with_all_fields(tmp_path: Path, path: Path, manifest: Manifest) -> None:
    sample = Candidate("a", 3, "x", (1,), (-0.5,), (-0.25,))
    with RunFolder.create(path, manifest) as run:
        run.add_sample(sample)
    assert list(read_samples(path / "samples.jsonl")) == [sample]


def test_rows_without_an_index_follow_those_that_have_one(tmp_path: Path) -> None:
    rows = [{"task_id": "a", "completion": "x", "index": 4}, {"task_id": "a", "completion": "y"}]
    assert [each.index for each in read_samples(_write(tmp_path, *rows))] == [4, 5]


@pytest.mark.parametrize(
    "theirs",
    [
        {"finish_reason": "eos_token"},
        {"finish_reason": 0},
        {"stop": ["\ndef", "\nclass"]},
        {"token_ids": [[1, 2]]},
        {"logprobs": {"tokens": ["x"], "token_logprobs": [-0.1]}},
        {"logprobs": [None, -0.5]},
        {"sampled_logprobs": "none"},
    ],
)
def test_what_another_tool_says_in_its_own_form_is_left_out(tmp_path: Path, theirs: dict[str, Any]) -> None:
    row = {"task_id": "a", "completion": "x", **theirs}
    assert list(read_samples(_write(tmp_path, row))) == [Candidate("a", 0, "x")]


def test_what_can_be_read_beside_it_is_kept(tmp_path: Path) -> None:
    row = {"task_id": "a", "completion": "x", "logprobs": [-0.5], "token_ids": [3], "finish_reason": "abort"}
    (got,) = read_samples(_write(tmp_path, row))
    assert got == Candidate("a", 0, "x", token_ids=(3,), logprobs=(-0.5,))


def test_an_empty_file_holds_no_samples(tmp_path: Path) -> None:
    assert list(read_samples(_write(tmp_path))) == []


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ({"completion": "x"}, "field 'task_id' is missing"),
        ({"task_id": "a"}, "holds neither 'completion' nor 'solution'"),
        ({"task_id": "a", "completion": None, "solution": None}, "holds neither"),
        ({"task_id": "a", "completion": 3}, "field 'completion' is int"),
        ({"task_id": "a", "completion": "x", "program": 3}, "field 'program' is int"),
        ({"task_id": "a", "completion": "x", "index": "0"}, "field 'index' is str"),
        ({"task_id": "a", "completion": "x", "index": -1}, "index -1: expected at least 0"),
        (
            {"task_id": "HumanEval/01", "completion": "x"},
            "no problem 'HumanEval/01'; did you mean 'HumanEval/0'",
        ),
        ({"task_id": "a", "completion": "x", "index": 0}, "candidate 0 of 'a' occurs twice"),
        ([], "holds list, expected an object"),
    ],
)
def test_a_bad_row_is_named_by_file_and_line(tmp_path: Path, row: Any, complaint: str) -> None:
    path = _write(tmp_path, {"task_id": "a", "completion": "x", "index": 0}, row)
    with pytest.raises(DataError, match=complaint) as caught:
        list(read_samples(path, known={"a", "HumanEval/0"}))
    assert f"{path}:2: " in str(caught.value)


VALUES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.lists(st.integers())
)
FIELDS = ["task_id", "completion", "solution", "index", "token_ids", "logprobs", "finish_reason", "stop"]


@given(st.lists(st.dictionaries(st.sampled_from(FIELDS), VALUES), max_size=4))
def test_any_rows_are_candidates_or_a_data_error(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any]]
) -> None:
    path = _write(tmp_path_factory.mktemp("fuzz"), *rows)
    try:
        got = list(read_samples(path))
    except DataError as error:
        said = str(error)
    else:
        said = str(path)
        assert len({(each.task_id, each.index) for each in got}) == len(rows)
    assert str(path) in said


def test_a_sample_that_names_a_field_twice_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "samples.jsonl"
    file.write_text(
        '{"task_id": "a", "completion": "x"}\n{"task_id": "a", "completion": "x", "completion": "y"}\n'
    )
    with pytest.raises(DataError, match=r"samples\.jsonl:2: names the field 'completion' twice"):
        list(read_samples(file))
