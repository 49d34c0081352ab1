"""The attention benchmark: what it measures, what it refuses to show."""

import json
from pathlib import Path

import pytest
import torch

from codesample.bench import attention_rivals, attention_speed, memory_use, timing
from codesample.bench.attention_grid import Grid
from codesample.bench.attention_results import attention_table
from codesample.bench.settings import AttentionOptions
from codesample.errors import ParameterError

KEPT = Path(__file__).parents[2] / "docs" / "benchmarks" / "attention_cpu.jsonl"
ONE = Grid(["small-gqa"], [3], [40], [5], [2])


@pytest.fixture(autouse=True)
def _small_buffers(monkeypatch):
    monkeypatch.setattr(timing, "_COPY_BYTES", 1 << 22)


def measure():
    options = AttentionOptions(repeats=1, device="cpu")
    (found,) = attention_speed.measure_attention(ONE, options, cold_bytes=1 << 20)
    return found


def test_a_copy_rate_that_is_known_is_not_measured_again(monkeypatch):
    monkeypatch.setattr(attention_speed, "copy_rate", None)
    options = AttentionOptions(repeats=1, device="cpu")
    (found,) = attention_speed.measure_attention(ONE, options, ceiling=5e9, cold_bytes=1)
    assert found["copy_bytes_per_second"] == 5e9


def test_a_measurement_states_figures_rivals_and_versions():
    found = measure()
    assert found["seconds"] > 0
    assert found["bytes_per_second"] == pytest.approx(found["bytes"] / found["seconds"])
    tokens, kv_bytes, queries = (40 + 3 * 5) * 2, 2 * 2 * 64 * 4, 6 * 8 * 64 * 4
    assert found["bytes"] == tokens * kv_bytes + 2 * queries
    assert set(found["faster_than"]) == {attention_rivals.EXPANDED, "SDPA"}
    assert found["best_single"] == "SDPA"
    assert found["torch"] == torch.__version__
    assert json.loads(json.dumps(found)) == found


def test_measurements_have_the_keys_of_those_that_are_kept():
    kept = [json.loads(line) for line in KEPT.read_text().splitlines()]
    assert [list(each) for each in kept] == [list(measure())] * len(kept)
    assert kept


def test_a_wrong_result_is_refused(monkeypatch):
    def off_by_a_little(*arguments, impl, **options):
        got = original(*arguments, impl=impl, **options)
        return got if impl == "reference" else got._replace(out=got.out + 1e-3)

    original = attention_speed.bifurcated_decode
    monkeypatch.setattr(attention_speed, "bifurcated_decode", off_by_a_little)
    found = measure()
    assert "wrong result: error 0.001" in found["refused"]
    assert "seconds" not in found
    assert "not shown: wrong result" in attention_table([found])


def test_a_wrong_rival_is_left_out(monkeypatch):
    monkeypatch.setattr(
        attention_rivals, "rivals_on", lambda device: {"SDPA": lambda q, *_: lambda: q.squeeze(1)}
    )
    found = measure()
    assert found["rival_seconds"] == {}
    assert found["left_out"]["SDPA"].startswith("wrong result")
    assert found["best_single"] is None
    assert attention_table([found]).count("-") > 3


def test_a_rival_that_cannot_run_is_left_out_with_its_reason(monkeypatch):
    def broken(*_):
        raise ImportError("undefined symbol: flash\nand where it was looked for")

    def silent(*_):
        raise AttributeError

    monkeypatch.setattr(
        attention_rivals, "rivals_on", lambda device: {"flash_attn": broken, "cascade": silent}
    )
    found = measure()
    assert found["left_out"] == {
        "flash_attn": "ImportError: undefined symbol: flash",
        "cascade": "AttributeError",
    }
    assert found["seconds"] > 0


def test_a_cell_that_does_not_fit_is_refused(monkeypatch):
    monkeypatch.setattr(memory_use, "free_memory", lambda device: 1000)
    assert "0.0 GB are free" in measure()["refused"]


def test_a_rival_that_does_not_fit_is_left_out(monkeypatch):
    room = iter([10**12, 1000, 10**12])
    monkeypatch.setattr(memory_use, "free_memory", lambda device: next(room))
    found = measure()
    assert found["left_out"][attention_rivals.EXPANDED].endswith("0.0 GB are free")
    assert set(found["faster_than"]) == {"SDPA"}


def test_options_that_cannot_be_used_are_refused_before_anything_is_measured():
    with pytest.raises(ParameterError, match="repeats = 0"):
        AttentionOptions(repeats=0)
    with pytest.raises(ParameterError, match="dtype = 'float33'"):
        attention_speed.measure_attention(ONE, AttentionOptions(device="cpu", dtype="float33"))
