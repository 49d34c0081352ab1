from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from codesample.rerankers.windows import mean, window_means

VALUES = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30)


def test_by_hand() -> None:
    assert window_means([1.0, 2.0, 6.0], 2) == [1.5, 4.0]
    assert window_means([1.0, 2.0, 6.0], 3) == window_means([1.0, 2.0, 6.0], 9) == [3.0]
    assert window_means([5.0], 1) == [5.0]
    assert (mean([1.0, 2.0]), mean([]), mean(None)) == (1.5, None, None)


@given(VALUES, st.integers(1, 40))
def test_every_stretch_has_its_mean_and_shorter_ones_the_whole(values: list[float], window: int) -> None:
    got = window_means(values, window)
    stretches = [values[at : at + window] for at in range(len(values)) if at + window <= len(values)] or [
        values
    ]
    assert len(got) == len(stretches)
    for one, stretch in zip(got, stretches, strict=True):
        assert math.isclose(one, sum(stretch) / len(stretch), abs_tol=1e-6)


@given(VALUES, st.integers(1, 8))
def test_turning_the_values_round_turns_the_means_round(values: list[float], window: int) -> None:
    assert window_means(values[::-1], window) == window_means(values, window)[::-1]
