"""What an evaluation can be asked to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from codesample.errors import ParameterError
from codesample.evaluation.options import DEFAULT_K, RunOptions, choose_k


def test_default_k_are_those_that_n_allows() -> None:
    assert choose_k(None, 32) == DEFAULT_K
    assert choose_k(None, 4) == (1,)


def test_named_k_are_sorted_without_repeats() -> None:
    assert choose_k((10, 1, 10), 32) == (1, 10)


def test_to_resume_needs_a_folder() -> None:
    assert RunOptions(out=Path("run"), resume=True).resume
    with pytest.raises(ParameterError, match="--out RUN --resume"):
        RunOptions(resume=True)


@pytest.mark.parametrize("workers", [0, -1, "two"])
def test_workers_are_a_number_of_at_least_one(workers: object) -> None:
    with pytest.raises(ParameterError, match=r"workers = .*expected at least 1"):
        RunOptions(workers=workers)  # type: ignore[arg-type]
