"""TokenSelect: the tokens of most votes, both ends, and who votes."""

import pytest
import torch

from codesample.errors import ParameterError
from codesample.policies.contract import Choice
from codesample.policies.row_scores import pooled_rows, row_logits
from codesample.policies.token_select import TokenSelect
from codesample.testing.policies import PolicyCase, check_policy

CASE = PolicyCase(tokens=300)


def chosen(policy: TokenSelect, case: PolicyCase = CASE) -> Choice | None:
    return policy.select(case.ask(case.stored()[0]), None)


@pytest.mark.parametrize(
    "settings",
    [{"first": 8, "last": 16}, {"first": 0, "last": 0, "scope": "layer", "width": 5}, {"keep": 1.0}],
)
def test_conforms(settings: dict) -> None:
    check_policy(lambda: TokenSelect(**settings))


def test_takes_the_tokens_of_most_attention_between_the_ends() -> None:
    choice = chosen(TokenSelect(keep=0.2, first=10, last=20))
    assert choice is not None
    assert choice.tokens.shape == (2, 60)
    layer = CASE.stored()[0]
    middle = row_logits(pooled_rows(CASE.ask(layer).queries, 2), layer.keys[:, 10:280], layer.scores)
    votes = middle.softmax(dim=2).sum(dim=1)
    for head, tokens in enumerate(choice.tokens.tolist()):
        best = votes[head].topk(30).indices + 10
        assert tokens == [*range(10), *sorted(best.tolist()), *range(280, 300)]


def test_ends_beyond_the_share_leave_one_token_to_vote_for() -> None:
    choice = chosen(TokenSelect(keep=0.01, first=10, last=20))
    assert choice is not None
    assert choice.tokens.shape == (2, 31)


@pytest.mark.parametrize("settings", [{"keep": 1.0}, {"keep": 0.01, "first": 128, "last": 512}])
def test_reads_everything_where_that_is_not_more(settings: dict) -> None:
    assert chosen(TokenSelect(**settings)) is None


def test_heads_of_a_layer_choose_together_where_they_are_told_to() -> None:
    apart = chosen(TokenSelect(keep=0.2, first=0, last=0))
    together = chosen(TokenSelect(keep=0.2, first=0, last=0, scope="layer"))
    assert apart is not None
    assert together is not None
    assert not torch.equal(apart.tokens[0], apart.tokens[1])
    assert torch.equal(together.tokens[0], together.tokens[1])


def test_neighbours_share_their_votes() -> None:
    plain = chosen(TokenSelect(keep=0.1, first=0, last=0))
    wide = chosen(TokenSelect(keep=0.1, first=0, last=0, width=7))
    assert plain is not None
    assert wide is not None

    def runs(choice: Choice) -> int:
        return int((choice.tokens[:, 1:] - choice.tokens[:, :-1] > 1).sum())

    assert runs(wide) < runs(plain)


def test_reading_all_keys_to_choose_is_counted() -> None:
    choice = chosen(TokenSelect(keep=0.2, first=10, last=20))
    assert choice is not None
    assert choice.scored_bytes == 2 * 270 * 32 * 8


@pytest.mark.parametrize("settings", [{"width": 2}, {"scope": "head"}, {"first": -1}, {"similarity": 1.5}])
def test_settings_outside_their_range_are_refused(settings: dict) -> None:
    with pytest.raises(ParameterError, match=f"{next(iter(settings))} = "):
        TokenSelect(**settings)


def test_more_neighbours_than_there_are_all_share_their_votes() -> None:
    choice = chosen(TokenSelect(keep=0.1, first=0, last=0, width=(1 << 50) + 1))
    assert choice is not None
    # of equal tokens the first
    assert choice.tokens.tolist() == [list(range(30))] * 2
