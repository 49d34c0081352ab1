"""What can be checked before a model is loaded."""

from __future__ import annotations

from pathlib import Path

import pytest

from codesample.errors import DataError, ModelError, ParameterError, RerankerError, UnknownNameError
from codesample.evaluation.options import DEFAULT_K, ModelOptions, choose_k
from codesample.evaluation.plan import choose_rerankers, choose_task, model_name, new_run_folder, requests_for


def test_default_k_are_those_that_n_allows() -> None:
    assert choose_k(None, 32) == DEFAULT_K
    assert choose_k(None, 4) == (1,)


def test_named_k_are_sorted_without_repeats() -> None:
    assert choose_k((10, 1, 10), 32) == (1, 10)


def test_requests_ask_for_the_missing_candidates_in_the_order_of_the_task(adding) -> None:
    problems = adding.problems()
    asked = requests_for(problems, [("adding/3", 1), ("adding/1", 5), ("adding/1", 0)])
    assert [(each.task_id, each.indices) for each in asked] == [("adding/1", (0, 5)), ("adding/3", (1,))]
    assert asked[0].prompt == problems[0].prompt


def test_data_beside_a_ready_made_task_are_refused(adding, tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="named task"):
        choose_task(adding, data=tmp_path / "x.jsonl")


def test_a_malformed_line_of_ones_own_problems_is_named(tmp_path: Path) -> None:
    file = tmp_path / "mine.jsonl"
    file.write_text('{"task_id": "a"\n')
    with pytest.raises(DataError, match=r"mine\.jsonl:1"):
        choose_task(file)


def test_an_unknown_task_suggests_a_near_one() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'humaneval'"):
        choose_task("humanevl")


def test_the_same_reranker_twice_counts_once() -> None:
    assert [each.name for each in choose_rerankers(["mean_logprob", "mean_logprob"])] == ["mean_logprob"]


def test_two_rerankers_of_one_name_are_refused(tmp_path: Path) -> None:
    source = "from codesample import reranker\n@reranker\ndef idea(view, candidates, ctx):\n    return []\n"
    for name in ("one.py", "two.py"):
        (tmp_path / name).write_text(source)
    with pytest.raises(RerankerError, match="two rerankers are called 'idea'"):
        choose_rerankers([f"{tmp_path}/one.py:idea", f"{tmp_path}/two.py:idea"])


def test_a_model_is_named_with_its_revision() -> None:
    assert model_name(ModelOptions("org/name", revision="v2")) == "org/name@v2"
    assert model_name(ModelOptions()) == "tiny"


def test_only_a_model_in_a_folder_has_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny").mkdir()
    assert [ModelOptions(name).folder for name in ("tiny", "org/name")] == [None, None]
    assert ModelOptions(str(tmp_path)).folder == tmp_path
    with pytest.raises(ModelError, match="File name too long"):
        _ = ModelOptions("x" * 300).folder


@pytest.mark.parametrize("model", ["org/name", "/models/name", "name"])
def test_a_new_run_folder_is_named_after_task_and_model(model: str) -> None:
    assert new_run_folder("mini", model).name.startswith("mini-name-")
