"""When a policy has saved time, of what it costs once and at each step."""

import pytest

from codesample.bench.policy_rows import Paying, paying


@pytest.mark.parametrize(
    ("before", "exact", "step", "expected"),
    [
        (1.0, 0.5, 0.25, Paying(4)),
        (1.01, 0.5, 0.25, Paying(5)),
        (0.0, 0.5, 0.25, Paying(1)),
        (1.0, 0.25, 0.25, Paying(None)),
        (1.0, 0.25, 0.5, Paying(None)),
        (0.0, 0.25, 0.25, Paying(None)),
        # a prompt that is run faster
        (-1.0, 0.25, 0.25, Paying(1)),
        (-1.0, 0.5, 0.25, Paying(1)),
        (-1.0, 0.25, 0.5, Paying(1, 4)),
        (-0.9, 0.25, 0.5, Paying(1, 3)),
    ],
)
def test_a_policy_pays_after_so_many_steps(
    before: float, exact: float, step: float, expected: Paying
) -> None:
    assert paying(before, exact, step) == expected
