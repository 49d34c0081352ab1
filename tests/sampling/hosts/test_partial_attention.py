"""Attention over parts of the keys, merged, is attention over all of them."""

from __future__ import annotations

from functools import reduce

import pytest
import torch

from codesample.kernels.bifurcated_decode import ScoreOptions
from codesample.sampling.hosts.partial_attention import Part, attend_partly, merged_parts
from codesample.sampling.hosts.shares import ZigzagShares
from codesample.sampling.prefill_attention import attend_causally

TOKENS, SIZE = 300, 3
SINKS = torch.tensor([1.0, -1, 2, 0], dtype=torch.float64)


def tensors(dtype: torch.dtype = torch.float64) -> tuple[torch.Tensor, ...]:
    torch.manual_seed(0)
    return tuple(torch.randn(heads, TOKENS, 8, dtype=dtype) for heads in (4, 2, 2))


@pytest.mark.parametrize(
    "scores", [ScoreOptions(), ScoreOptions(scale=0.7), ScoreOptions(softcap=1.5), ScoreOptions(sinks=SINKS)]
)
def test_parts_of_all_processes_are_the_whole(scores: ScoreOptions) -> None:
    q, k, v = tensors()
    expected = attend_causally(q, k, v, scores)
    shares = ZigzagShares(SIZE, 40)
    parts = []
    for rank in range(SIZE):
        of = shares.ranges(TOKENS, rank)
        places = [t for begin, end in of for t in range(begin, end)]
        once = scores if rank == 0 else scores._replace(sinks=None)
        parts.append(attend_partly(q, [(0, TOKENS)], k[:, places], v[:, places], of, once))
    assert (reduce(merged_parts, parts).out - expected).abs().max() < 1e-12
    # the order does not matter
    assert (reduce(merged_parts, reversed(parts)).out - expected).abs().max() < 1e-12


def test_queries_may_be_scattered_too() -> None:
    q, k, v = tensors()
    at = [(3, 40), (200, 290)]
    places = [t for begin, end in at for t in range(begin, end)]
    got = attend_partly(q[:, places], at, k, v, [(0, TOKENS)], ScoreOptions())
    assert (got.out - attend_causally(q, k, v)[places]).abs().max() < 1e-12


def test_a_query_that_sees_no_key_counts_for_nothing() -> None:
    q, k, v = tensors()
    late = attend_partly(q[:, :10], [(0, 10)], k[:, 50:], v[:, 50:], [(50, TOKENS)], ScoreOptions())
    assert torch.equal(late.out, torch.zeros(10, 4, 8, dtype=torch.float64))
    assert late.lse.isneginf().all()
    none = attend_partly(q[:, :10], [(0, 10)], k[:, :0], v[:, :0], [], ScoreOptions())
    assert none.lse.isneginf().all()
    some = attend_partly(q[:, :10], [(0, 10)], k[:, :10], v[:, :10], [(0, 10)], ScoreOptions())
    assert torch.equal(merged_parts(some, late).out, some.out)
    both = merged_parts(late, none)
    assert torch.equal(both.out, late.out)
    assert both.lse.isneginf().all()


def test_scores_far_apart_stay_finite() -> None:
    low, high = (
        Part(torch.ones(1, 1, 2) * x, torch.full((1, 1), lse)) for x, lse in ((1, -900.0), (2, 900.0))
    )
    for merged in (merged_parts(low, high), merged_parts(high, low)):
        assert torch.equal(merged.out, high.out)
        assert torch.equal(merged.lse, high.lse)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
def test_parts_are_kept_in_at_least_float32(dtype: torch.dtype) -> None:
    q, k, v = tensors(dtype)
    part = attend_partly(q, [(0, TOKENS)], k, v, [(0, TOKENS)], ScoreOptions())
    assert part.out.dtype == torch.float32
    halves = [
        attend_partly(q, [(0, TOKENS)], k[:, b:e], v[:, b:e], [(b, e)], ScoreOptions())
        for b, e in ((0, 99), (99, TOKENS))
    ]
    assert (merged_parts(*halves).out - part.out).abs().max() < 1e-6
    expected = attend_causally(q.double(), k.double(), v.double())
    assert (part.out - expected).abs().max() < 1e-5


@pytest.mark.parametrize("size", [2, 4])
@pytest.mark.parametrize(("scale", "within"), [(None, 1e-6), (6.0, 3e-6)])
def test_shares_in_float32_are_as_near_to_the_truth_as_one_process(
    size: int, scale: float | None, within: float
) -> None:
    q, k, v = tensors(torch.float32)
    scores, shares, parts = ScoreOptions(scale=scale), ZigzagShares(size, 40), []
    for rank in range(size):
        of = shares.ranges(TOKENS, rank)
        places = [t for begin, end in of for t in range(begin, end)]
        parts.append(attend_partly(q, [(0, TOKENS)], k[:, places], v[:, places], of, scores))
    several, one = reduce(merged_parts, parts), attend_partly(q, [(0, TOKENS)], k, v, [(0, TOKENS)], scores)
    truth = attend_causally(q.double(), k.double(), v.double(), scores)
    assert one.lse.max() > (90 if scale else 5)
    assert (several.out - one.out).abs().max() < within
    assert (several.out - truth).abs().max() < 1.25 * (one.out - truth).abs().max()
