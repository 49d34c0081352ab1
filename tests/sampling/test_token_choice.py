import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from codesample.records import SamplingParams
from codesample.sampling import token_choice
from codesample.sampling.token_choice import choose


def slow_draw(logits, uniform, params):
    """One row by the definition: sort, keep, walk the cumulative distribution; unsorted if all are kept."""
    if params.top_k == params.min_p == 0 and params.top_p == 1:
        return slow_walk(range(len(logits)), torch.softmax(logits.double() / params.temperature, -1), uniform)
    order = sorted(range(len(logits)), key=lambda i: (-logits[i].item(), i))
    mass = torch.softmax(logits.double() / params.temperature, -1).tolist()
    kept = order[: params.top_k or None]
    total, reached, nucleus = sum(mass[i] for i in kept), 0.0, []
    for i in kept:
        nucleus.append(i)
        reached += mass[i]
        if params.top_p < 1 and reached >= params.top_p * total:
            break
    return slow_walk([i for i in nucleus if mass[i] >= params.min_p * mass[order[0]]], mass, uniform)


def slow_walk(kept, mass, uniform):
    kept, mass = list(kept), [float(x) for x in mass]
    total, reached = sum(mass[i] for i in kept), 0.0
    for i in kept:
        reached += mass[i]
        if reached > uniform * total:
            return i, mass[i] / total
    return kept[-1], mass[kept[-1]] / total


PARAMS = st.builds(
    SamplingParams,
    temperature=st.sampled_from([0.3, 0.8, 1.0, 2.5]),
    top_p=st.sampled_from([0.23, 0.917, 0.953, 1.0]),
    top_k=st.sampled_from([0, 1, 5, 64, 65, 500]),
    min_p=st.sampled_from([0.0, 0.02, 0.5]),
    confidence=st.booleans(),
)


@settings(max_examples=150, deadline=None)
@given(PARAMS, st.sampled_from([1, 3, 63, 64, 65, 300, 1300]), st.integers(0, 10**6), st.booleans())
def test_draws_what_the_definition_draws(params, vocabulary, seed, coarse):
    torch.manual_seed(seed)
    logits = torch.randn(5, vocabulary, dtype=torch.float64) * 2
    if coarse:  # many equal logits, as bf16 heads give them
        logits = (logits * 2).round() / 2
    uniform = torch.rand(5, dtype=torch.float64)
    choice = choose(logits, uniform, params)
    for row in range(5):
        token, probability = slow_draw(logits[row], uniform[row].item(), params)
        assert choice.tokens[row] == token
        assert choice.sampled_logprobs[row].exp().item() == pytest.approx(probability, rel=1e-5)


@settings(max_examples=60, deadline=None)
@given(PARAMS, st.sampled_from([3, 65, 300]), st.sampled_from([1, 8, 64, 400]), st.integers(0, 10**6))
def test_a_limited_width_settles_rows_rightly_or_not_at_all(params, vocabulary, width, seed):
    torch.manual_seed(seed)
    logits, uniform = torch.randn(9, vocabulary).double() * 2, torch.rand(9, dtype=torch.float64)
    logits = (logits * 2).round() / 2
    limited, whole = (choose(logits, uniform, params, width=w) for w in (width, vocabulary))
    settled = limited.tokens >= 0
    assert (whole.tokens >= 0).all()
    pairs = zip((limited.tokens, *limited.known), (whole.tokens, *whole.known), strict=True)
    for got, expected in pairs:
        assert torch.equal(got[settled], expected[settled])


def test_logprobs_are_those_of_the_untempered_whole_distribution():
    logits = torch.randn(8, 500)
    choice = choose(logits, torch.rand(8, dtype=torch.float64), SamplingParams(temperature=0.5, top_p=0.7))
    expected = logits.log_softmax(-1).gather(-1, choice.tokens[:, None])[:, 0]
    torch.testing.assert_close(choice.logprobs, expected)


def test_how_sure_the_model_was_follows_its_own_distribution_as_published():
    logits = torch.randn(6, 500, dtype=torch.float64) * 3
    params = SamplingParams(temperature=0.5, top_p=0.7, confidence=True)
    choice = choose(logits, torch.rand(6, dtype=torch.float64), params)
    logprobs = logits.log_softmax(-1)
    uniform = torch.full((500,), 1 / 500, dtype=torch.float64)
    certainty = (uniform * (uniform.log() - logprobs)).sum(-1)
    confidence = -logprobs.sort(descending=True).values[:, :20].mean(-1)
    torch.testing.assert_close(choice.certainties, certainty.float())
    torch.testing.assert_close(choice.confidences, confidence.float())


def test_an_even_distribution_is_no_certainty_and_tokens_that_cannot_come_count_for_nothing():
    logits = torch.zeros(2, 64)
    logits[1, 3:] = float("-inf")
    choice = choose(logits, torch.rand(2, dtype=torch.float64), SamplingParams(confidence=True))
    assert choice.certainties.tolist() == pytest.approx([0, 0], abs=1e-6)
    assert choice.confidences.tolist() == pytest.approx([math.log(64), math.log(3)], rel=1e-6)


def test_greedy_takes_the_lowest_of_equal_maxima():
    logits = torch.tensor([[1.0, 3.0, 3.0], [2.0, 2.0, 2.0], [float("-inf"), 0.0, -1.0]])
    choice = choose(logits, torch.rand(3, dtype=torch.float64), SamplingParams(temperature=0))
    assert choice.tokens.tolist() == [1, 0, 1]
    assert choice.sampled_logprobs.tolist() == [0, 0, 0]
    assert choice.logprobs[1].exp().item() == pytest.approx(1 / 3)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32, torch.float64])
def test_any_float_dtype_is_accepted(dtype):
    choice = choose(torch.randn(3, 90).to(dtype), torch.rand(3, dtype=torch.float64), SamplingParams())
    assert choice.logprobs.dtype == choice.sampled_logprobs.dtype == torch.float32


def test_banned_tokens_never_come():
    logits = torch.zeros(2000, 130)
    logits[:, ::2] = float("-inf")
    uniform = torch.linspace(0, 1 - 1e-12, 2000, dtype=torch.float64)
    choice = choose(logits, uniform, SamplingParams(temperature=1, top_p=1))
    assert (choice.tokens % 2 == 1).all()
    assert len(choice.tokens.unique()) == 65


def test_frequencies_follow_the_distribution():
    logits = torch.tensor([0.0, 1.0, 2.0, -1.0])
    draws = 20000
    uniform = torch.rand(draws, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    tokens = choose(logits.expand(draws, -1), uniform, SamplingParams(temperature=1, top_p=1)).tokens
    expected = logits.softmax(-1) * draws
    chi2 = ((tokens.bincount(minlength=4) - expected) ** 2 / expected).sum().item()
    # 3 degrees of freedom: beyond 25 has probability 2e-5
    assert chi2 < 25


def test_rows_do_not_influence_one_another():
    torch.manual_seed(3)
    flat, peaked = torch.randn(1, 5000) * 0.1, torch.randn(1, 5000) * 20
    uniform = torch.tensor([0.9, 0.5], dtype=torch.float64)
    together = choose(torch.cat([flat, peaked]), uniform, SamplingParams())
    alone = [choose(row, u[None], SamplingParams()) for row, u in zip((flat, peaked), uniform, strict=True)]
    assert together.tokens.tolist() == [a.tokens.item() for a in alone]
    assert together.sampled_logprobs.tolist() == [a.sampled_logprobs.item() for a in alone]


@pytest.mark.parametrize(
    "params",
    [
        SamplingParams(),
        SamplingParams(top_p=1.0, confidence=True),
        SamplingParams(temperature=0, confidence=True),
    ],
)
@pytest.mark.parametrize("changed", [True, False])
def test_rows_are_chosen_for_in_chunks_as_all_at_once(params, changed, monkeypatch):
    torch.manual_seed(0)
    logits, uniform = torch.randn(11, 90) * 3, torch.rand(11, dtype=torch.float64)
    edited = logits + torch.randn(11, 90) if changed else None
    whole = choose(logits, uniform, params, edited=edited)
    for limit in (1, 90, 200, 11 * 90):
        monkeypatch.setattr(token_choice, "_CHUNK", limit)
        parts = choose(logits, uniform, params, edited=edited)
        for got, expected in zip((parts.tokens, *parts.known), (whole.tokens, *whole.known), strict=True):
            assert torch.equal(got, expected)


@settings(max_examples=60, deadline=None)
@given(PARAMS, st.sampled_from([130, 300, 1301]), st.integers(0, 10**6), st.booleans())
def test_a_search_by_blocks_and_few_rows_at_a_time_draws_the_same(params, vocabulary, seed, coarse):
    torch.manual_seed(seed)
    logits, uniform = torch.randn(5, vocabulary, dtype=torch.float64) * 3, torch.rand(5, dtype=torch.float64)
    if coarse:
        logits = logits.round()
    whole = choose(logits, uniform, params)
    with pytest.MonkeyPatch.context() as patch:
        # more blocks than tokens that are looked at first, a rest behind them, and a row of mass at a time
        patch.setattr(token_choice, "_BLOCK", 4)
        patch.setattr(token_choice, "_MASS_CHUNK", 1)
        # as are rows in which few tokens, some or all of them can be kept
        for most in (0, 60, vocabulary):
            patch.setattr(token_choice, "_MOST_SORTED", most)
            parts = choose(logits, uniform, params)
            assert torch.equal(parts.tokens, whole.tokens)
            for got, expected in zip(parts.known, whole.known, strict=True):
                torch.testing.assert_close(got, expected)


@pytest.mark.parametrize("block", [4, 256])
def test_the_largest_are_found_wherever_they_lie(block, monkeypatch):
    monkeypatch.setattr(token_choice, "_BLOCK", block)
    values = torch.randn(40, 1303)
    values[0, -3:] = 9.0 + torch.arange(3)  # behind the last whole block
    for count in (1, 24, 300):
        top, ids = token_choice._top(values, count)
        assert torch.equal(top, values.sort(dim=-1, descending=True).values[:, :count])
        assert torch.equal(values.gather(-1, ids), top)
        assert all(len(set(row)) == count for row in ids.tolist())


def test_a_vocabulary_of_which_float32_misses_the_sum_is_drawn_from_as_it_is():
    torch.manual_seed(0)
    # some likely tokens and very many others, whose sum torch's log_softmax misses by some ten-thousandths
    logits = torch.zeros(6, 150_000)
    logits[:, :5000] += 5 + torch.randn(6, 5000)
    # the last token that top-p keeps moves by several places for as little
    uniform = torch.full((6,), 1 - 1e-12, dtype=torch.float64)
    params = SamplingParams(top_p=0.95)
    choice = choose(logits, uniform, params)
    mass, ids = logits.double().div(params.temperature).softmax(-1).sort(dim=-1, descending=True, stable=True)
    last = (mass.cumsum(-1) < params.top_p).sum(-1)
    found = (ids == choice.tokens[:, None]).nonzero()[:, 1]
    assert (found - last).abs().max() <= 1
    expected = (mass.gather(-1, last[:, None]) / params.top_p).log()[:, 0]
    torch.testing.assert_close(choice.sampled_logprobs.double(), expected, atol=1e-4, rtol=1e-4)
