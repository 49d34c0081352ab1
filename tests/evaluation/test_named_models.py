"""Models that rerankers name are looked for before anything is sampled, also deep in an expression."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from codesample.errors import RerankerError
from codesample.evaluation.evaluate import evaluate
from codesample.evaluation.named_models import expect_named_models
from codesample.evaluation.options import RunOptions
from codesample.rerankers.registry import load_reranker


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("judge_pairwise(model='./nowhere')", "judge_pairwise.*unknown model './nowhere'"),
        ("executable | 0.5*z(mean_logprob) + 0.5*z(judge_pointwise(model='tin'))", "did you mean 'tiny'"),
        ("mean_logprob > reviewer(model='nosuch:model')", "unknown engine 'nosuch'"),
        ("executable > reward_model(model='nobody/no-such')", "neither a folder here nor cached"),
        ("reward_model(model='tiny')", "classifies none"),
    ],
)
def test_a_missing_model_is_told_with_the_reranker_that_names_it(expression: str, said: str) -> None:
    with pytest.raises(RerankerError, match=said):
        expect_named_models([load_reranker(expression)])


def test_models_that_are_there_are_accepted(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    for each in (
        "mean_logprob",
        "judge_listwise(model='tiny')",
        "judge_listwise(model='native:tiny')",
        f"executable > reward_model(model='{tmp_path}')",
    ):
        expect_named_models([load_reranker(each)])
    # the engine of the run itself, whatever it is called
    expect_named_models([load_reranker("reviewer(model='my own')")], SimpleNamespace(name="my own"))


def test_what_was_asked_before_needs_no_model() -> None:
    asked = load_reranker("executable > judge_pointwise(model='./nowhere')")
    for before in (asked.name, "judge_pointwise(model=./nowhere, criteria=short)"):
        expect_named_models([asked], scored=["executable", before])
    with pytest.raises(RerankerError, match="nowhere"):
        expect_named_models([asked], scored=["executable", "judge_pointwise(model=./elsewhere)"])


def test_nothing_is_sampled_for_a_judge_that_is_not_there(tmp_path: Path) -> None:
    out = tmp_path / "run"
    with pytest.raises(RerankerError, match=r"\./nowhere"):
        evaluate(
            "mini",
            model="tiny",
            n=1,
            limit=1,
            rerankers=["executable > judge_pointwise(model='./nowhere')"],
            run=RunOptions(out=out),
        )
    assert not out.exists()
