"""Single steps: every method's logits are checked before its time is kept."""

import json

import pytest

from codesample.bench import decode_steps, memory_use
from codesample.bench.decode_benchmark import measure_steps
from codesample.bench.decode_results import decode_plot, decode_tables
from codesample.bench.measurements import append_measurements
from codesample.bench.settings import DecodeOptions
from codesample.sampling.attention_hook import DecodeState

pytestmark = pytest.mark.usefixtures("small")


def steps(cells):
    return measure_steps(DecodeOptions(shapes=("small",), device="cpu"), cells)


def test_steps_are_timed_by_method_after_their_logits_agree(tmp_path):
    found = list(steps([("small", 40, n) for n in (1, 3)]))
    assert [set(each["ms"]) for each in found] == [{"repeated cache", "joined buffers", "codesample"}] * 2
    assert all(each["ratio"]["codesample"] == 1 for each in found)
    append_measurements(found, tmp_path / "found.jsonl")
    assert [json.loads(line) for line in (tmp_path / "found.jsonl").open()] == found
    assert decode_tables(found).count("\n| small | 40 |") == 2


def test_steps_with_wrong_logits_are_refused(monkeypatch):
    prepare, attend = decode_steps.StepBench.__post_init__, DecodeState.attend

    def spoil(bench):
        prepare(bench)
        monkeypatch.setattr(DecodeState, "attend", lambda *given: 1.5 * attend(*given))

    monkeypatch.setattr(decode_steps.StepBench, "__post_init__", spoil)
    found = list(steps([("small", 40, 2)]))
    assert found[0]["refused"].startswith("logits differ by")
    assert "not shown: logits differ" in decode_tables(found)


def test_rivals_of_a_step_that_do_not_fit_are_left_out(monkeypatch):
    monkeypatch.setattr(memory_use, "free_memory", lambda device: 1000)
    (found,) = steps([("small", 40, 2)])
    assert set(found["ms"]) == {"codesample"}
    assert set(found["left_out"]) == {"repeated cache", "joined buffers"}
    assert decode_tables([found]).count("not shown: ModelError: needs 0.0 GB") == 2
    assert set(decode_plot([found]).lines) == {"codesample"}
