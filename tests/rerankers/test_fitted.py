"""Files of learnt rerankers: features equal those counted by hand, and torn files are refused by name."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import fmean, pstdev
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codesample.errors import CodesampleError, RerankerError
from codesample.records import Candidate, PublicView
from codesample.rerankers.context import Context
from codesample.rerankers.fitted import Feature, feature_values, prompt_digest
from codesample.rerankers.registry import load_reranker

CONTENT: dict[str, Any] = {
    "kind": "fitted reranker of codesample",
    "format": 1,
    "methods": {"mean_logprob": "mean_logprob", "sum_logprob": "sum_logprob"},
    "features": [
        {"method": "mean_logprob", "form": "raw", "mean": -1.0, "scale": 2.0},
        {"method": "sum_logprob", "form": "rank", "mean": 0.0, "scale": 1.0},
        {"method": "sum_logprob", "form": "abstained", "mean": 0.0, "scale": 1.0},
    ],
    "model": {"kind": "logistic", "intercept": 0.5, "coefficients": [2.0, 4.0, -8.0]},
}
STUMPS = {
    "kind": "stumps",
    "base": 0.25,
    "stumps": [
        {"feature": 0, "threshold": 0.0, "low": -1.0, "high": 1.0},
        {"feature": 1, "threshold": 0.5, "low": -0.5, "high": 0.5},
    ],
}
VIEW = PublicView("t", "t/0", "def f():\n", "", "f", ())
LOGPROBS = ((-1.0,), (-3.0, -3.0), (-3.0, -5.0), None)
CANDIDATES = [Candidate("t/0", at, "", logprobs=each) for at, each in enumerate(LOGPROBS)]


def written(folder: Path, name: str = "mine.json", **changes: Any) -> Path:
    path = folder / name
    path.write_text(json.dumps(CONTENT | changes))
    return path


def scored(path: Path, candidates: list[Candidate]) -> list[float | None]:
    return load_reranker(str(path)).score(VIEW, candidates, Context(VIEW))


def test_scores_are_those_computed_by_hand(tmp_path: Path) -> None:
    # means -1, -3, -4; sums -1, -6, -8: ranks 1, 1/2, 0
    raw, ranks = [0.0, -1.0, -1.5], [1.0, 0.5, 0.0]
    expected = [0.5 + 2 * first + 4 * second for first, second in zip(raw, ranks, strict=True)]
    assert scored(written(tmp_path), CANDIDATES[:3]) == pytest.approx(expected)
    stumps = scored(written(tmp_path, model=STUMPS), CANDIDATES[:3])
    assert stumps == pytest.approx([0.25 - 1 + 0.5, 0.25 - 1 - 0.5, 0.25 - 1 - 0.5])


def test_its_needs_are_those_of_its_methods_and_its_name_is_the_files(tmp_path: Path) -> None:
    made = load_reranker(str(written(tmp_path, "my model-2.json")))
    assert (made.name, made.needs, made.independent) == ("my_model-2", {"logprobs"}, False)
    assert "logistic over mean_logprob, sum_logprob" in (made.__doc__ or "")
    assert load_reranker(f"{written(tmp_path)} > mean_logprob").name == "mine,mean_logprob"


def _ranks(column: list[float | None]) -> list[float]:
    keys = [(each is not None, each or 0.0) for each in column]
    if len(keys) == 1:
        return [0.5]
    return [
        (sum(other < key for other in keys) + (sum(other == key for other in keys) - 1) / 2) / (len(keys) - 1)
        for key in keys
    ]


@given(st.lists(st.one_of(st.none(), st.integers(-9, 9).map(float)), min_size=1, max_size=9))
def test_features_are_those_counted_by_hand(column: list[float | None]) -> None:
    found = feature_values(column)
    there = [each for each in column if each is not None]
    assert found["raw"] == column
    assert found["abstained"] == [float(each is None) for each in column]
    assert found["rank"] == pytest.approx(_ranks(column))
    spread = pstdev(there) if there else 0.0
    expected = [0.0 if each is None or not spread else (each - fmean(there)) / spread for each in column]
    assert found["z"] == pytest.approx(expected)


@given(st.lists(st.one_of(st.none(), st.floats(-1e6, 1e6)), min_size=1, max_size=9), st.randoms())
def test_features_do_not_depend_on_places(column: list[float | None], rng: Any) -> None:
    places = list(range(len(column)))
    rng.shuffle(places)
    whole, shuffled = feature_values(column), feature_values([column[at] for at in places])
    for form, values in whole.items():
        assert shuffled[form] == [values[at] for at in places]


def test_who_is_scored_by_no_method_is_scored_by_none(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        methods={"public_examples": "public_examples"},
        features=[{"method": "public_examples", "form": "rank", "mean": 0.0, "scale": 1.0}],
        model={"kind": "logistic", "intercept": 0.0, "coefficients": [1.0]},
    )
    assert scored(path, CANDIDATES) == [None] * 4


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"kind": "other"}, "no reranker that was fitted here"),
        ({"methods": None}, "no reranker that was fitted here"),
        ({"model": {"kind": "forest"}}, "no reranker that was fitted here"),
        ({"format": 2}, "has format 2, and this version reads 1"),
        ({"methods": {}}, "takes no scores of any reranker"),
        ({"methods": {"mean_logprob": "mean_logprob"}}, "has a feature of 'sum_logprob'"),
        ({"methods": {"mean_logprob": "mean_logprob", "sum_logprob": "mine.json"}}, "another fitted one"),
        ({"methods": {"mean_logprob": "x", "sum_logprob": "z(mine.json) + x"}}, "another fitted one"),
        ({"features": [CONTENT["features"][0] | {"scale": 5e-324}] * 3}, "not finite"),
        ({"model": {"kind": "logistic", "intercept": 0, "coefficients": [1]}}, "has 1 coefficients for 3"),
        ({"model": {"kind": "stumps", "base": 0, "stumps": [STUMPS["stumps"][0] | {"feature": 3}]}}, "stump"),
        ({"features": [CONTENT["features"][0] | {"scale": 0}] * 3}, "whose scale is 0"),
        (
            {"methods": {"mean_logprob": "nothing", "sum_logprob": "sum_logprob"}},
            "unknown reranker 'nothing'",
        ),
    ],
)
def test_a_torn_file_is_refused(changes: Any, said: str, tmp_path: Path) -> None:
    path = written(tmp_path, **changes)
    with pytest.raises(CodesampleError, match=said):
        load_reranker(str(path))


@given(st.binary(max_size=60))
def test_no_bytes_make_it_fail_otherwise(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.mktemp("torn") / "torn.json"
    path.write_bytes(data)
    with pytest.raises(RerankerError, match=r"torn\.json: no reranker that was fitted here"):
        load_reranker(str(path))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(RerankerError, match=r"absent\.json: cannot be read"):
        load_reranker(f"{tmp_path}/absent.json")


def test_prompts_are_told_apart() -> None:
    assert prompt_digest("a") == prompt_digest("a") != prompt_digest("b")
    assert len(prompt_digest("\ud800")) == 16


def test_no_score_is_beyond_all_numbers() -> None:
    column = Feature("m", "raw", -1.7e308, 1e308).scaled([1.7e308, None, -1.7e308])
    assert column == pytest.approx([3.4, 0.0, 0.0])
    assert Feature("m", "raw", 0.0, 1e-9).scaled([1e308, -1e308, 1e-9]) == pytest.approx([1e6, -1e6, 1.0])


def test_numbers_of_any_size_have_z_scores() -> None:
    for size in (1e-300, 1.0, 1e200, 1e307):
        made = feature_values([size, -size, None, 3 * size])
        assert made["z"] == pytest.approx(feature_values([1.0, -1.0, None, 3.0])["z"])
    assert feature_values([5e-324, 5e-324])["z"] == [0.0, 0.0]
