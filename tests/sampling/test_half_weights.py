"""Weights in 16 bits are those that a checkpoint stored, and products are in float32."""

import pytest
import torch
import torch.nn.functional as F

from codesample.sampling.half_weights import HalfWeight, fits_in_half, half_kernel

pytestmark = pytest.mark.skipif(not half_kernel(), reason="needs FBGEMM in torch")


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("rows", [(1, 1), (7, 1), (32, 1), (0, 1), (5,), (2, 3, 4)])
@torch.inference_mode()
def test_products_are_those_of_the_layer_to_rounding(rows, bias, dtype):
    torch.manual_seed(0)
    layer = torch.nn.Linear(72, 130, bias=bias).to(dtype).float()
    x = torch.randn(*rows, 144)[..., ::2]
    found = HalfWeight(layer.weight).multiplied(x, layer.bias)
    exact = F.linear(x.double(), layer.weight.double(), layer.bias.double() if bias else None)
    assert (found.shape, found.dtype) == (exact.shape, torch.float32)
    torch.testing.assert_close(found.double(), exact, atol=72 * 2**-23, rtol=0)


@torch.inference_mode()
def test_many_outputs_are_those_of_their_parts():
    torch.manual_seed(0)
    weight, rows, bias = (
        torch.randn(2**15 + 130, 520).bfloat16().float(),
        torch.randn(8, 1, 520),
        torch.randn(2**15 + 130),
    )
    found = HalfWeight(weight).multiplied(rows, bias)
    for some in (slice(0, 100), slice(2**14 - 50, 2**14 + 50), slice(2**15 - 50, None)):
        part = HalfWeight(weight[some]).multiplied(rows, bias[some])
        torch.testing.assert_close(found[..., some], part, atol=520 * 2**-22, rtol=0)


@torch.inference_mode()
def test_rows_that_are_no_numbers_stay_with_themselves():
    weight = HalfWeight(torch.full((32, 700), 0.5))
    rows = torch.stack([torch.full((700,), v) for v in (1.0, float("nan"), -1.0, float("inf"), 0.0)])
    found = weight.multiplied(rows, None)
    torch.testing.assert_close(found[::2], torch.tensor([350.0, -350.0, 0.0])[:, None].expand(3, 32))
    assert not found[1::2].isfinite().any()


@pytest.mark.parametrize("scale", [1e-3, 0.005, 0.02, 1.0, 30.0])
def test_what_was_stored_in_16_bits_fits_and_what_was_trained_in_32_does_not(scale):
    torch.manual_seed(0)
    weight = torch.randn(300, 257) * scale
    assert not fits_in_half(weight)
    # numbers this small lose digits in float16: a weight of nothing else is not the same there
    assert fits_in_half(weight.bfloat16().float()) == (scale > 1e-3)
    assert fits_in_half(weight.half().float())


def test_what_float16_does_not_hold_does_not_fit():
    fine = torch.ones(4, 4)
    assert fits_in_half(fine)
    assert fits_in_half(torch.zeros(4, 4))
    assert fits_in_half(torch.zeros(0, 4))
    for bad in (1e5, float("inf"), float("nan"), 1 + 2**-12, 1e-9):
        weight = fine.clone()
        weight[2] = bad
        assert not fits_in_half(weight)


def test_a_torch_without_the_calls_is_noticed(monkeypatch):
    def gone(*_):
        raise RuntimeError("no such operator")

    for name in ("__init__", "multiplied"):
        with monkeypatch.context() as patch:
            patch.setattr(HalfWeight, name, gone)
            assert not half_kernel.__wrapped__()
    monkeypatch.setattr(HalfWeight, "multiplied", lambda *_: torch.zeros(3, 1, 160))
    assert not half_kernel.__wrapped__()
