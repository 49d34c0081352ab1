"""EvalPlus' lines, folders and result files."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from codesample.errors import DataError
from codesample.foreign import Matched, open_samples
from codesample.records import Candidate

Reader = Callable[..., Matched]
Lines = Callable[..., Path]
Value = Callable[..., Path]


def result(base: Any, plus: Any = None, **extra: Any) -> dict[str, Any]:
    return {"task_id": "a", "solution": "pass", "base_status": base, "plus_status": plus, **extra}


def results(*items: dict[str, Any], **extra: Any) -> dict[str, Any]:
    known = "fe585eb4df8c88d844eeb463ea4d0302"
    return {"date": "2025-01-01", "hash": known, "eval": {"a": list(items)}, **extra}


def test_lines_with_solutions_are_whole_programs(lines: Lines, read: Reader) -> None:
    path = lines({"task_id": "a", "solution": "x = 1", "_identifier": "a (line 1)"})
    assert open_samples(path).form == "EvalPlus"
    found = read(path)
    assert found.candidates == [Candidate("a", 0, "x = 1", program="x = 1")]
    assert found.origins[0].fields == {"_identifier": "a (line 1)"}


@pytest.mark.parametrize("packed", [False, True])
def test_a_folder_has_a_folder_per_problem(tmp_path: Path, read: Reader, packed: bool) -> None:
    for name, text in {"A_b_0/0.py": "x", "A_b_0/1.py": "y", "A_b_1/10.py": "z", "A_b_1/2.py": "é"}.items():
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).write_text(text, encoding="utf-8")
    path = tmp_path / "in"
    if packed:
        with zipfile.ZipFile(tmp_path / "in.zip", "w") as archive:
            for file in path.rglob("*.py"):
                archive.write(file, f"samples/{file.relative_to(path)}")
        path = tmp_path / "in.zip"
    assert open_samples(path).form == "EvalPlus"
    found = read(path, ["A_b/0", "A_b/1"])
    assert [(each.task_id, each.index, each.program) for each in found.candidates] == [
        ("A_b/0", 0, "x"),
        ("A_b/0", 1, "y"),
        ("A_b/1", 2, "é"),
        ("A_b/1", 10, "z"),
    ]


@pytest.mark.parametrize("indent", [None, 2])
def test_results_bring_programs_and_two_verdicts(value: Value, read: Reader, indent: int | None) -> None:
    items = [result("pass", "fail", plus_fail_tests=[[1]]), result("fail", "fail"), result("pass", "pass")]
    path = value(results(*items), indent=indent)
    assert open_samples(path).form == "EvalPlus"
    base, plus = read(path), read(path, plus=True)
    assert [each.program for each in base.candidates] == ["pass"] * 3
    assert [each.passed for each in base.origins] == [True, False, True]
    assert [each.passed for each in plus.origins] == [False, False, True]
    assert base.origins[0].said == "base tests: pass"
    assert plus.origins[0].said == "base tests: pass, plus tests: fail"
    assert base.origins[0].fields["plus_fail_tests"] == [[1]]


def test_a_pass_of_the_small_tests_alone_says_nothing_of_the_large_ones(value: Value, read: Reader) -> None:
    path = value(results(result("pass"), result("fail"), result("timeout", None)))
    assert [each.passed for each in read(path).origins] == [True, False, False]
    assert [each.passed for each in read(path, plus=True).origins] == [None, False, False]


def test_older_words_for_a_pass_are_known(value: Value, read: Reader) -> None:
    path = value(results(result("success", "failed")))
    assert read(path).origins[0].passed is True


def test_results_with_one_verdict_are_read_too(value: Value, read: Reader) -> None:
    item = {"task_id": "a", "solution": "pass", "status": "fail", "details": {"test_1": "boom"}}
    (origin,) = read(value(results(item, {**item, "status": "pass", "details": {}}))).origins[:1]
    assert (origin.passed, origin.said) == (False, 'fail: {"test_1": "boom"}')


def test_figures_are_those_of_the_tests_that_are_wanted(value: Value) -> None:
    kept = {"base": {"pass@1": 0.5}, "plus": {"pass@1": 0.25}}
    file = open_samples(value(results(result("pass"), pass_at_k=kept)))
    assert (file.figures(), file.figures(plus=True)) == ({"pass@1": 0.5}, {"pass@1": 0.25})
    assert open_samples(value(results(result("pass")))).figures() == {}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (results({"base_status": "pass"}), "eval: a: item 0: expected an object with the text 'solution'"),
        (
            {"date": "x", "eval": {"a": {"nfiles": 1, "base": [["failed", []]]}}},
            "eval: a: an older form of results, which holds no programs",
        ),
    ],
)
def test_results_without_programs_are_named(value: Value, read: Reader, content: Any, said: str) -> None:
    with pytest.raises(DataError, match=said):
        read(value(content))


def test_other_data_than_is_known_here_are_said(value: Value, read: Reader) -> None:
    assert read(value(results(result("pass")))).notices == []
    (notice,) = read(value(results(result("pass"), hash="abc"))).notices
    assert "judged there by other data (hash abc)" in notice


@pytest.mark.parametrize("status", [None, ["pass", []], 3])
def test_a_status_that_is_no_word_is_no_verdict(value: Value, read: Reader, status: Any) -> None:
    path = value(results(result(status, "pass")))
    for plus in (False, True):
        assert [each.passed for each in read(path, plus=plus).origins] == [None]
