"""What an evaluation can be asked to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from codesample.errors import MetricError, ParameterError
from codesample.evaluation.options import DEFAULT_K, RunOptions, choose_k, greedy_n
from codesample.records import SamplingParams


def test_default_k_are_those_that_n_allows() -> None:
    assert choose_k(None, 32) == DEFAULT_K
    assert choose_k(None, 4) == (1,)


def test_named_k_are_sorted_without_repeats() -> None:
    assert choose_k((10, 1, 10), 32) == (1, 10)


def test_one_k_need_not_be_several() -> None:
    assert choose_k(1, 32) == (1,)
    assert choose_k({1, 10}, 32) == (1, 10)  # type: ignore[arg-type]
    with pytest.raises(MetricError, match="k = 33 with n = 32"):
        choose_k(33, 32)


@pytest.mark.parametrize("k", ["1", 1.0, (1, "2"), (True,)])
def test_a_k_that_is_no_whole_number_is_refused(k: object) -> None:
    with pytest.raises(ParameterError, match=r"k = .*: expected whole numbers, such as 1 or \(1, 10\)"):
        choose_k(k, 32)  # type: ignore[arg-type]


@pytest.mark.parametrize("n", [0, -1, "4", 4.0, True, None])
def test_a_number_of_candidates_is_a_whole_number_of_at_least_one(n: object) -> None:
    with pytest.raises(ParameterError, match=r"n = .*: expected at least 1 candidate per problem"):
        greedy_n(n, None)  # type: ignore[arg-type]


def test_more_candidates_than_can_be_kept_are_refused() -> None:
    assert greedy_n(100_000, None) == (100_000, "")
    with pytest.raises(ParameterError, match=r"n = 100001: expected at most 100,000 candidates per problem"):
        greedy_n(100_001, None)


def test_at_temperature_0_one_candidate_is_drawn_which_is_said_where_more_were_asked_for() -> None:
    greedy = SamplingParams(temperature=0)
    assert greedy_n(1, greedy) == (1, "")
    assert greedy_n(7, SamplingParams(temperature=0.01)) == (7, "")
    assert greedy_n(7, None) == (7, "")
    drawn, said = greedy_n(7, greedy)
    assert drawn == 1
    assert said == "temperature 0: one candidate of each prompt is drawn, for all 7 would be equal"


def test_to_resume_needs_a_folder() -> None:
    assert RunOptions(out=Path("run"), resume=True).resume
    with pytest.raises(ParameterError, match="--out RUN --resume"):
        RunOptions(resume=True)


@pytest.mark.parametrize("workers", [0, -1, "two"])
def test_workers_are_a_number_of_at_least_one(workers: object) -> None:
    with pytest.raises(ParameterError, match=r"workers = .*expected at least 1"):
        RunOptions(workers=workers)  # type: ignore[arg-type]
