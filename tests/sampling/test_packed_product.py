"""Packed weights take whatever rows `nn.Linear` takes: any number of dimensions, none, strided, expanded."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from codesample.sampling import int8_matmul
from codesample.sampling.arranged_weights import ArrangedWeight, PlainWeight, arranged_kernel
from codesample.sampling.bf16_matmul import Bf16Weight, RoundedWeight, bf16_kernel
from codesample.sampling.half_weights import HalfWeight, half_kernel
from codesample.sampling.int8_matmul import Int8Weight, int8_kernel
from codesample.sampling.packed_weights import Matmul, PackedWeights
from codesample.testing.models import random_model

IN, OUT = 72, 50
INT8 = [int8_matmul._Fbgemm(), int8_matmul._OneDnn(), int8_matmul._OneDnn(8, 8)]
KINDS: dict[str, tuple[Callable[[Tensor], object], Callable[[], object]]] = {
    "16 bits": (HalfWeight, half_kernel),
    "32 bits": (ArrangedWeight, arranged_kernel),
    "as it is": (PlainWeight, lambda: True),
    "bfloat16": (Bf16Weight, bf16_kernel),
    "rounded": (lambda weight: RoundedWeight(weight, HalfWeight), half_kernel),
    **{
        f"int8 {number}": (partial(Int8Weight, kernel=each), partial(int8_matmul._is_exact, each))
        for number, each in enumerate(INT8)
    },
}
LAYOUTS: dict[str, Callable[[tuple[int, ...]], Tensor]] = {
    "whole": lambda shape: torch.randn(*shape, IN),
    "every other": lambda shape: torch.randn(*shape, 2 * IN)[..., ::2],
    "turned": lambda shape: torch.randn(IN, *shape).movedim(0, -1),
    "repeated": lambda shape: torch.randn(IN).expand(*shape, IN),
}


@torch.inference_mode()
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("shape", [(), (1,), (0,), (5,), (2, 0), (0, 1), (2, 3), (2, 3, 4), (1, 1, 2, 2)])
@pytest.mark.parametrize("kind", KINDS)
def test_rows_of_any_shape_are_multiplied_as_a_list_of_them_is(
    kind: str, shape: tuple[int, ...], layout: str
) -> None:
    pack, works = KINDS[kind]
    if not works():
        pytest.skip("no library here does it")
    torch.manual_seed(0)
    weight, bias = torch.randn(OUT, IN).bfloat16().float(), torch.randn(OUT)
    packed, rows = pack(weight), LAYOUTS[layout](shape)
    for added in (bias, None):
        found = packed.multiplied(rows, added)  # type: ignore[attr-defined]
        expected = F.linear(rows, weight, added)
        assert (found.shape, found.dtype) == (expected.shape, torch.float32)
        single = [packed.multiplied(row[None], added) for row in rows.reshape(-1, IN).clone()]  # type: ignore[attr-defined]
        flat = torch.cat(single) if single else expected.reshape(-1, OUT)
        torch.testing.assert_close(found.reshape(-1, OUT), flat, atol=1e-4, rtol=2**-7)
        # eight bits of both
        assert (found - expected).norm() <= 0.05 * expected.norm()


@torch.inference_mode()
@pytest.mark.parametrize("shape", [(IN - 1,), (IN + 1,), (3, IN - 1), (0, IN + 1), (2, 2, 1), (0,), ()])
@pytest.mark.parametrize("kind", KINDS)
def test_rows_of_another_width_are_refused_as_by_the_layer(kind: str, shape: tuple[int, ...]) -> None:
    pack, works = KINDS[kind]
    if not works():
        pytest.skip("no library here does it")
    packed = pack(torch.randn(OUT, IN).bfloat16().float())
    with pytest.raises(RuntimeError):
        F.linear(torch.ones(shape), torch.ones(OUT, IN))
    with pytest.raises(RuntimeError):
        packed.multiplied(torch.ones(shape), None)  # type: ignore[attr-defined]


@torch.inference_mode()
@pytest.mark.parametrize("matmul", ["float32", "bfloat16", "int8"])
def test_layers_of_a_model_take_what_they_took(matmul: Matmul) -> None:
    if matmul == "int8" and int8_kernel() is None:
        pytest.skip("no library here multiplies in 8 bits")
    model = random_model("qwen2", seed=3)
    layer, width = model.model.layers[0], model.config.hidden_size
    torch.manual_seed(0)
    inputs = [torch.randn(*shape, width) for shape in ((), (0,), (3,), (2, 0), (2, 1, 3))]
    asked = [layer.self_attn.q_proj, layer.self_attn.k_proj, layer.self_attn.v_proj, model.lm_head]
    expected = [each(rows) for rows in inputs for each in asked]
    with PackedWeights(model, matmul).used():
        found = [each(rows) for rows in inputs for each in asked]
    for got, plain in zip(found, expected, strict=True):
        assert got.shape == plain.shape
        assert (got - plain).norm() <= 0.05 * plain.norm()
