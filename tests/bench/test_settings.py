"""What is asked of a benchmark is checked where it is said."""

import pytest
import torch

from codesample.bench.settings import AttentionOptions, DecodeOptions, dtype_on, expect_known
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


@pytest.mark.parametrize("name", [None, "auto"])
def test_the_usual_dtype_is_the_devices(name):
    assert dtype_on(torch.device("cuda", 1), name) == torch.bfloat16
    assert dtype_on(torch.device("cpu"), name) == torch.float32
    assert dtype_on(torch.device("cuda"), "float16") == torch.float16
    with pytest.raises(ParameterError, match="dtype = 'float33'"):
        dtype_on(torch.device("cpu"), "float33")
