"""SPARSEK's projection: sums, bounds, the nearest point, one score at a time, and eviction that is safe."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from codesample.errors import ParameterError
from codesample.policies.sparsek_projection import SparsekStream, sparsek

# float32 holds them as they are
SCORES = st.lists(st.floats(-50, 50, width=32), min_size=1, max_size=60)


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("k", [0, 0.5, 1, 3, 16, 39])
@pytest.mark.parametrize("spread", [0.01, 1.0, 100.0])
def test_weights_lie_in_bounds_and_sum_to_k(k: float, spread: float) -> None:
    weights, threshold = sparsek(spread * draw(4, 3, 40), k)
    assert weights.shape == (4, 3, 40)
    assert threshold.shape == (4, 3)
    assert (weights >= 0).all()
    assert (weights <= 1).all()
    torch.testing.assert_close(weights.sum(dim=-1), torch.full((4, 3), float(k)).double(), rtol=0, atol=1e-9)


@settings(max_examples=60, deadline=None)
@given(SCORES, st.integers(1, 60))
def test_any_scores_do(scores: list[float], k: int) -> None:
    weights, _ = sparsek(torch.tensor(scores), k)
    assert abs(float(weights.sum()) - min(k, len(scores))) < 1e-6
    assert 0 <= float(weights.min()) <= float(weights.max()) <= 1
    # who has more score has no less weight
    order = torch.tensor(scores).double().argsort()
    assert (weights[order].diff() >= -1e-12).all()


def test_it_is_the_nearest_point_of_the_set() -> None:
    u = draw(30)
    nearest = sparsek(u, 7).weights
    for seed in range(200):
        other = sparsek(u + 3 * draw(30, seed=seed + 1), 7).weights
        assert (nearest - u).norm() <= (other - u).norm() + 1e-12


def test_as_many_as_there_are_all_have_weight_one() -> None:
    for k in (5, 6, 100):
        weights, threshold = sparsek(draw(2, 5), k)
        assert weights.tolist() == [[1.0] * 5] * 2
        assert (threshold == float("-inf")).all()


def test_equal_scores_share_and_far_ones_are_the_top_ones() -> None:
    assert sparsek(torch.zeros(8), 2).weights.tolist() == [0.25] * 8
    weights, threshold = sparsek(torch.tensor([0.0, 30.0, 10.0, 20.0]), 2)
    assert weights.tolist() == [0, 1, 0, 1]
    # the largest of those that do
    assert float(threshold) == 19


@settings(max_examples=60, deadline=None)
@given(SCORES, st.integers(1, 12))
def test_one_by_one_is_as_all_at_once_and_what_is_dropped_never_returns(scores: list[float], k: int) -> None:
    stream, before, dropped = SparsekStream(k), float("-inf"), set()
    for count, score in enumerate(scores, start=1):
        threshold = stream.push(score)
        assert threshold >= before
        before = threshold
        weights, whole = sparsek(torch.tensor(scores[:count]), k)
        mine = torch.tensor([stream.weight(each) for each in scores[:count]]).double()
        torch.testing.assert_close(mine, weights, rtol=0, atol=1e-7)
        # of scores in float32 it is in float32
        assert threshold == pytest.approx(float(whole), rel=2**-23, abs=1e-6)
        alive = {number for number in range(count) if mine[number] > 1e-7}
        assert not alive & dropped
        assert alive <= set(stream.kept)
        dropped |= set(range(count)) - set(stream.kept)


def test_a_stream_keeps_few() -> None:
    stream = SparsekStream(16)
    for score in (10 * draw(5000)).tolist():
        stream.push(score)
    assert 16 <= len(stream.kept) <= 40
    assert sum(map(stream.weight, stream.kept.values())) == pytest.approx(16)


def test_numbers_that_cannot_be_are_refused() -> None:
    with pytest.raises(ParameterError, match="k = -1"):
        sparsek(draw(3), -1)
    with pytest.raises(ParameterError, match="k = 0"):
        SparsekStream(0)
