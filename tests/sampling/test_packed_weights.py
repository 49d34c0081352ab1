import copy

import pytest
import torch
import torch.nn.functional as F

from codesample.sampling import Sampler, packed_weights
from codesample.sampling.packed_weights import PackedWeights
from codesample.testing.models import random_model

PROMPT = "def f(x):\n    return x + 1\n"

pytestmark = pytest.mark.skipif(not packed_weights._works(), reason="needs oneDNN")


@pytest.fixture
def model():
    return random_model("qwen2", seed=3)


def calls(monkeypatch):
    """Count products with packed weights."""
    seen = []
    plain = packed_weights._multiplied
    monkeypatch.setattr(packed_weights, "_multiplied", lambda *given: seen.append(1) or plain(*given))
    return seen


def frozen(module):
    return {name: p.detach().clone() for name, p in module.named_parameters()}


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("rows", [(1, 1), (7, 1), (32, 1), (0, 1), (5,), (2, 3, 4)])
@torch.inference_mode()
def test_products_are_those_of_the_layer_to_rounding(rows, bias):
    torch.manual_seed(0)
    layer = torch.nn.Linear(72, 130, bias=bias)
    x = torch.randn(*rows, 144)[..., ::2]
    found = packed_weights._forward_of(layer)(x)
    exact = F.linear(x.double(), layer.weight.double(), layer.bias.double() if bias else None)
    assert found.shape == exact.shape
    # 72 products and sums of numbers of about 1 / sqrt(72)
    torch.testing.assert_close(found.double(), exact, atol=72 * 2**-23, rtol=0)


def test_every_linear_layer_multiplies_with_its_copy_and_the_model_is_left_as_it_was(model, monkeypatch):
    seen = calls(monkeypatch)
    before = frozen(model)
    ids = torch.arange(12).view(3, 4)
    linear = sum(type(layer) is torch.nn.Linear for layer in model.modules())
    with torch.inference_mode():
        plain = model(ids).logits
        with PackedWeights(model).used():
            packed = model(ids).logits
    assert len(seen) == linear
    torch.testing.assert_close(packed, plain, atol=1e-5, rtol=1e-5)
    assert not any("forward" in layer.__dict__ for layer in model.modules())
    assert all(torch.equal(p, before[name]) for name, p in model.named_parameters())


def test_gradients_and_long_inputs_go_through_the_weights_themselves(model, monkeypatch):
    seen = calls(monkeypatch)
    with PackedWeights(model).used():
        model(torch.arange(12).view(3, 4)).logits.sum().backward()
        assert all(layer.weight.grad is not None for layer in packed_weights._layers(model))
        with torch.no_grad():
            long = torch.randint(0, 250, (1, packed_weights._MOST_ROWS + 1))
            logits = model(long).logits
            assert not seen
            half = model.lm_head(torch.zeros(2, 1, model.config.hidden_size, dtype=torch.float32))
    assert len(seen) == 1
    assert logits.shape[1] == long.shape[1]
    assert half.shape == (2, 1, model.config.vocab_size)


def test_layers_that_do_more_than_multiply_are_left_alone(model, monkeypatch):
    class Louder(torch.nn.Linear):
        def forward(self, x):
            return 2 * super().forward(x)

    def patched(x):
        return x.new_ones(*x.shape[:-1], 64)

    attention = model.model.layers[0].self_attn
    attention.q_proj.__class__ = Louder
    attention.o_proj.forward = patched
    packed = PackedWeights(model)
    with torch.inference_mode(), packed.used():
        assert attention.q_proj.forward.__func__ is Louder.forward
        assert attention.o_proj.forward is patched
    assert attention.o_proj.forward is patched


def test_what_replaces_a_layer_after_packing_is_put_back(model):
    packed = PackedWeights(model)
    model.lm_head.forward = own = lambda x: x
    with packed.used():
        assert model.lm_head.forward is not own
    assert model.lm_head.forward is own


def test_a_model_that_fails_is_left_as_it_was(model):
    with pytest.raises(IndexError), PackedWeights(model).used():
        model(torch.tensor([[10**6]]))
    assert not any("forward" in layer.__dict__ for layer in model.modules())


def test_only_float32_is_packed_and_only_where_memory_is_plenty(model, monkeypatch):
    assert PackedWeights.of(copy.deepcopy(model).double()) is None
    assert PackedWeights.of(copy.deepcopy(model).bfloat16()) is None
    assert PackedWeights.of(model) is not None
    needed = sum(layer.weight.nbytes for layer in packed_weights._layers(model))
    monkeypatch.setattr(packed_weights, "free_memory", lambda device: 4 * needed - 4)
    assert PackedWeights.of(model) is None
    monkeypatch.setattr(packed_weights, "free_memory", lambda device: 4 * needed)
    assert PackedWeights.of(model) is not None


def test_a_torch_without_the_calls_goes_without(model, monkeypatch):
    def gone(*_):
        raise AttributeError("no such operator")

    for name in ("_packed", "_multiplied"):
        with monkeypatch.context() as patch:
            patch.setattr(packed_weights, name, gone)
            assert not packed_weights._works.__wrapped__()
    monkeypatch.setattr(packed_weights, "_multiplied", lambda x, *_: torch.zeros(3, 1, 160))
    assert not packed_weights._works.__wrapped__()


@pytest.mark.parametrize("through_data", [True, False])
def test_the_sampler_packs_once_and_anew_after_a_training_step(through_data, model, tokenizer, monkeypatch):
    seen = calls(monkeypatch)
    sampler = Sampler(model, tokenizer=tokenizer)
    sampler.sample(PROMPT, n=2, max_new_tokens=6)
    first = sampler._state.packed
    sampler.sample(PROMPT, n=2, max_new_tokens=6)
    assert first is not None
    assert sampler._state.packed is first
    assert seen
    with torch.no_grad():
        for p in model.parameters():
            # what is written through .data leaves the version as it is
            written = p.data if through_data else p
            written += 0.05 * torch.randn_like(p)
    after = sampler.sample(PROMPT, n=4, max_new_tokens=6)
    assert sampler._state.packed is not first
    afresh = Sampler(model, tokenizer=tokenizer, step="plain")
    expected = afresh.sample(PROMPT, n=4, max_new_tokens=6)
    assert not afresh._packs
    assert [c.token_ids for c in after] == [c.token_ids for c in expected]
    for ours, theirs in zip(after, expected, strict=True):
        assert ours.logprobs == pytest.approx(theirs.logprobs, abs=1e-4)
