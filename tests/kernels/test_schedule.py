"""The division of the shared part: complete, even, ordered."""

import doctest
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codesample.errors import ParameterError
from codesample.kernels.bifurcated_decode import Segment
from codesample.kernels.bifurcated_decode import schedule as module
from codesample.kernels.bifurcated_decode.schedule import divide_shared


def chain(groups, header=0):
    rows = sum(n for n, _ in groups)
    segments = [Segment(0, header, 0, rows, 0)]
    row, start = 0, header
    for n, length in groups:
        segments.append(Segment(start, length, row, row + n, header))
        row, start = row + n, start + length
    return segments, rows


layouts = st.builds(
    chain,
    st.lists(st.tuples(st.integers(1, 20), st.integers(0, 700)), min_size=1, max_size=5),
    st.integers(0, 300),
)
shape = {
    "kv_heads": st.integers(1, 8),
    "rows_per_tile": st.integers(1, 16),
    "block_n": st.sampled_from([16, 64, 128]),
    "workers": st.integers(1, 264),
}


@settings(deadline=None, max_examples=40)
@given(layouts, st.fixed_dictionaries(shape))
def test_every_key_of_every_row_is_computed_once(layout, options):
    segments, rows = layout
    schedule = divide_shared(segments, rows=rows, **options)
    found = {}
    for item in schedule.items:
        found.setdefault((item.tile, item.head), []).append(item[2:4])
    assert len(found) == len(schedule.tiles) * options["kv_heads"]
    for (index, _), ranges in found.items():
        tile, mine = schedule.tiles[index], sorted(ranges)
        assert mine[0][0] == 0
        assert mine[-1][1] == segments[tile.segment].length
        assert all(a[1] == b[0] for a, b in itertools.pairwise(mine))
    for row in range(rows):
        seen = [schedule.tiles[t].segment for t in schedule.row_tiles[row]]
        assert seen == [i for i, s in enumerate(segments) if s.length and s.row_start <= row < s.row_stop]


@settings(deadline=None, max_examples=40)
@given(layouts, st.fixed_dictionaries(shape))
def test_no_worker_has_more_than_one_tile_more_than_another(layout, options):
    segments, rows = layout
    schedule = divide_shared(segments, rows=rows, **options)
    assert len(schedule.worker_items) == options["workers"] + 1
    shares = []
    for begin, end in zip(schedule.worker_items, schedule.worker_items[1:], strict=False):
        shares.append(
            sum(-(-(i.key_end - i.key_begin) // options["block_n"]) for i in schedule.items[begin:end])
        )
    assert max(shares) - min(shares) <= 1
    assert schedule.worker_items[-1] == len(schedule.items)


@settings(deadline=None, max_examples=40)
@given(layouts, st.fixed_dictionaries(shape))
def test_results_of_a_row_tile_are_numbered_in_order_of_keys(layout, options):
    segments, rows = layout
    heads = options["kv_heads"]
    schedule = divide_shared(segments, rows=rows, **options)
    assert sorted(i.partial for i in schedule.items) == list(range(len(schedule.items)))
    assert len(schedule.partials) == len(schedule.tiles) * heads + 1
    for tile in range(len(schedule.tiles)):
        for head in range(heads):
            begin, end = schedule.partials[tile * heads + head : tile * heads + head + 2]
            mine = sorted(
                (i for i in schedule.items if i.tile == tile and i.head == head), key=lambda i: i.partial
            )
            assert [i.partial for i in mine] == list(range(begin, end))
            assert [i.key_begin for i in mine] == sorted(i.key_begin for i in mine)


def test_one_prompt_with_eight_kv_heads_fills_a_large_gpu():
    segments, rows = chain([(32, 8192)])
    schedule = divide_shared(segments, rows=rows, kv_heads=8, rows_per_tile=16, block_n=64, workers=264)
    busy = sum(a < b for a, b in zip(schedule.worker_items, schedule.worker_items[1:], strict=False))
    assert busy == 264


def test_row_tiles_of_one_key_range_are_neighbours():
    segments, rows = chain([(64, 8192)])
    schedule = divide_shared(segments, rows=rows, kv_heads=8, rows_per_tile=16, block_n=64, workers=128)
    first_four = schedule.items[:4]
    assert {i.tile for i in first_four} == {0, 1, 2, 3}
    assert len({i[1:4] for i in first_four}) == 1


def test_an_empty_prompt_leaves_every_worker_idle():
    segments, rows = chain([(3, 0)])
    schedule = divide_shared(segments, rows=rows, kv_heads=2, rows_per_tile=4, block_n=64, workers=7)
    assert schedule.items == ()
    assert schedule.worker_items == (0,) * 8
    assert schedule.row_tiles == ((), (), ())


@pytest.mark.parametrize("name", ["workers", "rows_per_tile", "block_n"])
def test_refuses_numbers_below_one(name):
    options = {"kv_heads": 1, "rows_per_tile": 1, "block_n": 16, "workers": 1, name: 0}
    with pytest.raises(ParameterError, match=f"{name} = 0"):
        divide_shared(*chain([(1, 5)])[:1], rows=1, **options)


def test_the_worked_example_is_true():
    found = doctest.testmod(module)
    assert found.attempted >= 5
    assert found.failed == 0
