"""The bars of a card: which measurement stands beside which, and what a slower memory makes of it."""

import pytest

from codesample.bench.gpu_bars import REFERENCE_COPY
from codesample.bench.gpu_standings import standings

STEP = {"kind": "step", "model": "7b-mha", "rows": 32, "context": 8192, "seconds": 0.006}
LAYER = {
    "kind": "attention",
    "model": "7b-mha",
    "rows": 32,
    "context": 8192,
    "copy_bytes_per_second": 4e12,
    "bytes_per_second": 3.6e12,
    "best_single": "SDPA flash",
    "faster_than": {"expanded SDPA": 14.0, "SDPA flash": 9.0},
}


def beside(m):
    return {(each.bar.figure, round(each.wanted, 3)): (round(each.got, 3), each.met) for each in standings(m)}


def test_times_are_scaled_by_the_copy_rate_and_ratios_are_not():
    assert beside(STEP | {"copy_bytes_per_second": REFERENCE_COPY}) == {
        ("step ms", 5.4): (6.0, False),
        ("step ms", 9.4): (6.0, True),
    }
    assert beside(STEP | {"copy_bytes_per_second": REFERENCE_COPY / 2}) == {
        ("step ms", 10.8): (6.0, True),
        ("step ms", 18.8): (6.0, True),
    }
    assert beside(LAYER) == {
        ("of copy", 0.85): (0.9, True),
        ("over expanded SDPA", 15.0): (14.0, False),
        ("over best single sequence", 0.97): (9.0, True),
    }


def test_a_samplers_own_step_stands_beside_the_same_bars():
    own = {**STEP, "kind": "sampler step", "ms": {"codesample": 9.0}, "copy_bytes_per_second": REFERENCE_COPY}
    del own["seconds"]
    assert beside(own) == {("step ms", 5.4): (9.0, False), ("step ms", 9.4): (9.0, True)}


@pytest.mark.parametrize(
    ("change", "figures"),
    [
        ({"rows": 128}, {"over best single sequence"}),
        ({"context": 512}, {"over best single sequence"}),
        ({"model": "mistral-7b"}, {"of copy", "over best single sequence"}),
        ({"best_single": None}, {"of copy", "over expanded SDPA"}),
        ({"faster_than": {}}, {"of copy"}),
    ],
)
def test_a_bar_is_for_what_it_names_and_wants_its_figure(change, figures):
    assert {each.bar.figure for each in standings(LAYER | change)} == figures


def test_a_row_without_figures_stands_beside_none():
    cell = {name: STEP[name] for name in ("kind", "model", "rows", "context")}
    assert not list(standings(cell | {"refused": "no time"}))
    assert not list(standings({"kind": "environment", "copy_bytes_per_second": 1.0}))
