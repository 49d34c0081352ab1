"""The cost model: what it counts and what it chooses."""

from dataclasses import replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from codesample.kernels.bifurcated_decode import DecodeBatch, Segment
from codesample.kernels.bifurcated_decode.cost import (
    HOPPER,
    CallShape,
    choose_tiling,
    estimate,
    fixed_tiling,
    most_queries,
    stream_tiling,
    with_own,
)

MISTRAL = CallShape(
    queries=1, group=4, kv_heads=8, width=128, element_size=2, capacity=512, multiprocessors=132
)


def prompt(rows, tokens):
    return DecodeBatch.build([Segment(0, tokens, 0, rows, 0)], slots=range(rows), own_starts=[tokens] * rows)


def test_counts_a_shared_segment_once():
    token = 8 * 2 * 128 * 2
    assert estimate(prompt(32, 8192), MISTRAL, own_tokens=64).bytes == (8192 + 32 * 64) * token


def test_shares_a_long_prompt_and_reads_a_short_one_per_row():
    assert choose_tiling(prompt(32, 8192), MISTRAL).shared
    assert choose_tiling(prompt(32, 8192), MISTRAL._replace(group=1, kv_heads=32)).shared
    assert not choose_tiling(prompt(32, 64), MISTRAL._replace(capacity=64)).shared


def test_slower_launches_favour_one_launch():
    batch = prompt(16, 1024)
    slow = replace(HOPPER, launch=1.0)
    assert not choose_tiling(batch, MISTRAL, slow).shared
    assert estimate(batch, MISTRAL, 64, slow).shared == pytest.approx(2.0, rel=1e-3)


@settings(deadline=None)
@given(
    rows=st.integers(1, 600),
    tokens=st.integers(0, 70000),
    group=st.sampled_from([1, 4, 6, 7, 48]),
    kv_heads=st.sampled_from([1, 8, 32]),
    width=st.sampled_from([8, 64, 80, 96, 128, 256]),
    element_size=st.sampled_from([2, 4]),
    queries=st.sampled_from([1, 2]),
    capability=st.sampled_from([80, 90, 100]),
)
def test_every_choice_is_of_a_size_that_compiles_without_spilling(
    rows, tokens, group, kv_heads, width, element_size, queries, capability
):
    assume(queries * group <= most_queries(width, element_size))
    shape = CallShape(queries, group, kv_heads, width, element_size, 512, 132, capability)
    t = choose_tiling(prompt(rows, tokens), shape)
    row_bytes = (1 << (width - 1).bit_length()) * element_size
    assert 16 <= t.own_block_m <= t.block_m <= 128
    assert t.block_m & (t.block_m - 1) == t.own_block_m & (t.own_block_m - 1) == 0
    assert t.own_block_m >= queries * group
    assert t.block_m * row_bytes <= 32 << 10
    assert t.shared or t.own_block_m * row_bytes <= 16 << 10
    assert t.block_n in (16, 32, 64)
    assert element_size == 2 or t.block_m == 16 or t.block_n == 16
    assert 1 <= t.busy_workers <= t.workers
    assert t.splits >= 1


def test_one_prompt_of_eight_kv_heads_fills_the_chip():
    t = choose_tiling(prompt(32, 8192), MISTRAL)
    assert t.busy_workers >= 128


def test_own_tokens_are_left_to_the_join_unless_few_programs_would_read_long_slots():
    by_rows = {
        (rows, capacity): choose_tiling(prompt(rows, 8192), MISTRAL._replace(capacity=capacity))
        for rows in (1, 32, 128)
        for capacity in (128, 512, 8192)
    }
    split = {at for at, found in by_rows.items() if found.own == "split"}
    # 264 programs fill the chip, which 128 rows of 8 heads are
    assert split == {(1, 8192), (32, 8192)}
    for at, found in by_rows.items():
        assert (found.splits > 1) == (at in split)
    assert fixed_tiling(MISTRAL, 256).own == "fixed"
    assert stream_tiling(prompt(4, 100), MISTRAL, None).own == "line"


def test_who_attends_to_own_tokens_settles_the_second_launch_and_nothing_else():
    joined = choose_tiling(prompt(32, 8192), MISTRAL)
    assert (joined.own, joined.join_warps) == ("join", 4)
    first = with_own(joined, MISTRAL, "split")
    assert replace(first, own="join", join_warps=4, fold=joined.fold) == joined
    assert with_own(first, MISTRAL, "join") == joined


def test_larger_tiles_get_more_warps_where_registers_are_short():
    batch = prompt(16, 8192)
    assert choose_tiling(batch, MISTRAL).warps == 4
    assert choose_tiling(batch, MISTRAL._replace(capability=100)).warps == 8


def test_fixed_sizes_follow_from_the_shape_alone_and_the_room_of_slots_moves_only_idle_splits():
    found = fixed_tiling(MISTRAL, 256)
    assert found.shared
    assert (found.split_keys, found.splits, found.fold) == (256, 2, 1)
    longer = fixed_tiling(MISTRAL._replace(capacity=4096), 256)
    assert replace(longer, splits=found.splits) == found


@pytest.mark.parametrize("capability", [80, 90, 100])
@pytest.mark.parametrize("rows", [1, 8, 32, 128])
def test_a_line_of_tiles_has_workers_alone(rows, capability):
    shape = MISTRAL._replace(capability=capability)
    found = stream_tiling(prompt(rows, 40), shape, None)
    assert found.shared
    assert (found.splits, found.busy_workers) == (1, found.workers)
    assert stream_tiling(prompt(rows, 40), shape, 7).workers == 7
