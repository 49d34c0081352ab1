"""The whole-step benchmark on a tiny model."""

import pytest
import torch

from codesample.bench import memory_use, model_step, random_decoder, timing
from codesample.errors import UnknownNameError

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def _small_copies(monkeypatch):
    monkeypatch.setattr(timing, "_COPY_BYTES", 1 << 22)


def measure(**options):
    given = {"rows": [3], "contexts": [40], "device": CPU, "dtype": torch.float32, "own": 5, "repeats": 1}
    return list(model_step.measure_step(["tiny"], **given | options))


def test_a_step_is_timed_and_its_bytes_are_counted():
    (found,) = measure()
    weights = 3 * ((2 * 4 + 2 * 2) * 16 * 64 + 3 * 64 * 128) + 256 * 64
    keys_and_values = 2 * 3 * 2 * 16 * (40 + 3 * 5)
    assert found["bytes"] == 4 * (weights + keys_and_values)
    assert found["seconds"] > 0
    assert found["kind"] == "step"


@pytest.mark.parametrize("wrong_from", [0, 5])
def test_wrong_logits_are_refused_at_the_lengths_that_are_timed(monkeypatch, wrong_from):
    def broken(*arguments, impl, **options):
        got = original(*arguments, impl=impl, **options)
        wrong = impl != "reference" and arguments[-1].max() >= wrong_from
        return got._replace(out=got.out * 1.01) if wrong else got

    original = random_decoder.bifurcated_decode
    monkeypatch.setattr(random_decoder, "bifurcated_decode", broken)
    (found,) = measure(own=5)
    assert found["refused"].startswith("wrong logits: error")


def test_a_model_that_does_not_fit_is_refused(monkeypatch):
    monkeypatch.setattr(memory_use, "free_memory", lambda device: 1000)
    (found,) = measure()
    assert found["refused"] == "needs 0.0 GB, 0.0 GB are free"


def test_every_model_context_and_number_of_rows_is_measured():
    found = measure(rows=[1, 2], contexts=[8, 16])
    assert [(each["context"], each["rows"]) for each in found] == [(8, 1), (8, 2), (16, 1), (16, 2)]


def test_unknown_models_are_refused():
    with pytest.raises(UnknownNameError, match="did you mean 'mistral-7b'"):
        list(model_step.measure_step(["mistral-7"], rows=[1], contexts=[8], device=CPU))
    with pytest.raises(UnknownNameError, match=r"unknown model 'x'\. Known: .*7b-mha"):
        list(model_step.measure_step(["x"], rows=[1], contexts=[8], device=CPU))
