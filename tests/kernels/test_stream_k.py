"""The stream-K plan: complete, even, ordered; results come to the same for any number of workers."""

import doctest
import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from codesample.errors import ParameterError
from codesample.kernels.bifurcated_decode import StreamK, stream_k
from codesample.kernels.bifurcated_decode.stream_k import first_tile, stream_plan, worker_of
from codesample.testing.attention import (
    DecodeCase,
    assert_within_rounding,
    joined_attention,
    make_decode_inputs,
)

WORKERS = [1, 7, 108, 132]


def two_pools(kv_heads, levels, row_tiles, lens):
    """Keys of all outputs: row tiles of every prefix level, then each row's own tokens; per KV head."""
    shared = [keys for keys, tiles in zip(levels, row_tiles, strict=False) for _ in range(tiles * kv_heads)]
    return [*shared, *(length for length in lens for _ in range(kv_heads))]


outputs = st.builds(
    two_pools,
    st.integers(1, 8),
    st.lists(st.integers(0, 9000), max_size=3),
    st.lists(st.integers(1, 4), min_size=3, max_size=3),
    st.lists(st.integers(0, 600), max_size=24),
)
workers = st.sampled_from(WORKERS) | st.integers(1, 300)
tiles = st.sampled_from([16, 64, 256])


@settings(deadline=None, max_examples=60)
@given(outputs, tiles, workers)
def test_every_key_is_computed_once(keys, tile, workers):
    plan = stream_plan(keys, tile=tile, workers=workers)
    assert len(plan.workers) == workers
    assert sorted(f for mine in plan.workers for f in mine) == sorted(
        f for mine in plan.outputs for f in mine
    )
    for output, (count, fragments) in enumerate(zip(keys, plan.outputs, strict=True)):
        assert [f.output for f in fragments] == [output] * len(fragments)
        assert [f.begin for f in fragments] == [0, *(f.end for f in fragments)][: len(fragments)]
        assert (fragments[-1].end if fragments else 0) == count
        assert all(f.begin < f.end and f.begin % tile == 0 for f in fragments)


@settings(deadline=None, max_examples=60)
@given(outputs, tiles, workers)
def test_no_worker_has_more_than_one_tile_more_than_another(keys, tile, workers):
    plan = stream_plan(keys, tile=tile, workers=workers)
    shares = [sum(-(-(f.end - f.begin) // tile) for f in mine) for mine in plan.workers]
    assert max(shares) - min(shares) <= 1


@settings(deadline=None, max_examples=60)
@given(outputs, tiles, workers)
def test_numbers_of_fragments_follow_from_where_an_output_begins(keys, tile, workers):
    plan = stream_plan(keys, tile=tile, workers=workers)
    counts = [-(-each // tile) for each in keys]
    total, numbers = sum(counts), []
    for output, (begin, count) in enumerate(
        zip(itertools.accumulate(counts, initial=0), counts, strict=False)
    ):
        expected = []
        if count:
            first, last = (worker_of(at, total, min(workers, total)) for at in (begin, begin + count - 1))
            expected = [output + worker for worker in range(first, last + 1)]
        assert [f.number for f in plan.outputs[output]] == expected
        numbers += expected
    assert len(set(numbers)) == len(numbers)
    assert max(numbers, default=0) < len(keys) + workers


@given(st.integers(1, 5000), st.data())
def test_a_tile_is_the_worker_s_in_whose_stretch_it_lies(tiles, data):
    workers = data.draw(st.integers(1, min(tiles, 300)))
    tile = data.draw(st.integers(0, tiles - 1))
    worker = worker_of(tile, tiles, workers)
    assert 0 <= worker < workers
    assert first_tile(worker, tiles, workers) <= tile < first_tile(worker + 1, tiles, workers)


def test_workers_cross_from_the_prompt_into_rows_own_tokens():
    plan = stream_plan(two_pools(1, [640], [1], [100] * 32), tile=64, workers=8)
    assert [f.output for f in plan.workers[0]] == [0]
    assert [f.output for f in plan.workers[1]] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(("keys", "tile", "workers"), [([3], 0, 1), ([3], 16, 0), ([3, -1], 16, 1)])
def test_refuses_numbers_that_are_none(keys, tile, workers):
    with pytest.raises(ParameterError, match=f"tile = {tile}, workers = {workers}"):
        stream_plan(keys, tile=tile, workers=workers)


def test_a_step_is_divided_among_one_worker_at_least():
    with pytest.raises(ParameterError, match="workers = 0"):
        StreamK(0)


def test_the_worked_example_is_true():
    found = doctest.testmod(stream_k)
    assert found.attempted >= 3
    assert found.failed == 0


CASES = [
    DecodeCase(groups=((3, 700), (2, 90), (1, 0)), lens=(5, 0, 130, 70, 1, 9), header=200, heads=(4, 2)),
    DecodeCase(groups=((4, 300),), lens=(5,) * 4, heads=(4, 1), queries=3),
    DecodeCase(groups=((3, 300), (2, 90)), lens=(1, 39, 4, 2, 80), header=40, window=70, softcap=2.0),
    DecodeCase(groups=((3, 0), (2, 1)), lens=(0, 3, 1, 2, 0), sinks=True),
    DecodeCase(groups=((2, 9), (1, 0)), lens=(0, 2, 0), write=False),
]


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("impl", ["torch", "reference"])
def test_any_number_of_workers_comes_to_the_same(case, impl):
    x = make_decode_inputs(case, dtype=torch.float64)
    exact = joined_attention(x)
    for workers in WORKERS:
        got, again = (x.run(impl, schedule=StreamK(workers)) for _ in range(2))
        torch.testing.assert_close(got.out, exact.out, rtol=1e-12, atol=1e-13)
        torch.testing.assert_close(got.lse, exact.lse, rtol=1e-12, atol=1e-13)
        assert torch.equal(got.out, again.out)
        assert torch.equal(got.lse, again.lse)


def test_keys_are_cut_where_the_plan_says(monkeypatch):
    from codesample.kernels.bifurcated_decode import torch_parts

    x = make_decode_inputs(DecodeCase(groups=((2, 640),), lens=(191, 191)), dtype=torch.float64)
    reads, original = [], torch_parts.attend_chunk

    def counted(q, k, v, *rest):
        reads.append(k.shape[2])
        return original(q, k, v, *rest)

    monkeypatch.setattr(torch_parts, "attend_chunk", counted)
    x.run("torch", schedule=StreamK(4))
    # 13 key tiles for 4 workers: 10 of the prompt, cut at each third; the own 3 are all the last worker's
    assert reads == [192, 192, 192, 64]


def test_bf16_rounds_as_without_a_plan():
    x = make_decode_inputs(CASES[0], dtype=torch.bfloat16)
    exact, plain = joined_attention(x.to(torch.float64)), joined_attention(x)
    got = x.run("torch", schedule=StreamK(7))
    assert_within_rounding(got.out, exact.out, plain.out)
    assert_within_rounding(got.lse, exact.lse, plain.lse)
