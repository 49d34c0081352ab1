"""The kit of policies passes what keeps its promises, and names the promise that another one breaks."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
import torch

from codesample.errors import ParameterError, PolicyError
from codesample.policies.contract import Choice, SparsePolicy
from codesample.policies.exact import Exact
from codesample.policies.row_scores import pooled_rows, token_votes
from codesample.testing.policies import CHECKS, PolicyCase, check_policy, kept_mass


@dataclass(frozen=True)
class Best(SparsePolicy):
    """Reads the tokens of most votes."""

    name = "best"
    count: int = field(default=64)

    def prepare(self, layers):
        return [None] * len(layers)

    def votes(self, ask, state):
        return token_votes(pooled_rows(ask.queries, len(ask.keys)), ask.keys, ask.scores).votes

    def select(self, ask, state):
        if ask.keys.shape[1] <= self.count:
            return None
        votes = self.votes(ask, state)
        return Choice(votes.topk(self.count, dim=1).indices.sort(dim=1).values, 0)


class Worst(Best):
    def votes(self, ask, state):
        return -super().votes(ask, state)


class FirstRow(Best):
    def votes(self, ask, state):
        return super().votes(ask._replace(queries=ask.queries[:1]), state)


class Modulo(Best):
    """Takes query head h for a reader of KV head h mod G."""

    def votes(self, ask, state):
        kv_heads = len(ask.keys)
        order = [h for g in range(kv_heads) for h in range(ask.queries.shape[2]) if h % kv_heads == g]
        return super().votes(ask._replace(queries=ask.queries[:, :, order]), state)


class Chance(Best):
    def votes(self, ask, state):
        return torch.rand(ask.keys.shape[:2])


class Overflowing(Best):
    def votes(self, ask, state):
        rows = pooled_rows(ask.queries, len(ask.keys)).float()
        weights = (rows @ ask.keys.float().transpose(1, 2)).exp()
        votes = (weights / weights.sum(dim=2, keepdim=True)).sum(dim=1)
        if votes.isnan().any():
            raise PolicyError("the votes are nan")
        return votes


class Unsorted(Best):
    def select(self, ask, state):
        choice = super().select(ask, state)
        return None if choice is None else choice._replace(tokens=choice.tokens.flip(1))


class Outside(Best):
    def select(self, ask, state):
        return Choice(torch.full((len(ask.keys), 1), ask.keys.shape[1]), 0)


class Writing(Best):
    def prepare(self, layers):
        for layer in layers:
            layer.keys.mul_(2)
        return super().prepare(layers)


class Forgetful(Best):
    def prepare(self, layers):
        return [None]


class Looking(Best):
    """Says that it reads no keys."""

    reads_keys = False


class Whole(Best):
    """Says that it reads every key, and does not."""

    reads_all = True


class Unequal(Best):
    def __eq__(self, other):
        return self is other

    __hash__ = None


@pytest.mark.parametrize("policy", [Exact, Best])
def test_what_keeps_its_promises_passes(policy: type) -> None:
    check_policy(policy)


@pytest.mark.parametrize(
    ("policy", "check"),
    [
        (Worst, "mass"),
        (FirstRow, "order of rows"),
        (Modulo, "heads"),
        (Chance, "repeats"),
        (Overflowing, "forms"),
        (Unsorted, "forms"),
        (Outside, "forms"),
        (Writing, "the store is left alone"),
        (Forgetful, "forms"),
        (Unequal, "statements"),
        (Looking, "reads no keys"),
        (Whole, "reads all"),
    ],
)
def test_a_broken_promise_is_named(policy: type, check: str) -> None:
    assert check in CHECKS
    with pytest.raises(PolicyError, match=f"^{check}: "):
        check_policy(policy)


def test_each_check_alone_passes_what_keeps_its_promises() -> None:
    for check in CHECKS.values():
        check(Best)


@pytest.mark.parametrize("changes", [{"tokens": 0}, {"heads": (5, 2)}, {"heads": (2, 0)}, {"layers": 0}])
def test_shapes_that_cannot_be_are_refused(changes: dict) -> None:
    with pytest.raises(ParameterError, match="H a multiple of G"):
        PolicyCase(**changes)


def test_kept_mass_is_the_share_of_attention() -> None:
    case = PolicyCase(tokens=50)
    ask = case.ask(case.stored()[0])
    assert kept_mass(None, ask).tolist() == pytest.approx([1, 1])
    halves = [Choice(torch.arange(begin, begin + 25).expand(2, -1), 0) for begin in (0, 25)]
    together = sum(kept_mass(each, ask) for each in halves)
    assert together.tolist() == pytest.approx([1, 1])
    short = Choice(torch.tensor([[3, 7], [3, -1]]), 0)
    assert kept_mass(short, ask)[1] < kept_mass(Choice(torch.tensor([[3, 7], [3, 7]]), 0), ask)[1]
