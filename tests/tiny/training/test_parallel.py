"""Workers average their gradients; outside of them nothing changes."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
import torch

from codesample.tiny.training.parallel import average_gradients, rank, run_workers, world_size


def averaged(folder: Path) -> None:
    """Write the gradient that is 1 in the first worker and 3 in the second, averaged."""
    parameter = torch.nn.Parameter(torch.zeros(2))
    parameter.grad = torch.full((2,), 1.0 + 2 * rank())
    average_gradients([parameter])
    (folder / f"{rank()} of {world_size()}").write_text(str(parameter.grad.tolist()))


def test_a_single_worker_is_this_process_and_keeps_its_gradient(tmp_path):
    run_workers(partial(averaged, tmp_path), count=1)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"0 of 1": "[1.0, 1.0]"}


@pytest.mark.slow
def test_two_workers_see_the_same_mean(tmp_path):
    run_workers(partial(averaged, tmp_path), count=2)
    found = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert found == {"0 of 2": "[2.0, 2.0]", "1 of 2": "[2.0, 2.0]"}
