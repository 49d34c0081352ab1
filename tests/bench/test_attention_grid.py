"""Which cells of the attention benchmark there are."""

import pytest
import torch

from codesample.bench.attention_grid import ON_CPU, ON_GPU, Cell, Grid, cells
from codesample.errors import UnknownNameError


def test_a_grid_names_its_cells_and_refuses_unknown_models():
    assert len(list(cells(ON_GPU))) == 3 * 4 * 2
    assert list(cells(Grid(["small-gqa"], [3], [40], [5], [2]))) == [Cell("small-gqa", 3, 40, 5, 2)]
    with pytest.raises(UnknownNameError, match="small-gqa"):
        list(cells(ON_CPU._replace(models=["small-gq"])))


def test_what_a_grid_leaves_out_is_usual_for_the_device():
    mine = Grid(rows=[3], own=[5])
    assert mine.completed(torch.device("cpu")) == ON_CPU._replace(rows=[3], own=[5])
    assert mine.completed(torch.device("cuda")) == ON_GPU._replace(rows=[3], own=[5])
