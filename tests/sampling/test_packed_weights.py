import copy

import pytest
import torch

from codesample.sampling import Sampler, packed_weights
from codesample.sampling.arranged_weights import ArrangedWeight, PlainWeight, arranged_kernel
from codesample.sampling.half_weights import HalfWeight, half_kernel
from codesample.sampling.packed_weights import PackedWeights
from codesample.testing.models import random_model

PROMPT = "def f(x):\n    return x + 1\n"

pytestmark = pytest.mark.skipif(
    not (arranged_kernel() and half_kernel()), reason="needs oneDNN and FBGEMM in torch"
)


class Seen(list):
    """Counts products with packed weights, by kind."""

    def watch(self, monkeypatch, kind):
        plain = kind.multiplied
        monkeypatch.setattr(kind, "multiplied", lambda *given: self.append(kind) or plain(*given))


@pytest.fixture
def model():
    return random_model("qwen2", seed=3)


def calls(monkeypatch):
    """Count products with packed weights."""
    seen = Seen()
    for kind in (ArrangedWeight, HalfWeight):
        seen.watch(monkeypatch, kind)
    return seen


def frozen(module):
    return {name: p.detach().clone() for name, p in module.named_parameters()}


def test_every_linear_layer_multiplies_with_its_copy_and_the_model_is_left_as_it_was(model, monkeypatch):
    seen = calls(monkeypatch)
    before = frozen(model)
    ids = torch.arange(12).view(3, 4)
    linear = sum(type(layer) is torch.nn.Linear for layer in model.modules())
    # queries, keys and values are one product, gate and up another
    linear -= 3 * model.config.num_hidden_layers
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


@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support is in beta state")
def test_sparse_weights_multiply_as_they_are(model):
    layer = model.model.layers[0].mlp.down_proj
    ids = torch.arange(12).view(3, 4)
    layer.weight = torch.nn.Parameter(layer.weight.detach().to_sparse_csr(), requires_grad=False)
    with torch.no_grad():
        plain = model(ids).logits
        with PackedWeights(model).used():
            assert "forward" not in layer.__dict__
            torch.testing.assert_close(model(ids).logits, plain, atol=1e-5, rtol=1e-5)


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
    for name in ("arranged_kernel", "half_kernel"):
        monkeypatch.setattr(packed_weights, name, lambda: False)
    assert PackedWeights.of(model) is None
    assert type(packed_weights._in_float32(torch.ones(4, 4))) is PlainWeight


def kinds(packed):
    return {type(each.packed) for each in packed._copies}


def test_what_is_stored_in_16_bits_is_kept_in_16_bits(model, monkeypatch):
    needed = sum(layer.weight.numel() for layer in packed_weights._layers(model))
    assert kinds(PackedWeights.of(model)) == {ArrangedWeight}
    for dtype in (torch.bfloat16, torch.float16):
        stored = copy.deepcopy(model).to(dtype).float()
        monkeypatch.setattr(packed_weights, "free_memory", lambda device: 8 * needed)
        found = PackedWeights.of(stored)
        assert kinds(found) == {HalfWeight}
        ids = torch.arange(12).view(3, 4)
        with torch.inference_mode():
            plain = stored(ids).logits
            with found.used():
                torch.testing.assert_close(stored(ids).logits, plain, atol=1e-5, rtol=1e-5)
        assert PackedWeights.of(model) is None
    with monkeypatch.context() as patch:
        patch.setattr(packed_weights, "half_kernel", lambda: False)
        assert PackedWeights.of(stored) is None


def test_only_what_was_written_to_is_packed_again(model):
    first = PackedWeights(model)
    layers = model.model.layers
    with torch.no_grad():
        layers[0].mlp.up_proj.weight[0, 0] += 1
        layers[1].mlp.up_proj.weight.data += 1
        layers[1].mlp.down_proj.weight = torch.nn.Parameter(layers[1].mlp.down_proj.weight.detach().clone())
        layers[0].self_attn.q_proj.weight.data = layers[0].self_attn.q_proj.weight.detach().clone()
    attention = layers[0].self_attn
    changed = {
        *(layers[at].mlp.get_submodule(name) for at in (0, 1) for name in ("up_proj", "gate_proj")),
        layers[1].mlp.down_proj,
        # with the query's weight, those that are multiplied with it
        *(attention.q_proj, attention.k_proj, attention.v_proj),
    }
    second = PackedWeights(model, kept=first.still_true())
    before, after = (
        {layer: each.packed for each in packed._copies for layer in each.layers} for packed in (first, second)
    )
    assert before.keys() == after.keys()
    assert {layer for layer in after if after[layer] is not before[layer]} == changed
    with torch.inference_mode(), second.used():
        packed = model(torch.arange(5)[None]).logits
    with torch.inference_mode():
        torch.testing.assert_close(packed, model(torch.arange(5)[None]).logits, atol=1e-4, rtol=1e-4)


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
    assert not first.still_true()
    afresh = Sampler(model, tokenizer=tokenizer, step="plain")
    expected = afresh.sample(PROMPT, n=4, max_new_tokens=6)
    assert not afresh._packs
    assert [c.token_ids for c in after] == [c.token_ids for c in expected]
    for ours, theirs in zip(after, expected, strict=True):
        assert ours.logprobs == pytest.approx(theirs.logprobs, abs=1e-4)
