"""The decoder of the whole-step benchmark."""

import torch

from codesample.bench.model_shapes import DECODERS
from codesample.bench.random_decoder import Decoder


def decoder():
    return Decoder(
        DECODERS["tiny"],
        rows=3,
        context=40,
        steps=4,
        dtype=torch.float64,
        device=torch.device("cpu"),
    )


def test_implementations_agree_on_the_logits():
    torch.testing.assert_close(
        decoder().logits("torch"), decoder().logits("reference"), rtol=1e-12, atol=1e-12
    )


def test_a_wider_copy_holds_the_same_values_and_changes_apart():
    model = decoder().to(torch.float32, layers=2)
    wider = model.to(torch.float64, layers=2)
    assert wider.shape.layers == 2
    before = wider.logits("reference")
    torch.testing.assert_close(before.float(), model.logits("reference"), rtol=1e-4, atol=1e-4)
    model.stores[0].k_shared.zero_()
    assert torch.equal(wider.logits("reference"), before)


def test_a_step_takes_the_likeliest_tokens():
    model = decoder()
    likeliest = model.logits("reference").argmax(dim=-1)
    model.step("reference")
    assert torch.equal(model.tokens, likeliest)
