"""CRUXEval's predictions, scored and not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from codesample.errors import DataError
from codesample.foreign import Matched, open_samples
from codesample.records import Candidate

Reader = Callable[..., Matched]
Value = Callable[..., Path]


def test_predictions_are_texts_to_complete_with(value: Value, read: Reader) -> None:
    path = value({"sample_0": ["1", "2"], "sample_1": ["x"]})
    assert open_samples(path).form == "CRUXEval"
    found = read(path, ["sample_0", "sample_1"])
    assert found.candidates == [
        Candidate("sample_0", 0, "1"),
        Candidate("sample_0", 1, "2"),
        Candidate("sample_1", 0, "x"),
    ]


def test_a_scored_file_brings_verdicts_and_figures(value: Value, read: Reader) -> None:
    scored = {
        "raw_generations": {"sample_0": ["1", "2"]},
        "raw_scored_generations": {"sample_0": [True, False]},
        "pass_at_1": 50.0,
    }
    path = value(scored)
    assert [each.passed for each in read(path, ["sample_0"]).origins] == [True, False]
    assert open_samples(path).figures() == {"pass@1": 0.5}
    scored["raw_scored_generations"] = {"sample_0": [True]}
    with pytest.raises(DataError, match="sample_0: 2 predictions and 1 grades"):
        read(value(scored), ["sample_0"])
