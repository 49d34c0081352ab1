"""Rivals built from torch alone: a rival that is wrong or reads more than it needs would be no rival."""

import pytest
import torch

from codesample.bench import attention_rivals
from codesample.bench.attention_grid import Cell
from codesample.bench.attention_inputs import checked_rows, draw_inputs, expected_rows
from codesample.bench.attention_rivals import CASCADE, EXPANDED, FLEX, TORCH_CASCADE, rival_bytes, rivals_on
from codesample.bench.torch_rivals import flex, torch_cascade
from codesample.kernels.bifurcated_decode import bifurcated_decode

CPU = torch.device("cpu")
CELLS = [
    Cell("small-gqa", rows=5, context=70, own=9, prompts=1),
    Cell("small-mha", rows=3, context=40, own=1, prompts=2),
    Cell("small-gqa", rows=1, context=33, own=16, prompts=3),
]
# torch's fused attention on a CPU takes an exponential right to 20 units in the last place, `exp_u20`,
# which plain code does not: on some processors rivals made of it err three times as much
FUSED = 10 * torch.finfo(torch.float32).eps


def is_near(out, expected):
    """Whether rows are those expected, but for what plain code or torch's operator rounds."""
    rounded = expected.exact._replace(out=expected.exact.out * (1 + FUSED))
    return None in (expected.wrong_output(out), expected._replace(plain=rounded).wrong_output(out))


@pytest.mark.parametrize("rival", [torch_cascade, flex])
@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_equals_attention_over_joined_keys(rival, cell):
    x = draw_inputs(cell, device=CPU, dtype=torch.float32, copies=1)
    with torch.inference_mode():
        # rivals find the new key already stored
        bifurcated_decode(x.q, x.k_new, x.v_new, x.stores[0], x.batch, x.lens)
        expected = expected_rows(x)
        out = rival(x.q, x.stores[0], x.batch, cell.own + 1)()
        assert out.shape == (cell.rows * cell.prompts, *x.q.shape[2:])
        assert is_near(out[checked_rows(x.batch)].unsqueeze(1), expected)
        spoilt = rival(x.q, x.stores[0], x.batch, cell.own)()
        assert not is_near(spoilt[checked_rows(x.batch)].unsqueeze(1), expected)


def test_a_gpu_has_them_beside_the_others():
    assert {TORCH_CASCADE, FLEX, CASCADE, EXPANDED, "SDPA flash"} <= set(rivals_on(torch.device("cuda")))
    assert set(rivals_on(CPU)) == {EXPANDED, "SDPA"}
    assert rivals_on(torch.device("cuda"))[FLEX] is attention_rivals.flex


def test_what_shares_a_context_needs_room_for_one():
    cell = Cell("small-gqa", rows=4, context=100, own=7, prompts=2)
    x = draw_inputs(cell, device=CPU, dtype=torch.float16, copies=1)
    token = 2 * 64 * 2
    found = {
        name: rival_bytes(name, x.stores[0], x.batch, 8, heads=8) / token
        for name in (TORCH_CASCADE, FLEX, CASCADE, "SDPA flash", EXPANDED)
    }
    once, copied = 2 * (2 * 100 + 8 * 8), 2 * 8 * 108
    assert found == {
        TORCH_CASCADE: once,
        FLEX: once,
        CASCADE: once,
        "SDPA flash": copied,
        EXPANDED: 4 * copied,
    }
