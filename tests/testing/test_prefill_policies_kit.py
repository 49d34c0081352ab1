"""The kit for prefill policies: the built-in ones pass it, and whatever breaks a promise is told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pytest
import torch

from codesample.errors import PolicyError
from codesample.policies.prefill.criti import Criti
from codesample.policies.prefill.prefill_policy import PrefillAsk, PrefillPass, PrefillPolicy, Stretch
from codesample.policies.prefill.star import Star
from codesample.testing.prefill_policies import check_prefill_policy


@pytest.mark.parametrize(
    "policy",
    [
        Criti(budget=64, segment=32, block=16, threshold=96),
        Criti(budget=16, segment=16, block=16, threshold=0, layer_skip=0),
        Criti(),
        Star(tail=20),
        Star(block=100, anchor=30, tail=1),
        Star(),
    ],
)
def test_those_that_are_built_in_keep_their_promises(policy: PrefillPolicy) -> None:
    check_prefill_policy(policy)


@dataclass(frozen=True)
class Told(PrefillPolicy):
    """Does what the test says."""

    name = "told"
    way: str = ""

    def begin(self) -> PrefillPass:
        return _Pass(self.way)


class _Pass(PrefillPass):
    def __init__(self, way: str) -> None:
        self._way = way

    def stretches(self, ask: PrefillAsk) -> Sequence[Stretch]:
        heads, begin, end = len(ask.keys), ask.begin, ask.end
        first = torch.zeros(heads, 1, dtype=torch.int64)
        ways = {
            "gap": [Stretch(begin + 1, end)],
            "own behind": [Stretch(begin, end, begin + 1)],
            "dtype": [Stretch(begin, end, begin, first.int())],
            "heads": [Stretch(begin, end, begin, first[:1].repeat(heads + 1, 1))],
            "behind": [Stretch(begin, end, begin, first + begin)],
            "twice": [Stretch(begin, end, begin, first.repeat(1, 2))],
            "last": [Stretch(begin, end, begin, first[:, :0])],
            "passes": [Stretch(begin, end, begin // 2)] if end < ask.stop else [Stretch(begin, end)],
        }
        return ways[self._way]


@pytest.mark.parametrize(
    ("way", "said"),
    [
        ("gap", "spoke of .* expected all of 0..640"),
        ("own behind", "has own keys from 1; expected 0 to 0"),
        ("dtype", r"gave \[2, 1\] torch.int32; expected \[2, N\] torch.int64"),
        ("heads", r"gave \[3, 1\]"),
        ("behind", "named tokens behind"),
        ("twice", "named tokens behind"),
        ("last", "left out keys for the last token"),
        ("passes", "chose otherwise in passes"),
    ],
)
def test_a_broken_promise_is_told(way: str, said: str) -> None:
    with pytest.raises(PolicyError, match=f"policy prefill = 'told' {said}"):
        check_prefill_policy(Told(way=way))
