"""LiveCodeBench's outputs, judged and not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from codesample.errors import DataError
from codesample.foreign import Matched, open_samples
from codesample.records import Candidate

Reader = Callable[..., Matched]
Value = Callable[..., Path]


def test_code_is_run_and_answers_are_kept(value: Value, read: Reader) -> None:
    item = {
        "question_id": "a",
        "code_list": ["x", ""],
        "output_list": ["Say x", "nothing"],
        "difficulty": "easy",
    }
    path = value([item])
    assert open_samples(path).form == "LiveCodeBench"
    found = read(path)
    assert found.candidates == [Candidate("a", 0, "x", program="x"), Candidate("a", 1, "", program="")]
    assert [each.answer for each in found.origins] == ["Say x", "nothing"]
    assert [dict(each.fields) for each in found.origins] == [{"difficulty": "easy"}, {}]
    assert [each.completion for each in read(path, extract=True).candidates] == ["Say x", "nothing"]


def test_grades_are_verdicts(value: Value, read: Reader) -> None:
    item = {"question_id": "a", "code_list": ["x", "y"], "graded_list": [True, False], "pass@1": 0.5}
    assert [each.passed for each in read(value([item])).origins] == [True, False]


def test_code_alone_and_answers_alone_will_do(value: Value, read: Reader) -> None:
    found = read(
        value([{"question_id": "a", "code_list": ["x"]}, {"question_id": "b", "output_list": ["y"]}])
    )
    assert found.candidates == [Candidate("a", 0, "x", program="x"), Candidate("b", 0, "y")]


@pytest.mark.parametrize(
    ("item", "said"),
    [
        ({"question_id": "b", "code_list": ["x"], "graded_list": []}, "graded_list has 0 items, code_list 1"),
        ({"question_id": "b"}, "holds neither 'code_list' nor 'output_list'"),
        ({"question_id": "b", "code_list": [3]}, "field 'code_list' holds something else than strings"),
    ],
)
def test_a_malformed_item_is_named(value: Value, read: Reader, item: Any, said: str) -> None:
    with pytest.raises(DataError, match=rf"given\.txt:2: {said}"):
        read(value([{"question_id": "a", "code_list": ["x"]}, item]))
