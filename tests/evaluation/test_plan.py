"""One plan, whoever asks for it: what an evaluation is to do, checked before a model is loaded."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from codesample.engines.model_options import ModelOptions
from codesample.errors import (
    MetricError,
    ModelError,
    ParameterError,
    RerankerError,
    RunFolderError,
    UnknownNameError,
)
from codesample.evaluation.options import RunOptions
from codesample.evaluation.plan import (
    EvaluationPlan,
    ModelSource,
    build_plan,
    choose_rerankers,
    model_source,
)
from codesample.evaluation.problem_set import read_problems
from codesample.evaluation.run_place import new_run_folder
from codesample.records import SamplingParams


def never() -> Any:
    raise AssertionError("a plan opens no engine")


def plan(adding, wanted: Collection[tuple[str, int]], run: RunOptions, **more: Any) -> EvaluationPlan:
    source = ModelSource("a model", never)
    settings = {"params": SamplingParams().settled(), "k": None, "rerankers": (), "run": run, **more}
    return build_plan("eval", read_problems(adding), wanted, source, **settings)


def test_a_plan_holds_the_problems_that_something_is_wanted_of(adding, tmp_path: Path) -> None:
    made = plan(adding, {("adding/3", 0), ("adding/1", 4), ("adding/1", 0)}, RunOptions(out=tmp_path))
    assert [problem.task_id for problem in made.chosen.problems] == ["adding/1", "adding/3"]
    assert (made.of_problems, made.n, made.k) == (4, 1, (1,))


def test_what_was_asked_for_is_recorded_alike_for_every_command(adding, tmp_path: Path) -> None:
    run = RunOptions(out=tmp_path, workers=3, allow_weak_isolation="limited", imports=("numpy",))
    made = plan(adding, read_problems(adding).keys(2), run, settings={"samples": "file.jsonl"})
    assert made.as_settings() == {
        "samples": "file.jsonl",
        "workers": 3,
        "allow_weak_isolation": "limited",
        "imports": ["numpy"],
        "integrity": "any",
        "task": None,
        "limit": None,
        "data": None,
        "task_file": None,
        "n": 2,
        "candidates": 8,
        "k": (1,),
        "rerankers": [],
    }


def test_a_k_that_the_smallest_problem_does_not_reach_is_refused_and_the_problem_named(
    adding, tmp_path: Path
) -> None:
    wanted = {("adding/1", 0), ("adding/1", 1), ("adding/2", 0)}
    with pytest.raises(MetricError, match="adding/2 has the fewest samples"):
        plan(adding, wanted, RunOptions(out=tmp_path), k=(2,))


def test_a_folder_that_cannot_be_used_is_refused_and_left_as_it_was(adding, tmp_path: Path) -> None:
    (tmp_path / "samples.jsonl").write_text("mine")
    with pytest.raises(RunFolderError, match=r"holds samples\.jsonl"):
        plan(adding, {("adding/1", 0)}, RunOptions(out=tmp_path))
    with pytest.raises(RunFolderError, match="not a run folder"):
        plan(adding, {("adding/1", 0)}, RunOptions(out=tmp_path / "absent", resume=True))
    assert [each.name for each in tmp_path.iterdir()] == ["samples.jsonl"]


def test_the_same_reranker_twice_counts_once() -> None:
    assert [each.name for each in choose_rerankers(["mean_logprob", "mean_logprob"])] == ["mean_logprob"]


def test_two_rerankers_of_one_name_are_refused(tmp_path: Path) -> None:
    source = "from codesample import reranker\n@reranker\ndef idea(view, candidates, ctx):\n    return []\n"
    for name in ("one.py", "two.py"):
        (tmp_path / name).write_text(source)
    with pytest.raises(RerankerError, match="two rerankers are called 'idea'"):
        choose_rerankers([f"{tmp_path}/one.py:idea", f"{tmp_path}/two.py:idea"])


def test_a_model_is_named_with_its_revision() -> None:
    assert model_source(ModelOptions("org/name", revision="v2")).name == "org/name@v2"
    assert model_source("tiny").name == "tiny"


def test_the_native_engine_by_name_is_the_same_model(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    named, plain = model_source(f"native:{tmp_path}"), model_source(tmp_path)
    assert (named.name, named.checkpoint) == (plain.name, plain.checkpoint)
    assert model_source("native:tiny").name == "tiny"


@pytest.mark.parametrize("model", [object(), None, 7])
def test_what_is_no_engine_is_refused_with_what_it_lacks(model: Any) -> None:
    with pytest.raises(ModelError, match=r"which lacks .*stream"):
        model_source(model)


def test_one_reranker_may_be_named_alone() -> None:
    assert [each.name for each in choose_rerankers("mean_logprob")] == ["mean_logprob"]


def test_an_engine_is_its_own_source(scripted_engine) -> None:
    engine = scripted_engine()
    source = model_source(engine)
    assert (source.name, source.open(), source.checkpoint) == ("scripted", engine, None)


def test_an_engine_that_is_not_installed_is_refused_before_anything_is_loaded() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'native'"):
        model_source("nativ:tiny")


def test_a_model_in_a_folder_is_known_by_what_the_folder_holds(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    before = model_source(tmp_path).checkpoint
    (tmp_path / "model.safetensors").write_bytes(b"others!")
    assert before not in (None, model_source(tmp_path).checkpoint)


@pytest.mark.parametrize("model", ["org/name", "/models/name", "name"])
def test_a_new_run_folder_is_named_after_task_and_model(model: str) -> None:
    assert new_run_folder("mini", model).name.startswith("mini-name-")


def test_a_plan_cannot_be_changed(adding, tmp_path: Path) -> None:
    made = plan(adding, {("adding/1", 0)}, RunOptions(out=tmp_path))
    assert replace(made, n=7).n == 7
    with pytest.raises(AttributeError):
        made.n = 7  # type: ignore[misc]


def test_a_reranker_that_lacks_a_parameter_is_refused_before_anything_is_done() -> None:
    with pytest.raises(
        ParameterError, match=r"'reward_model' needs model, a text: reward_model\(model=...\)"
    ):
        choose_rerankers(["mean_logprob > codesample.rerankers.reward_model:reward_model"])
