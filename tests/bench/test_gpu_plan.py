"""What is measured on a card, in which order, and whether it fits the time."""

import pytest
import torch

from codesample.bench import gpu_cells
from codesample.bench.gpu_bars import BARS, REFERENCE_COPY
from codesample.bench.gpu_plan import gpu_plan, rehearsal_plan
from codesample.bench.gpu_rows import IDENTITY
from codesample.bench.model_shapes import HEADS

CUDA = torch.device("cuda", 0)


@pytest.fixture
def cells(monkeypatch):
    monkeypatch.setattr(gpu_cells, "free_memory", lambda device: 139 * 2**30)
    return list(gpu_plan(CUDA).cells(REFERENCE_COPY))


def named(cells, kind):
    return [
        tuple(cell.identity[name] for name in IDENTITY[1:]) for cell in cells if cell.identity["kind"] == kind
    ]


def test_every_cell_asked_for_is_there_once(cells):
    models = ("7b-mha", "mistral-7b", "qwen2.5-coder-7b")
    attention = named(cells, "attention")
    assert len(attention) == len(set(attention)) == 24
    assert set(attention) == {(m, n, c) for m in models for n in (1, 8, 32, 128) for c in (8192, 32768)}
    assert ("7b-mha", 256, 8192) in named(cells, "step")
    assert ("7b-mha", 32, 8192) in named(cells, "sampler step")
    assert {HEADS[model].kv_heads for model, _, _ in named(cells, "schedule")} == {1, 4, 8}
    assert named(cells, "profile")
    assert named(cells, "job")
    assert len({tuple(cell.identity.values()) for cell in cells}) == len(cells)


def test_what_has_a_bar_of_its_own_is_measured_first_and_all_of_it_fits(cells):
    times = [cell.seconds for cell in cells]
    checks = sum(check.seconds for check in gpu_plan(CUDA).checks)
    assert all(seconds > 0 for seconds in times)
    assert checks + sum(times) < 12 * 60 - 45
    barred = {
        (bar.where["model"], bar.where["rows"], bar.where["context"]) for bar in BARS if "model" in bar.where
    }
    measured = {tuple(cell.identity[name] for name in IDENTITY[1:]) for cell in cells}
    assert barred <= measured
    assert cells[0].identity == {"kind": "attention", "model": "7b-mha", "rows": 32, "context": 8192}


def test_more_rows_and_tokens_take_longer(cells, monkeypatch):
    took = {tuple(cell.identity.values()): cell.seconds for cell in cells}
    small, more, most, longer = (
        took["attention", "7b-mha", n, context]
        for n, context in ((1, 8192), (8, 8192), (128, 8192), (128, 32768))
    )
    assert small < more < most < longer
    # copies per row that have no room are left out, and take no time
    monkeypatch.setattr(gpu_cells, "free_memory", lambda device: 2**30)
    least = {tuple(cell.identity.values()): cell.seconds for cell in gpu_plan(CUDA).cells(REFERENCE_COPY)}
    assert least["attention", "7b-mha", 128, 8192] < more


def test_nothing_is_made_before_its_turn(cells, monkeypatch):
    made = []

    def note(shape, *, device, dtype):
        made.append((shape, device, dtype))
        raise MemoryError

    monkeypatch.setattr(gpu_cells, "random_checkpoint", note)
    (first, _) = [cell for cell in cells if cell.identity["kind"] == "sampler step"]
    measured = first.measure()
    assert made == []
    with pytest.raises(MemoryError):
        list(measured)
    assert made == [("7b-mha", CUDA, torch.bfloat16)]


def test_checks_cover_every_option_and_a_prompt_of_several_chunks():
    told = " ".join(check.what for check in gpu_plan(CUDA).checks)
    for word in (
        "bfloat16",
        "float32",
        "triton",
        "window",
        "softcap",
        "sinks",
        "header",
        "slots",
        "2500",
        "stream-k",
        "fixed",
        "int8",
        "fp8",
    ):
        assert word in told


def test_a_rehearsal_has_every_kind_of_cell():
    plan = rehearsal_plan()
    assert plan.rehearsal
    assert plan.device.type == "cpu"
    kinds = {cell.identity["kind"] for cell in plan.cells(1e10)}
    assert kinds == {"attention", "schedule", "step", "sampler step", "profile", "job"}
