"""The attention benchmark: what it measures, what it refuses to show."""

import json
import sys
from importlib import metadata

import pytest
import torch

from codesample.bench import attention, attention_rivals
from codesample.bench.attention_tables import markdown, plot
from codesample.errors import ParameterError, UnknownNameError

CPU = torch.device("cpu")
ONE = [attention.Cell("small-gqa", 3, 40, 5, 2)]


@pytest.fixture(autouse=True)
def _small_buffers(monkeypatch):
    monkeypatch.setattr(attention, "_COLD_BYTES", 1 << 20)
    monkeypatch.setattr(attention, "_COPY_BYTES", 1 << 22)


def measure(**options):
    (row,) = attention.measure_attention(ONE, device=CPU, repeats=1, **options)
    return row


def test_a_row_states_figures_rivals_and_versions():
    row = measure()
    assert row["seconds"] > 0
    assert row["bytes_per_second"] == pytest.approx(row["bytes"] / row["seconds"])
    tokens, kv_bytes, queries = (40 + 3 * 5) * 2, 2 * 2 * 64 * 4, 6 * 8 * 64 * 4
    assert row["bytes"] == tokens * kv_bytes + 2 * queries
    assert set(row["faster_than"]) == {attention_rivals.EXPANDED, "SDPA"}
    assert row["best_single"] == "SDPA"
    assert row["torch"] == torch.__version__
    assert json.loads(json.dumps(row)) == row


def test_a_wrong_result_is_refused(monkeypatch):
    def off_by_a_little(*arguments, impl, **options):
        got = original(*arguments, impl=impl, **options)
        return got if impl == "reference" else got._replace(out=got.out + 1e-3)

    original = attention.bifurcated_decode
    monkeypatch.setattr(attention, "bifurcated_decode", off_by_a_little)
    row = measure()
    assert "wrong result: error 0.001" in row["refused"]
    assert "seconds" not in row
    assert "not shown: wrong result" in markdown([row])


def test_a_wrong_rival_is_left_out(monkeypatch):
    monkeypatch.setattr(
        attention_rivals, "rivals_on", lambda device: {"SDPA": lambda q, *_: lambda: q.squeeze(1)}
    )
    row = measure()
    assert row["rival_seconds"] == {}
    assert row["left_out"]["SDPA"].startswith("wrong result")
    assert row["best_single"] is None
    assert markdown([row]).count("-") > 3


def test_a_rival_that_cannot_run_is_left_out_with_its_reason(monkeypatch):
    def broken(*_):
        raise ImportError("undefined symbol: flash\nand where it was looked for")

    def silent(*_):
        raise AttributeError

    monkeypatch.setattr(
        attention_rivals, "rivals_on", lambda device: {"flash_attn": broken, "cascade": silent}
    )
    row = measure()
    assert row["left_out"] == {
        "flash_attn": "ImportError: undefined symbol: flash",
        "cascade": "AttributeError",
    }
    assert row["seconds"] > 0


def test_a_row_without_triton_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "triton", None)
    monkeypatch.setattr(attention.metadata, "version", missing)
    assert attention.facts(CPU)["triton"] is None


def missing(package):
    raise metadata.PackageNotFoundError(package)


def test_a_cell_that_does_not_fit_is_refused(monkeypatch):
    monkeypatch.setattr(attention, "free_memory", lambda device: 1000)
    assert "0.0 GB are free" in measure()["refused"]


def test_the_table_marks_slower_cells_and_the_plot_is_drawn(tmp_path):
    pytest.importorskip("matplotlib", reason="plots need matplotlib")
    row = measure() | {"faster_than": {"SDPA": 0.5, attention_rivals.EXPANDED: 2.0}, "prompts": 1}
    text = markdown([row])
    assert "0.50x (slower)" in text
    assert "2.00x |" in text
    plot([row], tmp_path / "plot.png")
    assert (tmp_path / "plot.png").stat().st_size > 1000
    with pytest.raises(ParameterError, match="no measured cell"):
        plot([], tmp_path / "plot.png")


def test_a_grid_names_its_cells_and_refuses_unknown_models():
    assert len(list(attention.cells(attention.ON_GPU))) == 4 * 10 * 6 * 3 * 2
    assert list(attention.cells(attention.Grid(["small-gqa"], [3], [40], [5], [2]))) == ONE
    with pytest.raises(UnknownNameError, match="small-gqa"):
        list(attention.cells(attention.ON_CPU._replace(models=["small-gq"])))
    with pytest.raises(ParameterError, match="repeats = 0"):
        list(attention.measure_attention([], device=CPU, repeats=0))
