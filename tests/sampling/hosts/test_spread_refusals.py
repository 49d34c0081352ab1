"""What prompts that are spread over processes cannot be combined with is refused by name."""

from __future__ import annotations

import pytest

from codesample.errors import ParameterError
from codesample.records import Policy
from codesample.records.policy import AXES
from codesample.sampling.hosts.spread_refusals import expect_spread
from codesample.sampling.layer_masks import windows_of
from codesample.sampling.sampler import Sampler
from codesample.testing.models import byte_tokenizer, random_model


@pytest.mark.parametrize("architecture", ["mistral", "gemma2"])
def test_layers_with_a_window_are_refused(architecture: str) -> None:
    checkpoint = Sampler(random_model(architecture), tokenizer=byte_tokenizer()).checkpoint
    windows = windows_of(checkpoint.model)
    assert windows
    layer, window = min(windows.items())
    with pytest.raises(
        ParameterError, match=rf"hosts = 2: layer {layer} of .* has a window of {window} tokens"
    ):
        expect_spread(Policy.parse("hosts=2"), checkpoint)
    # one process has all keys
    expect_spread(Policy.parse("exact"), checkpoint)


def test_an_audit_needs_all_keys() -> None:
    checkpoint = Sampler(random_model("llama"), tokenizer=byte_tokenizer()).checkpoint
    with pytest.raises(ParameterError, match="hosts = 2: no process has the keys that an audit of prefill"):
        expect_spread(Policy.parse("prefill=star(audit=1), hosts=2"), checkpoint)
    expect_spread(Policy.parse("prefill=star(audit=0), hosts=2"), checkpoint)


OTHERS = [f"{axis}={name}" for axis, (_, *names) in AXES.items() if axis != "prefill" for name in names]


@pytest.mark.parametrize("choice", OTHERS)
def test_every_other_axis_is_for_one_process(choice: str) -> None:
    checkpoint = Sampler(random_model("llama"), tokenizer=byte_tokenizer()).checkpoint
    axis, _, name = choice.partition("=")
    with pytest.raises(ParameterError, match=f"hosts = 2: {axis} = '{name}' is for prompts that one process"):
        expect_spread(Policy.parse(f"{choice}, hosts=2"), checkpoint)


@pytest.mark.parametrize("policy", ["hosts=2", "prefill=ring, hosts=3", "prefill=star, hosts=2"])
def test_models_whose_layers_see_everything_are_served(policy: str) -> None:
    checkpoint = Sampler(random_model("llama"), tokenizer=byte_tokenizer()).checkpoint
    assert not windows_of(checkpoint.model)
    expect_spread(Policy.parse(policy), checkpoint)
