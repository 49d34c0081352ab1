"""Steps with a rival's attention: they give the same logits, or have no time."""

import pytest
import torch

from codesample.bench import memory_use, model_step, step_rivals, timing
from codesample.bench.model_shapes import DECODERS
from codesample.bench.random_decoder import Decoder
from codesample.bench.step_rivals import Unavailable, cascade_layers, flex_layers

CPU = torch.device("cpu")
OWN = 5


def decoder(dtype=torch.float64):
    model = Decoder(DECODERS["tiny"], rows=3, context=40, steps=OWN + 4, dtype=dtype, device=CPU)
    model.lens.fill_(OWN)
    return model


@pytest.mark.parametrize("make", [cascade_layers, flex_layers])
def test_logits_are_those_of_attention_over_joined_keys(make):
    model = decoder()
    others = make(model, OWN)
    expected = decoder().logits("reference")
    with torch.inference_mode():
        for _ in range(2):  # a step that is repeated finds its new tokens stored
            torch.testing.assert_close(
                model.logits("reference", others=others), expected, rtol=1e-9, atol=1e-9
            )
    one_token_less = make(decoder(), OWN - 1)
    assert (model.logits("reference", others=one_token_less) - expected).abs().max() > 1e-3


def test_sequences_that_do_not_fit_are_not_made(monkeypatch):
    monkeypatch.setattr(memory_use, "free_memory", lambda device: 1000)
    with pytest.raises(Unavailable, match=r"needs 0\.0 GB, 0\.0 GB are free"):
        flex_layers(decoder(), OWN)


@pytest.fixture
def measure(monkeypatch):
    monkeypatch.setattr(timing, "_COPY_BYTES", 1 << 22)

    def measured(**options):
        given = {"rows": [3], "contexts": [40], "device": CPU, "dtype": torch.float32, "own": OWN}
        return list(model_step.measure_step(["tiny"], repeats=1, **given, **options))

    return measured


def test_a_step_stands_beside_those_of_rivals_or_the_reason_why_not(measure):
    (found,) = measure()
    assert list(found["rival_seconds"]) == ["torch cascade"]
    ratio = found["rival_seconds"]["torch cascade"] / found["seconds"]
    assert found["faster_than"] == {"torch cascade": pytest.approx(ratio)}
    assert found["left_out"] == {
        "flex_attention": "it is compiled on a GPU; here it would run uncompiled, with all scores at once"
    }
    (alone,) = measure(without=("torch cascade", "flex_attention"))
    assert alone["rival_seconds"] == alone["left_out"] == {}


def test_a_rival_whose_logits_are_wrong_or_that_fails_is_not_timed(measure, monkeypatch):
    def off(model, own):
        return [lambda q, k, v, layer=layer: 1.01 * layer(q, k, v) for layer in cascade_layers(model, own)]

    def failing(model, own):
        raise RuntimeError("no kernel for this\nand more")

    monkeypatch.setitem(step_rivals.STEP_RIVALS, "torch cascade", off)
    monkeypatch.setitem(step_rivals.STEP_RIVALS, "flex_attention", failing)
    (found,) = measure()
    assert found["rival_seconds"] == found["faster_than"] == {}
    assert found["left_out"]["torch cascade"].startswith("wrong logits: error")
    assert found["left_out"]["flex_attention"] == "RuntimeError: no kernel for this"
    assert found["seconds"] > 0
