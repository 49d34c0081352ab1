"""The decode benchmark from names to measurements."""

import json
from pathlib import Path

import pytest
import torch

from codesample.bench import decode_benchmark
from codesample.bench.decode_benchmark import measure_decode, measure_jobs, measure_steps
from codesample.bench.settings import DecodeOptions
from codesample.errors import ParameterError, UnknownNameError

pytestmark = pytest.mark.usefixtures("small")
KEPT = Path(__file__).parents[2] / "docs" / "benchmarks" / "decode_cpu.jsonl"


def options(*methods, dtype="float32"):
    return DecodeOptions(shapes=("small",), workloads=("short",), methods=methods, device="cpu", dtype=dtype)


def test_rounding_refuses_no_method_in_bfloat16():
    asked = options("generate", "codesample", dtype="bfloat16")
    found = [*measure_jobs(asked), *measure_steps(asked, [("small", 40, 3)])]
    assert not [each["refused"] for each in found if "refused" in each]
    assert found[-1]["left_out"] == {}
    assert {each["dtype"] for each in found} == {"bfloat16"}


def test_measurements_have_the_keys_of_those_that_are_kept():
    kept = [json.loads(line) for line in KEPT.read_text().splitlines()]
    asked = options("codesample")
    for found in (*measure_jobs(asked), *measure_steps(asked, [("small", 40, 3)])):
        like = [each for each in kept if each["kind"] == found["kind"] and "refused" not in each]
        assert [list(each) for each in like] == [list(found)] * len(like)
        assert like


def test_jobs_come_before_steps_of_the_shapes_asked_for(monkeypatch):
    monkeypatch.setattr(decode_benchmark, "STEP_CELLS", [("small", 40, 3), ("0.1b-mha", 2048, 256)])
    found = list(measure_decode(options("codesample")))
    assert [(each["kind"], each["shape"]) for each in found] == [("job", "small"), ("step", "small")]


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        ({"shapes": ("smalll",)}, UnknownNameError),
        ({"workloads": ("shortt",)}, UnknownNameError),
        ({"methods": ("generat",)}, UnknownNameError),
        ({"dtype": "float33"}, ParameterError),
        ({"device": "tpu"}, ParameterError),
    ],
)
def test_what_cannot_be_measured_is_refused_at_once(asked, error):
    with pytest.raises(error):
        measure_decode(DecodeOptions(**asked))


def test_threads_are_set_where_they_are_asked_for():
    before = torch.get_num_threads()
    try:
        measure_decode(DecodeOptions(threads=before + 1))
        assert torch.get_num_threads() == before + 1
    finally:
        torch.set_num_threads(before)
