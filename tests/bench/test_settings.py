"""What is asked of a benchmark is checked where it is said."""

import pytest

from codesample.bench.settings import AttentionOptions, DecodeOptions, expect_known
from codesample.errors import ParameterError, UnknownNameError


@pytest.mark.parametrize(
    ("record", "asked"),
    [(DecodeOptions, {"repeats": 0}), (DecodeOptions, {"threads": 0}), (AttentionOptions, {"repeats": -1})],
)
def test_counts_below_one_are_refused(record, asked):
    with pytest.raises(ParameterError, match="expected at least 1"):
        record(**asked)


def test_the_first_unknown_name_is_refused_with_what_is_near():
    expect_known("shape", ["small", "large"], {"small": 1, "large": 2})
    with pytest.raises(UnknownNameError, match="unknown shape 'larg'; did you mean 'large'"):
        expect_known("shape", ["small", "larg", "x"], {"small": 1, "large": 2})
