"""The check of a sampler before anything is timed: right code passes it, and planted faults do not."""

import pytest
import torch

from codesample.bench import sampler_checks as module
from codesample.bench.sampler_checks import sampler_checks
from codesample.sampling import attention_hook

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def _few_tokens(monkeypatch):
    monkeypatch.setattr(module, "_NEW", 12)


def test_a_sampler_that_draws_right_passes_in_both_dtypes():
    assert [check.wrong() for check in sampler_checks(prompts=(30, 7), device=CPU, seconds=1.0)] == [
        None,
        None,
    ]


@pytest.mark.parametrize("at", [0, 1])
def test_attention_that_is_off_is_found_in_what_is_drawn(monkeypatch, at):
    attend, make = attention_hook.DecodeState.attend, module.sampler_without_text

    def off(self, layer, *rest):
        return attend(self, layer, *rest) * 1.2

    def made_before(model):
        sampler = make(model)
        monkeypatch.setattr(attention_hook.DecodeState, "attend", off)
        return sampler

    check = list(sampler_checks(prompts=(30, 7), device=CPU, seconds=1.0))[at]
    monkeypatch.setattr(module, "sampler_without_text", made_before)
    assert check.wrong().startswith("log-probabilities at temperature 0.0: error")
    # a sampler that is made now finds it out by itself, and would draw without what is to be checked
    monkeypatch.setattr(module, "sampler_without_text", make)
    assert "takes the ordinary path" in check.wrong()


def test_a_greedy_token_that_is_not_the_likeliest_is_found(monkeypatch):
    read = module._read

    def likelier(*arguments):
        of_tokens, likeliest = read(*arguments)
        return of_tokens, likeliest + 0.01

    monkeypatch.setattr(module, "_read", likelier)
    check = next(sampler_checks(prompts=(7,), device=CPU, seconds=1.0))
    assert check.wrong() == "a greedy token is 0.01 less likely than the likeliest"
