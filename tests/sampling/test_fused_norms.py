"""Norms by one operator: where they are what the operator computes, and nowhere else."""

import pytest
import torch
from torch import nn

from codesample.sampling.fused_norms import fused_norms
from codesample.sampling.packed_weights import PackedWeights
from codesample.testing.models import random_model

IDS = torch.arange(12).view(3, 4)


class TinyRMSNorm(nn.Module):
    def __init__(self, width=8, eps=1e-5):
        super().__init__()
        self.weight = nn.Parameter(torch.linspace(0.5, 2, width))
        self.eps = eps

    def forward(self, x):
        return self.weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.eps))


class OneMoreRMSNorm(TinyRMSNorm):
    def forward(self, x):
        return (1 + self.weight) * (super().forward(x) / self.weight)


class OtherEpsilonRMSNorm(TinyRMSNorm):
    def forward(self, x):
        return self.weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 10 * self.eps))


class CenteredRMSNorm(TinyRMSNorm):
    def forward(self, x):
        return super().forward(x - x.mean(-1, keepdim=True))


class GatedRMSNorm(TinyRMSNorm):
    def forward(self, x, gate):
        return super().forward(x) * gate


class BiasedRMSNorm(TinyRMSNorm):
    def __init__(self):
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(8))


class HalfRMSNorm(TinyRMSNorm):
    def forward(self, x):
        return super().forward(x).half()


def norms(model):
    return [each for each in model.modules() if type(each).__name__.endswith("RMSNorm")]


@pytest.mark.parametrize("family", ["llama", "qwen2", "mistral", "qwen3", "phi3"])
def test_every_norm_of_such_a_model_is_fused_and_the_model_says_the_same(family):
    model = random_model(family)
    for number, norm in enumerate(norms(model)):
        nn.init.normal_(norm.weight, 1, 0.1, generator=torch.Generator().manual_seed(number))
    assert norms(model)
    assert [module for module, _ in fused_norms(model.modules())] == norms(model)
    with torch.inference_mode():
        plain = model(IDS).logits
        with PackedWeights(model).used():
            assert all("forward" in each.__dict__ for each in norms(model))
            torch.testing.assert_close(model(IDS).logits, plain, atol=1e-5, rtol=1e-5)
    assert not any("forward" in each.__dict__ for each in model.modules())


def test_norms_that_weigh_by_one_more_are_left_alone():
    model = random_model("gemma2")
    assert norms(model)
    assert not list(fused_norms(model.modules()))


@pytest.mark.parametrize(
    "kind", [OneMoreRMSNorm, OtherEpsilonRMSNorm, CenteredRMSNorm, GatedRMSNorm, BiasedRMSNorm, HalfRMSNorm]
)
def test_what_is_called_a_norm_and_computes_something_else_is_left_alone(kind):
    assert len(list(fused_norms([TinyRMSNorm()]))) == 1
    assert not list(fused_norms([kind()]))


@pytest.mark.parametrize("change", [nn.Module.double, nn.Module.half, lambda norm: norm.to("meta")])
def test_other_numbers_and_devices_are_left_alone(change):
    assert not list(fused_norms([change(TinyRMSNorm())]))


def test_the_weight_is_read_as_it_is_when_the_norm_is_asked():
    norm, rows = TinyRMSNorm(), torch.randn(3, 1, 8)
    [(_, forward)] = fused_norms([norm])
    with torch.no_grad():
        norm.weight.mul_(3)
        torch.testing.assert_close(forward(rows), norm(rows))
        norm.weight = nn.Parameter(torch.ones(8))
        torch.testing.assert_close(forward(rows), norm(rows))


def test_gradients_other_numbers_and_keywords_take_the_norm_s_own_way():
    norm = TinyRMSNorm()
    [(_, forward)] = fused_norms([norm])
    rows = torch.randn(3, 8)
    forward(rows).sum().backward()
    assert norm.weight.grad is not None
    with torch.no_grad():
        assert forward(rows.double()).dtype == torch.float64
        torch.testing.assert_close(forward(x=rows), norm(rows))
        assert forward(rows[:0]).shape == (0, 8)


def test_hooks_of_a_norm_are_still_called():
    model, seen = random_model("qwen2"), []
    norms(model)[0].register_forward_hook(lambda *_: seen.append(1))
    with torch.inference_mode(), PackedWeights(model).used():
        model(IDS)
    assert seen == [1]


def test_a_norm_with_a_forward_of_its_own_keeps_it():
    model = random_model("qwen2")
    norms(model)[0].forward = own = lambda rows: rows
    with PackedWeights(model).used():
        assert norms(model)[0].forward is own
        assert norms(model)[1].forward is not own
    assert norms(model)[0].forward is own
