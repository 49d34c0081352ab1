"""When a policy has saved time, of what it costs once and at each step."""

from dataclasses import replace

import pytest
import torch

from codesample.bench.policy_rows import Passes, Paying, paying, policy_row
from codesample.bench.policy_steps import Pass
from codesample.policies.accounting import Account
from codesample.sampling.policy_choice import PolicyChoice


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


def test_a_choice_is_one_of_all_layers_that_choose() -> None:
    # two of four layers have a window, three choices served 24 steps
    account = Account(1, 48, 6, 1000, 200, 1000, 200, refresh_seconds=0.3)
    by = Pass([0.5] * 24, account, torch.ones(24, 1, 2) / 2, None, 24, 1.0)
    exact = by._replace(account=Account())
    row = policy_row(PolicyChoice("quest"), Passes([exact], [by], by, 1.0), rows=3)
    assert row["refresh_ms"] == 100
    assert row["tokens"] == 0.2
    # each of three rows chooses for itself
    alone = by._replace(account=replace(account, refreshes=18))
    row = policy_row(PolicyChoice("quest(pool=false)"), Passes([exact], [alone], alone, 1.0), rows=3)
    assert row["refresh_ms"] == 100
