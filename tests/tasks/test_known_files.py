"""A wrong data file says which it looks like, and what to type instead."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codesample.errors import DataError
from codesample.tasks.known_files import expect_data_of, family_of, hint, known_file
from codesample.tasks.registry import load_task, load_task_file, task_names

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
HUMANEVAL = {
    "task_id": "HumanEval/0",
    "prompt": "def f():\n",
    "entry_point": "f",
    "test": "",
    "canonical_solution": "",
}
PLUS = {key: value for key, value in HUMANEVAL.items() if key != "test"} | {
    "base_input": [],
    "plus_input": [],
}
MBPP = {"task_id": 1, "text": "Write f.", "code": "", "test_list": [], "test_setup_code": ""}
SANITIZED = {
    "task_id": 2,
    "prompt": "Write f.",
    "code": "",
    "test_list": [],
    "test_imports": [],
    "source_file": "",
}
ITEMS: dict[str, Any] = {
    "HumanEval": HUMANEVAL,
    "HumanEval+": PLUS | {"test": "also there"},
    "MBPP+": PLUS | {"task_id": "Mbpp/2"},
    "MBPP": MBPP,
    "sanitized MBPP": SANITIZED,
    "CRUXEval": {"id": "sample_0", "code": "", "input": "", "output": ""},
    "samples": {"task_id": "HumanEval/0", "completion": "    return 1\n"},
    "a task file of one's own": {"task_id": "mine/1", "prompt": "p", "test": "t"},
    "samples of lm-eval": {"doc_id": 0, "doc": {}, "resps": [[""]], "filtered_resps": [""]},
}


def written(folder: Path, item: Any, name: str = "x.jsonl") -> Path:
    path = folder / name
    text = (
        json.dumps([item, item]) if ".json" in name and ".jsonl" not in name else f"{json.dumps(item)}\n" * 2
    )
    raw = text.encode()
    path.write_bytes(gzip.compress(raw) if name.endswith(".gz") else raw)
    return path


@pytest.mark.parametrize("what", ITEMS)
@pytest.mark.parametrize("name", ["x.jsonl", "x.json", "x.jsonl.gz", "x.json.gz", "x.txt"])
def test_a_kind_is_known_by_its_fields_in_any_file(tmp_path: Path, what: str, name: str) -> None:
    kind = known_file(written(tmp_path, ITEMS[what], name))
    assert kind is not None
    assert kind.what == what


@pytest.mark.parametrize(
    ("file", "what"),
    [
        ("HumanEval.jsonl.gz", "HumanEval"),
        ("HumanEvalPlus.jsonl.gz", "HumanEval+"),
        ("MbppPlus.jsonl.gz", "MBPP+"),
        ("mbpp.jsonl", "MBPP"),
        ("sanitized-mbpp.json", "sanitized MBPP"),
        ("tasks/cruxeval.jsonl", "CRUXEval"),
        ("tasks/BigCodeBench.jsonl.gz", "BigCodeBench"),
        ("tasks/ClassEval_data.json.gz", "ClassEval"),
        ("recorded/human_eval_a.jsonl_results.jsonl", "samples"),
        ("recorded/bigcode_dd5d44b_generations_humaneval.json", "generations of bigcode"),
        ("recorded/livecodebench_o1mini_eval_all.json.gz", "outputs of LiveCodeBench"),
    ],
)
def test_published_files_are_known(file: str, what: str) -> None:
    if not (DATA / file).is_file():
        pytest.skip(f"the published file {file} is not beside the checkout")
    kind = known_file(DATA / file)
    assert kind is not None
    assert kind.what == what


@pytest.mark.parametrize(
    ("task", "item", "said"),
    [
        ("mbpp", HUMANEVAL, "it looks like HumanEval: codesample eval humaneval --data {path}"),
        ("humaneval", MBPP, "it looks like MBPP: codesample eval mbpp --data {path}"),
        ("mbpp", SANITIZED, "it looks like sanitized MBPP: codesample eval mbpp_sanitized --data {path}"),
        ("mbpp_sanitized", MBPP, "it looks like MBPP: codesample eval mbpp --data {path}"),
        ("humaneval", ITEMS["HumanEval+"], "HumanEval+: codesample eval humaneval_plus --data {path}"),
        ("humaneval_plus", HUMANEVAL, "looks like HumanEval: codesample eval humaneval --data {path}"),
        ("mbpp_plus", ITEMS["HumanEval+"], "HumanEval+: codesample eval humaneval_plus --data {path}"),
        (
            "humaneval",
            ITEMS["samples"],
            "looks like samples; judge them: codesample execute {path} --task TASK",
        ),
        ("mbpp", ITEMS["a task file of one's own"], "problems of one's own: --task-file {path}"),
    ],
)
def test_another_tasks_file_is_refused_with_the_call_that_takes_it(
    tmp_path: Path, task: str, item: dict[str, Any], said: str
) -> None:
    path = written(tmp_path, item)
    with pytest.raises(DataError) as caught:
        load_task(task, data=path)
    assert str(caught.value).startswith(f"{path}: is no data of {task}; ")
    assert said.format(path=path) in str(caught.value)


def test_a_result_file_of_evalplus_is_told(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text(json.dumps({"date": "", "hash": "", "eval": {"HumanEval/0": []}}, indent=1))
    with pytest.raises(DataError, match="a result file of EvalPlus; judge them: codesample execute"):
        load_task("humaneval", data=path)


@pytest.mark.parametrize("task", ["humaneval", "mbpp", "mbpp_sanitized", "humaneval_plus", "mbpp_plus"])
def test_a_tasks_own_file_and_unknown_ones_are_left_to_the_task(tmp_path: Path, task: str) -> None:
    own = next(item for what, item in ITEMS.items() if (found := kind_of(tmp_path, item)) and found == task)
    load_task(task, data=written(tmp_path, own))
    load_task(task, data=written(tmp_path, {"something": "else"}))
    load_task(task, data=tmp_path / "missing.jsonl")


def kind_of(folder: Path, item: Any) -> str:
    kind = known_file(written(folder, item))
    return kind.family if kind else ""


def test_tasks_of_which_nothing_is_known_read_what_they_like(tmp_path: Path) -> None:
    path = written(tmp_path, HUMANEVAL)
    load_task("mini", data=path)
    expect_data_of("file.py:mine", path, task_names())


def test_a_family_is_the_longest_beginning() -> None:
    assert family_of("mbpp") == "mbpp"
    assert family_of("mbpp_zero_shot") == "mbpp"
    assert family_of("mbpp_sanitized_zero_shot") == "mbpp_sanitized"
    assert family_of("cruxeval_output") == "cruxeval"
    assert family_of("mbppx") == ""


def test_a_task_that_is_not_installed_is_not_advised(tmp_path: Path) -> None:
    path = written(tmp_path, MBPP)
    assert hint(path, ["mini"]) == "looks like MBPP, of which no task is installed"
    assert hint(path, ["mbpp_zero_shot"]) == f"looks like MBPP: codesample eval mbpp_zero_shot --data {path}"


def test_a_published_file_given_as_ones_own_is_told(tmp_path: Path) -> None:
    path = written(tmp_path, MBPP)
    with pytest.raises(DataError, match=r"the file looks like MBPP: codesample eval mbpp --data"):
        load_task_file(path)
    broken = written(tmp_path, {"task_id": "mine/1", "prompt": "p", "test": 7}, "mine.jsonl")
    with pytest.raises(DataError) as caught:
        load_task_file(broken)
    assert "looks like" not in str(caught.value)


@given(st.binary(max_size=200))
def test_no_bytes_are_too_odd(tmp_path_factory: pytest.TempPathFactory, raw: bytes) -> None:
    for name in ("x.jsonl", "x.json.gz", "x.parquet"):
        path = tmp_path_factory.getbasetemp() / name
        path.write_bytes(raw)
        known_file(path)
        path.write_bytes(b"\x1f\x8b" + raw)
        known_file(path)
