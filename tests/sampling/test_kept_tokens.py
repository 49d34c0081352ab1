"""No token that top-p and min-p keep is out of reach, and what is within is packed by rising id."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from codesample.sampling.kept_tokens import packed, within_reach


def kept(logprobs, top_p, min_p):
    """Return the ids that both keep of one row, by sorting."""
    mass = logprobs.double().exp()
    order = sorted(range(len(mass)), key=lambda i: (-float(mass[i]), i))
    before, found = 0.0, set()
    for i in order:
        if before >= top_p or mass[i] < min_p * mass.max():
            break
        found.add(i)
        before += float(mass[i])
    return found


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from([torch.float32, torch.float64]),
    st.sampled_from([1, 2, 65, 3000]),
    st.sampled_from([0.0, 0.01, 1.0, 4.0, 30.0]),
    st.sampled_from([1e-6, 0.23, 0.95, 0.999, 1 - 1e-6, 1.0]),
    st.sampled_from([0.0, 1e-6, 0.02, 1.0]),
    st.integers(0, 10**6),
)
def test_all_that_is_kept_is_within_reach(dtype, count, spread, top_p, min_p, seed):
    torch.manual_seed(seed)
    logprobs = (torch.randn(3, count, dtype=dtype) * spread).log_softmax(-1)
    within = within_reach(logprobs, logprobs.exp().sum(-1), top_p=top_p, min_p=min_p)
    for row in range(3):
        assert kept(logprobs[row], top_p, min_p) <= set(within[row].nonzero()[:, 0].tolist())


def test_of_a_peaked_row_little_is_within_reach_and_of_an_even_one_all():
    peaked = torch.zeros(1, 5000)
    peaked[0, 7] = 40.0
    logprobs = torch.cat([peaked, torch.zeros(1, 5000)]).log_softmax(-1)
    within = within_reach(logprobs, torch.ones(2), top_p=0.9, min_p=0.0)
    assert within.sum(-1).tolist() == [1, 5000]
    assert within_reach(logprobs, torch.ones(2), top_p=1.0, min_p=0.0).all()


def test_of_even_rows_a_token_is_within_reach_however_little_is_asked_for():
    for count in range(26, 3000, 7):
        logprobs = torch.zeros(1, count).log_softmax(-1)
        assert within_reach(logprobs, logprobs.exp().sum(-1), top_p=1e-12, min_p=0.0).any()


@pytest.mark.parametrize("nothing", [float("nan"), float("-inf")])
def test_a_row_of_nothing_has_none_and_the_others_theirs(nothing):
    logprobs = torch.log(torch.tensor([[0.5, 0.0, 0.4, 0.1], [0.25] * 4]))
    logprobs[1] = nothing
    within = within_reach(logprobs, torch.ones(2), top_p=0.8, min_p=0.0)
    counts, values, ids = packed(logprobs, within)
    assert counts.tolist() == [3, 0]
    assert ids[0].tolist() == [0, 2, 3]
    assert torch.equal(values[0], logprobs[0, [0, 2, 3]])
    assert values[1].isneginf().all()
