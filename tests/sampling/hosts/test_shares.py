"""Every token of a prompt is one process's, and all have as much to compute."""

from __future__ import annotations

import pytest

from codesample.policies.prefill.star import Star
from codesample.sampling.hosts.shares import Shares, StarShares, ZigzagShares, overlaps


def owned(shares: Shares, tokens: int, size: int) -> list[list[int]]:
    return [
        [t for begin, end in shares.ranges(tokens, rank) for t in range(begin, end)] for rank in range(size)
    ]


@pytest.mark.parametrize("size", [2, 3, 4])
@pytest.mark.parametrize("tokens", [1, 2, 5, 31, 32, 33, 64, 100, 129])
def test_every_token_is_stored_once_in_its_order(size: int, tokens: int) -> None:
    for shares in (ZigzagShares(size, 8), StarShares(size, Star()), StarShares(size, Star(block=7))):
        found = owned(shares, tokens, size)
        assert sorted(t for each in found for t in each) == list(range(tokens))
        assert all(each == sorted(each) for each in found)


@pytest.mark.parametrize("size", [2, 3, 4, 8])
def test_zigzag_gives_all_the_same_number_of_keys_and_of_pairs(size: int) -> None:
    chunk = 16
    for tokens in (size * chunk, 3 * size * chunk):
        found = owned(ZigzagShares(size, chunk), tokens, size)
        assert {len(each) for each in found} == {tokens // size}
        # each token sees those up to itself
        assert len({sum(t + 1 for t in each) for each in found}) == 1
    # in order of position the last one would have most to compute by far
    straight = [sum(range(rank * 100, rank * 100 + 100)) for rank in range(size)]
    assert straight[-1] > 2 * straight[0]


@pytest.mark.parametrize("tokens", [8, 9, 11, 13, 15, 16, 30])
def test_a_stretch_of_two_tokens_for_each_leaves_nobody_without_one(tokens: int) -> None:
    # also where the last token is run by all
    found = owned(ZigzagShares(4, 8), tokens, 4)
    assert all(set(each) - {tokens - 1} for each in found)


def test_pieces_of_a_stretch_are_found_in_what_is_stored() -> None:
    ranges = [(4, 8), (20, 24), (40, 41)]
    assert overlaps(ranges, 0, 100) == [(4, 0, 4), (20, 4, 4), (40, 8, 1)]
    assert overlaps(ranges, 6, 22) == [(6, 2, 2), (20, 4, 2)]
    assert overlaps(ranges, 8, 20) == []
