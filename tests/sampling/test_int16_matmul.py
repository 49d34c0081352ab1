"""Products in 16 bits: as near as the two halves are, and where heads are so; the rest is that of 8 bits."""

import pytest
import torch

from codesample.sampling import int8_matmul, packed_weights
from codesample.sampling.arranged_weights import ArrangedWeight
from codesample.sampling.bf16_matmul import Bf16Weight, bf16_kernel
from codesample.sampling.int8_matmul import Int8Weight, int8_kernel, top_of
from codesample.sampling.int16_matmul import Int16Weight
from codesample.sampling.packed_weights import PackedWeights
from codesample.testing.models import random_model

pytestmark = pytest.mark.skipif(int8_kernel() is None, reason="no library here multiplies in 8 bits")


def bound(rows, weight, kernel):
    """Return how far a product may be: what is rounded of both, and the product of the finer halves."""
    top, weight_top = top_of(kernel.bits), top_of(kernel.weight_bits)
    step = rows.abs().amax(-1, keepdim=True).double() / top
    weight_step = weight.abs().amax(1).double() / weight_top
    # of one product, in steps: a quarter of what is left out, and half a fine step of each times the other
    each = 0.25 + top / (4 * weight_top) + weight_top / (4 * top)
    return each * rows.shape[-1] * step * weight_step


@torch.inference_mode()
@pytest.mark.parametrize("outputs", [50, 2**14 + 3])
@pytest.mark.parametrize("shape", [(1, 1), (8, 1), (33,), (2, 3, 5), (0,), ()])
def test_a_product_is_as_near_as_16_bits_are(shape, outputs, kernel):
    torch.manual_seed(0)
    rows, bias = torch.randn(*shape, 72), torch.randn(outputs)
    weight = torch.randn(outputs, 72) * torch.logspace(-3, 3, outputs)[:, None]
    packed = Int16Weight(weight, kernel)
    found, exact = packed.multiplied(rows, None), rows.double() @ weight.double().t()
    assert (found.shape, found.dtype) == (exact.shape, torch.float32)
    assert ((found - exact).abs() <= bound(rows, weight, kernel) + 1e-6 * exact.abs()).all()
    # as a whole far nearer: what is rounded falls either way
    assert (found - exact).norm() <= 3e-4 * exact.norm()
    if found.numel():
        coarse = Int8Weight(weight, kernel).multiplied(rows, None)
        assert (found - exact).norm() * 50 < (coarse - exact).norm()
    assert torch.equal(packed.multiplied(rows, bias), found + bias)


@torch.inference_mode()
def test_the_largest_of_both_signs_beside_each_other_are_exact(kernel):
    weight = torch.tensor([[1.0, -1.0, 0.5, 2.0**-9, 0.0]])
    rows = torch.tensor([[4.0, -4.0, 0.0, 0.0, 1.0]])
    found = Int16Weight(weight, kernel).multiplied(rows, None)
    assert found.item() == pytest.approx(8.0, rel=1e-6)


@pytest.mark.skipif(not bf16_kernel(), reason="this processor has no instructions for bfloat16")
@pytest.mark.parametrize("bits", [None, 7, 8])
def test_the_head_beside_layers_in_bfloat16_is_in_16_bits_where_8_are_whole(bits, monkeypatch):
    model = random_model("qwen2", seed=3)
    kernel = bits and int8_matmul._OneDnn(8, bits)
    monkeypatch.setattr(packed_weights, "int8_kernel", lambda: kernel)
    copies = PackedWeights(model, "bfloat16")._copies
    found = {layer: type(each.packed) for each in copies for layer in each.layers}
    assert found.pop(model.lm_head) is (Int16Weight if bits == 8 else ArrangedWeight)
    assert set(found.values()) == {Bf16Weight}


@torch.inference_mode()
def test_logits_are_those_of_float32_but_for_16_bits():
    model = random_model("qwen2", seed=3)
    kernel = int8_kernel()
    ids = torch.arange(64)[None]
    plain = model(ids, output_hidden_states=True)
    found = Int16Weight(model.lm_head.weight, kernel).multiplied(plain.hidden_states[-1], None)
    assert (found - plain.logits).norm() <= 3e-4 * plain.logits.norm()
    assert not torch.equal(found, plain.logits)
