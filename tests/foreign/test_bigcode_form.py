"""bigcode's generations, which name no problem, and the figures that lie beside them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from codesample.errors import DataError
from codesample.foreign import Matched, match_samples, open_samples
from codesample.records import Candidate, CodeTests, Problem

Reader = Callable[..., Matched]
Value = Callable[..., Path]


def figures(config: dict[str, Any] | None = None, **tasks: float) -> dict[str, Any]:
    return {name: {"pass@1": each} for name, each in tasks.items()} | {"config": config or {}}


def test_problems_are_told_by_position_alone(value: Value, read: Reader) -> None:
    path = value([["x", "y"], [], ["z"]])
    assert open_samples(path).form == "bigcode-evaluation-harness"
    found = read(path, ["a", "b", "c"])
    assert found.candidates == [
        Candidate("a", 0, "x", program="x"),
        Candidate("a", 1, "y", program="y"),
        Candidate("c", 0, "z", program="z"),
    ]
    # there is nothing else to keep
    assert found.origins == []


def test_more_problems_than_the_task_has_are_of_another_data_set(value: Value, read: Reader) -> None:
    with pytest.raises(DataError, match=r"has 2 problems, .* at position 2, counted from 0"):
        read(value([["x"]] * 3))
    # by its size one can be told
    path = value([[]] * 499 + [["x"]])
    with pytest.raises(DataError, match=r"these are samples of MBPP: --task mbpp or mbpp_plus"):
        read(path, tasks=["humaneval", "mbpp", "mbpp_plus", "mbppish"])


def test_programs_that_name_other_functions_are_refused(value: Value) -> None:
    problems = [
        Problem(f"t/{at}", "p", CodeTests(source="pass"), entry_point=f"function_{at:02}") for at in range(12)
    ]

    def read(*texts: str) -> Matched:
        path = value([[text] for text in texts])
        return match_samples(open_samples(path).samples(), problems, name=str(path))

    right = [f"def function_{at:02}(): pass" for at in range(12)]
    found = read(*right)
    assert (len(found.candidates), found.notices) == (12, [])
    assert read(*right[:6], *["x"] * 6).notices == []
    # a poor model's are judged all the same
    (notice,) = read(*right[:2], *["x"] * 10).notices
    assert "only 2 of 12 samples name the function" in notice
    assert len(read("x", "y").candidates) == 2
    with pytest.raises(DataError, match="only 1 of 12 samples name the function"):
        read(right[0], *right[2:], right[1])


@pytest.mark.parametrize(
    ("generations", "results", "content", "expected"),
    [
        ("generations.json", "evaluation_results.json", figures(humaneval=0.25), {"pass@1": 0.25}),
        (
            "generations_mbpp.json",
            "evaluation_results.json",
            figures(humaneval=0.2, mbpp=0.3),
            {"pass@1": 0.3},
        ),
        ("generations_mbpp.json", "evaluation_results.json", figures(humaneval=0.25), {}),
        ("generations.json", "evaluation_results.json", figures(humaneval=0.2, mbpp=0.3), {}),
        ("m1_generations.json", "m1_evaluation_results.json", figures(humaneval=0.5), {"pass@1": 0.5}),
        ("m1_generations.json", "m2_evaluation_results.json", figures(humaneval=0.5), {}),
        ("generations.json", "evaluation_results.json", [], {}),
    ],
)
def test_figures_are_those_of_the_file_beside_it(
    value: Value, generations: str, results: str, content: Any, expected: dict[str, float]
) -> None:
    path = value([["x"]], generations)
    assert open_samples(path).figures() == {}
    value(content, results)
    assert open_samples(path).figures() == expected
    # and a folder with both is one file of samples
    assert open_samples(path.parent).figures() == expected


def test_a_part_of_the_problems_begins_where_the_settings_say(value: Value, read: Reader) -> None:
    path = value([["x"], ["y"]], "generations.json")
    value(figures({"limit": 2, "limit_start": 3}, humaneval=1.0), "evaluation_results.json")
    found = read(path, ["a", "b", "c", "d", "e"])
    assert [each.task_id for each in found.candidates] == ["d", "e"]
    # the last part is shorter than it might be
    value(figures({"limit": 10, "limit_start": 3}, humaneval=1.0), "evaluation_results.json")
    assert [each.task_id for each in read(path, "abcde").candidates] == ["d", "e"]
    # settings of another run, which made fewer
    value(figures({"limit": 1, "limit_start": 3}, humaneval=1.0), "evaluation_results.json")
    assert [each.task_id for each in read(path, "abcde").candidates] == ["a", "b"]


def test_figures_alone_are_no_samples(value: Value) -> None:
    with pytest.raises(DataError, match=r"holds figures of bigcode.*; give the generations"):
        open_samples(value(figures(humaneval=0.25)))
