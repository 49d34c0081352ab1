"""Inputs of the attention benchmark, and what it takes for right."""

import pytest
import torch

from codesample.bench.attention_grid import Cell
from codesample.bench.attention_inputs import checked_rows, draw_inputs, expected_rows
from codesample.kernels.bifurcated_decode.api import DecodeOutput, bifurcated_decode

CELL = Cell("small-gqa", 3, 40, 5, 2)


def draw(copies=1):
    return draw_inputs(CELL, device=torch.device("cpu"), dtype=torch.float32, copies=copies)


def test_inputs_have_the_shapes_of_the_cell_and_copies_differ():
    x = draw(copies=2)
    assert (x.q.shape, x.k_new.shape) == ((6, 1, 8, 64), (6, 1, 2, 64))
    assert x.stores[0].k_shared.shape == (2, 80, 64)
    assert [(s.start, s.length, s.row_start, s.row_stop) for s in x.batch.segments] == [
        (0, 40, 0, 3),
        (40, 40, 3, 6),
    ]
    assert x.lens.tolist() == [5] * 6
    assert not torch.equal(x.stores[0].k_shared, x.stores[1].k_shared)
    assert torch.equal(draw().stores[0].k_shared, draw().stores[0].k_shared)


def test_first_last_and_a_row_between_are_checked():
    assert checked_rows(draw().batch) == [0, 2, 5]


@pytest.mark.parametrize("field", ["out", "lse"])
def test_right_rows_pass_and_one_wrong_number_does_not(field):
    x = draw()
    got = bifurcated_decode(x.q, x.k_new, x.v_new, x.stores[0], x.batch, x.lens, impl="torch")
    rows = DecodeOutput(got.out[checked_rows(x.batch)], got.lse[checked_rows(x.batch)])
    expected = expected_rows(x)
    assert expected.wrong(rows) is None
    getattr(rows, field).flatten()[-1] += 1e-3
    assert expected.wrong(rows).startswith("error 0.001")
