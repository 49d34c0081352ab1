"""When results count as equal."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codesample.execution.worker.compare import same_result


@pytest.mark.parametrize(
    ("got", "expected", "atol", "same"),
    [
        (1, 1, 0, True),
        (1, 1.0, 0, True),
        (1, 2, 0, False),
        (0.1 + 0.2, 0.3, 0, True),
        ([0.1 + 0.2], [0.3], 0, True),
        ((0.1 + 0.2,), [0.3], 0, False),
        (0.3001, 0.3, 0, False),
        (0.3001, 0.3, 1e-3, True),
        ([1, [0.3001]], [1, [0.3]], 1e-3, True),
        ([1, [0.3001]], [1, [0.3]], 0, False),
        (3, 3.0000001, 1e-3, False),
        ([3], [3.0000001], 1e-3, True),
        ([1.0], [1.0, 2.0], 1e-3, False),
        ("a", "b", 1e-3, False),
        (None, 0.0, 1e-3, False),
        (math.nan, math.nan, 1e-3, False),
        (math.inf, math.inf, 1e-3, True),
        (math.inf, 1.0, 1e-3, False),
        (1.0, math.inf, 1e-3, False),
        (10**400, 1.0, 1e-3, False),
        ([10**400], [1.0], 1e-3, False),
        ([], [], 1e-3, True),
        (3, 10**400, 1e-3, False),
        ([3], [10**400], 1e-3, False),
        ([3, 10**400], [3.0, 10**400], 1e-3, True),
        (10**400 + 1, 10**400, 1e-3, False),
        (1e308, -1e308, 1e-3, False),
        (complex(1e308, 1e308), complex(-1e308, 1e308), 1e-3, False),
    ],
)
def test_cases(got: Any, expected: Any, atol: float, same: bool) -> None:
    assert same_result(got, expected, atol) is same


@given(
    st.recursive(
        st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=4),
    ),
    st.sampled_from([0, 1e-6]),
)
def test_a_value_is_the_same_as_itself(value: Any, atol: float) -> None:
    assert same_result(value, value, atol)


@given(st.floats(-1e6, 1e6), st.floats(0, 1), st.floats(1e-9, 1e-3))
def test_tolerance_bounds_the_difference(value: float, share: float, atol: float) -> None:
    assert same_result(value + share * atol * 0.999, value, atol)
    assert not same_result(value + 2 * atol + 3e-7 * abs(value), value, atol)
