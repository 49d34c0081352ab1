"""The whole-step benchmark on a tiny model."""

import pytest
import torch

from codesample.bench import attention, model_step
from codesample.errors import UnknownNameError

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def _small_copies(monkeypatch):
    monkeypatch.setattr(attention, "_COPY_BYTES", 1 << 22)


def measure(**options):
    given = {"rows": [3], "contexts": [40], "device": CPU, "dtype": torch.float32, "own": 5, "repeats": 1}
    return list(model_step.measure_step(["tiny"], **given | options))


def test_a_step_is_timed_and_its_bytes_are_counted():
    (row,) = measure()
    weights = 3 * ((2 * 4 + 2 * 2) * 16 * 64 + 3 * 64 * 128) + 256 * 64
    keys_and_values = 2 * 3 * 2 * 16 * (40 + 3 * 5)
    assert row["bytes"] == 4 * (weights + keys_and_values)
    assert row["seconds"] > 0
    assert row["kind"] == "step"


def test_implementations_agree_on_the_logits():
    def logits(impl):
        model = model_step.Decoder(
            model_step.STEP_MODELS["tiny"], rows=3, context=40, steps=4, dtype=torch.float64, device=CPU
        )
        return model.logits(impl)

    torch.testing.assert_close(logits("torch"), logits("reference"), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("wrong_from", [0, 5])
def test_wrong_logits_are_refused_at_the_lengths_that_are_timed(monkeypatch, wrong_from):
    def broken(*arguments, impl, **options):
        got = original(*arguments, impl=impl, **options)
        wrong = impl != "reference" and arguments[-1].max() >= wrong_from
        return got._replace(out=got.out * 1.01) if wrong else got

    original = model_step.bifurcated_decode
    monkeypatch.setattr(model_step, "bifurcated_decode", broken)
    (row,) = measure(own=5)
    assert row["refused"].startswith("wrong logits: error")


def test_unknown_models_are_refused():
    with pytest.raises(UnknownNameError, match="did you mean 'mistral-7b'"):
        list(model_step.measure_step(["mistral-7"], rows=[1], contexts=[8], device=CPU))
    with pytest.raises(UnknownNameError, match=r"unknown model 'x'\. Known: .*7b-mha"):
        list(model_step.measure_step(["x"], rows=[1], contexts=[8], device=CPU))
