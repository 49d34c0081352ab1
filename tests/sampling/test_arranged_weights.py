"""Copies in float32 multiply as the layer does."""

import pytest
import torch
import torch.nn.functional as F

from codesample.sampling.arranged_weights import ArrangedWeight, PlainWeight, arranged_kernel

pytestmark = pytest.mark.skipif(not arranged_kernel(), reason="needs oneDNN in torch")


@pytest.mark.parametrize("kind", [ArrangedWeight, PlainWeight])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("rows", [(1, 1), (7, 1), (32, 1), (0, 1), (5,), (2, 3, 4)])
@torch.inference_mode()
def test_products_are_those_of_the_layer_to_rounding(rows, bias, kind):
    torch.manual_seed(0)
    layer = torch.nn.Linear(72, 130, bias=bias)
    x = torch.randn(*rows, 144)[..., ::2]
    found = kind(layer.weight).multiplied(x, layer.bias)
    exact = F.linear(x.double(), layer.weight.double(), layer.bias.double() if bias else None)
    assert found.shape == exact.shape
    # 72 products and sums of numbers of about 1 / sqrt(72)
    torch.testing.assert_close(found.double(), exact, atol=72 * 2**-23, rtol=0)


def test_a_torch_without_the_calls_is_noticed(monkeypatch):
    def gone(*_):
        raise AttributeError("no such operator")

    for name in ("__init__", "multiplied"):
        with monkeypatch.context() as patch:
            patch.setattr(ArrangedWeight, name, gone)
            assert not arranged_kernel.__wrapped__()
    monkeypatch.setattr(ArrangedWeight, "multiplied", lambda *_: torch.zeros(3, 1, 160))
    assert not arranged_kernel.__wrapped__()
