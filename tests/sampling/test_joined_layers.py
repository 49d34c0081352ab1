"""Layers that are multiplied as one give what each gives by itself."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from codesample.sampling.arranged_weights import PlainWeight
from codesample.sampling.joined_layers import JoinedProduct, groups_of
from codesample.testing.models import random_model

WIDTH = 16


class Counting(PlainWeight):
    """Counts its products."""

    products = 0

    def multiplied(self, rows: Tensor, bias: Tensor | None) -> Tensor:
        self.products += 1
        return super().multiplied(rows, bias)


def layers_of(*sizes: int) -> tuple[nn.Linear, ...]:
    torch.manual_seed(0)
    # a bias here and there
    return tuple(nn.Linear(WIDTH, size, bias=size % 2 == 0) for size in sizes)


def joined_of(layers: tuple[nn.Linear, ...]) -> tuple[JoinedProduct, Counting]:
    packed = Counting(torch.cat([each.weight.detach() for each in layers]))
    return JoinedProduct(layers, packed), packed


def own(layer: nn.Linear, rows: Tensor) -> Tensor:
    return F.linear(rows, layer.weight, layer.bias)


@torch.no_grad()
@pytest.mark.parametrize(
    "shape", [(1, 1, WIDTH), (5, 1, WIDTH), (2, 7, WIDTH), (3, WIDTH), (WIDTH,), (0, WIDTH), (2, 1, 3, WIDTH)]
)
def test_layers_asked_together_are_one_product(shape: tuple[int, ...]) -> None:
    layers = layers_of(12, 4, 5)
    joined, packed = joined_of(layers)
    for turn in range(3):
        rows = torch.randn(shape)
        for number, layer in enumerate(layers):
            torch.testing.assert_close(joined.of(number, rows), own(layer, rows), atol=1e-5, rtol=1e-5)
        assert packed.products == turn + 1


@torch.no_grad()
@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), max_size=20))
def test_whatever_is_asked_in_whatever_order_is_right(asked: list[tuple[int, int]]) -> None:
    layers = layers_of(12, 4, 5)
    joined, _ = joined_of(layers)
    inputs = [torch.randn(2, 1, WIDTH) for _ in range(3)]
    for number, which in asked:
        rows = inputs[which]
        torch.testing.assert_close(joined.of(number, rows), own(layers[number], rows), atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_rows_that_a_model_changes_in_place_are_seen_and_never_joined_again() -> None:
    layers = layers_of(12, 4)
    joined, packed = joined_of(layers)
    for _ in range(3):
        rows = torch.randn(3, 1, WIDTH)
        torch.testing.assert_close(joined.of(0, rows), own(layers[0], rows), atol=1e-5, rtol=1e-5)
        rows.mul_(-2)
        torch.testing.assert_close(joined.of(1, rows), own(layers[1], rows), atol=1e-5, rtol=1e-5)
    assert packed.products == 1


@torch.no_grad()
def test_a_bias_that_changes_is_followed() -> None:
    layers = layers_of(12, 4)
    joined, _ = joined_of(layers)
    rows = torch.randn(3, 1, WIDTH)
    joined.of(0, rows)
    layers[1].bias.add_(3)
    torch.testing.assert_close(joined.of(1, rows), own(layers[1], rows), atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_nothing_is_held_once_all_were_asked() -> None:
    layers = layers_of(12, 4)
    joined, _ = joined_of(layers)
    rows = torch.randn(3, 1, WIDTH)
    joined.of(0, rows)
    joined.of(1, rows)
    assert joined._rows is None
    assert not joined._left


def test_queries_keys_and_values_and_gate_and_up_are_groups() -> None:
    model = random_model("qwen2", seed=3)
    layers = [each for each in model.modules() if type(each) is nn.Linear]
    groups = groups_of(model, layers)
    assert sorted(map(len, groups)) == sorted([3, 2, 1, 1] * model.config.num_hidden_layers + [1])
    assert {each for group in groups for each in group} == set(layers)


def test_a_group_that_lacks_a_layer_is_none() -> None:
    model = random_model("qwen2", seed=3)
    left = {model.model.layers[0].self_attn.k_proj, model.model.layers[1].mlp.up_proj}
    layers = [each for each in model.modules() if type(each) is nn.Linear and each not in left]
    groups = groups_of(model, layers)
    assert (model.model.layers[0].self_attn.q_proj,) in groups
    assert (model.model.layers[1].mlp.gate_proj,) in groups
    assert {each for group in groups for each in group} == set(layers)


def test_layers_that_are_one_object_are_no_group() -> None:
    module = nn.Module()
    module.gate_proj = module.up_proj = nn.Linear(WIDTH, 4)
    assert groups_of(module, [module.gate_proj]) == [(module.gate_proj,)]
