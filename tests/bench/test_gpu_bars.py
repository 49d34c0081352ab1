"""The bars of a card, as data."""

from codesample.bench.gpu_bars import BARS, REFERENCE_COPY
from codesample.bench.model_shapes import DECODERS, HEADS


def test_every_bar_has_one_side_and_names_what_exists():
    for bar in BARS:
        assert (bar.least is None) != (bar.most is None)
        assert bar.meaning
        assert bar.where.get("model", "7b-mha") in (DECODERS.keys() | HEADS.keys())


def test_a_bar_in_milliseconds_is_scaled_and_a_ratio_is_not():
    times = [bar for bar in BARS if bar.most is not None]
    assert times
    for bar in BARS:
        wanted = bar.least if bar.most is None else bar.most * 2
        assert bar.scaled(REFERENCE_COPY / 2) == wanted
