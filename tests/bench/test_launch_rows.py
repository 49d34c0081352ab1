"""Rows become timed calls, or say why they are none: a fit of anything else would be of nothing."""

import pytest

from codesample.bench.launch_rows import timed_calls
from codesample.errors import ParameterError

ENVIRONMENT = {
    "kind": "environment",
    "device": "a card",
    "commit": "c0ffee",
    "torch": "2.13.0",
    "triton": "3.9.0",
    "multiprocessors": 114,
}


def test_a_row_is_a_call_as_the_cost_model_takes_it(launch_row):
    row = launch_row(7e-5, rows=4, prompts=2, context=100, own=15, model="qwen2.5-coder-7b")
    (call,) = timed_calls([ENVIRONMENT, row])
    assert call.seconds == pytest.approx(7e-5)
    assert call.shared
    assert call.own_tokens == 16
    assert [s[:4] for s in call.batch.segments] == [(0, 100, 0, 4), (100, 100, 4, 8)]
    assert call.shape[:7] == (1, 7, 4, 128, 2, 16, 114)


def test_without_an_environment_the_workers_tell_the_multiprocessors(launch_row):
    row = launch_row(7e-5)
    assert timed_calls([row])[0].shape.multiprocessors == 132
    row["launches"]["tiling"] |= {"block_m": 64, "workers": 264}
    assert timed_calls([row])[0].shape.multiprocessors == 132


def test_rows_without_launches_are_left_out_and_all_of_them_are_refused(launch_row):
    others = [
        launch_row(1e-4) | {"refused": "no memory"},
        launch_row(1e-4) | {"launches": {"refused": "out of resource"}},
        launch_row(1e-4, dtype="float32"),
        {"kind": "step", "device": "another"},
    ]
    assert len(timed_calls([*others, launch_row(1e-4)])) == 1
    with pytest.raises(ParameterError, match="1 without a figure; 1 without launches; 1 not in 16 bits"):
        timed_calls(others)
    with pytest.raises(ParameterError, match="none of the kind attention"):
        timed_calls([])


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"rehearsal": True}, "rows of a rehearsal"),
        ({"clock": "process_time", "threads": 1}, "row 2, .*timed by 'process_time'"),
        ({"device": "another card"}, "more than one device: a card, another card"),
        ({"commit": "other"}, "more than one commit: c0ffee, other"),
        ({"triton": None}, "more than one triton: 3.9.0, None"),
    ],
)
def test_rows_of_anything_but_one_gpu_are_refused(launch_row, changed, said):
    with pytest.raises(ParameterError, match=said):
        timed_calls([launch_row(1e-4), launch_row(1e-4, **changed)])


@pytest.mark.parametrize(
    "changed",
    [
        {"model": "no such model"},
        {"model": ["mistral-7b"]},
        {"dtype": ["bfloat16"]},
        {"rows": 0},
        {"rows": True},
        {"rows": 1 << 40},
        {"rows": 1 << 15, "prompts": 1 << 15},
        {"context": -1},
        {"context": 81.92},
        {"own": "64"},
        {"prompts": None},
        {"launches": {"seconds": {"parts_kernel": 1e-4}, "tiling": {"shared": True}}},
        {"launches": {"seconds": [1e-4], "tiling": {"shared": False}}},
        {"launches": {"seconds": {"single_kernel": 1e-4}, "tiling": {"shared": 0}}},
        {"launches": {"seconds": {"single_kernel": float("nan")}, "tiling": {"shared": False}}},
        {"launches": {"seconds": {"single_kernel": float("inf")}, "tiling": {"shared": False}}},
        {"launches": {"seconds": {"single_kernel": -1e-4}, "tiling": {"shared": False}}},
        {"launches": {"seconds": {"single_kernel": 0}, "tiling": {"shared": False}}},
        {"launches": {"seconds": {"single_kernel": "1"}, "tiling": {"shared": False}}},
        {"launches": {"seconds": {"single_kernel": 1e-4}, "tiling": None}},
        {"launches": {"seconds": {"single_kernel": 1e-4}, "tiling": {"shared": False}}},
        {"launches": {}},
    ],
    ids=str,
)
def test_a_row_that_is_none_is_named(launch_row, changed):
    with pytest.raises(ParameterError, match=r"row 2, .*: it is no row of a benchmark: \w+Error"):
        timed_calls([launch_row(1e-4), launch_row(1e-4) | changed])


def test_cells_that_were_never_begun_or_failed_whole_do_not_stand_in_the_way(launch_row):
    cell = {"kind": "attention", "model": "mistral-7b", "rows": 8, "context": 8192, "rehearsal": False}
    left_out = [
        cell | {"refused": "no time: should take 9 s", "no_time": True},
        cell | {"refused": "KeyError"},
    ]
    assert len(timed_calls([ENVIRONMENT, *left_out, launch_row(1e-4)])) == 1
    with pytest.raises(ParameterError, match="2 without a figure"):
        timed_calls([ENVIRONMENT, *left_out])
