"""Launches timed apart; no GPU is needed to see which are run, and on what."""

from collections import Counter

import pytest
import torch

pytest.importorskip("triton", reason="the Triton kernels need the package triton")

from codesample.bench.attention_grid import Cell
from codesample.bench.attention_inputs import draw_inputs
from codesample.bench.launch_times import launch_figures
from codesample.kernels.bifurcated_decode.triton import Launch

CELL = Cell("small-gqa", rows=32, context=4096, own=5, prompts=1)


@pytest.fixture
def inputs():
    return draw_inputs(CELL, device=torch.device("cpu"), dtype=torch.float16, copies=2)


def test_each_launch_is_timed_alone_over_every_store(inputs, monkeypatch):
    runs = Counter()

    def run(self):
        written = [argument.data_ptr() for argument in self.arguments if isinstance(argument, torch.Tensor)]
        store = next((i for i, s in enumerate(inputs.stores) if s.k_own.data_ptr() in written), None)
        runs[self.kernel.fn.__name__, store] += 1

    monkeypatch.setattr(Launch, "run", run)
    found = launch_figures(inputs, repeats=3)
    assert list(found["seconds"]) == ["parts_kernel", "own_join_kernel"]
    assert all(seconds >= 0 for seconds in found["seconds"].values())
    # once to warm up, and three times
    assert runs == {(kernel, store): 4 for kernel in ("parts_kernel", "own_join_kernel") for store in (0, 1)}
    assert found["tiling"]["shared"] is True


def test_a_launch_that_fails_costs_no_more_than_its_own_figure(inputs, monkeypatch):
    def fail(_):
        raise RuntimeError("out of resource: shared memory\nand more")

    monkeypatch.setattr(Launch, "run", fail)
    assert launch_figures(inputs, repeats=1) == {"refused": "RuntimeError: out of resource: shared memory"}
