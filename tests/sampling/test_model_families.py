"""Every family of the table gives what transformers gives, on the path that the table says, or is refused."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest
import torch
import transformers
from model_families import FAMILIES, LATER, VOCABULARY, Family
from packaging.version import Version
from transformers import CONFIG_MAPPING, AutoModelForCausalLM, LogitsProcessor, LogitsProcessorList

from codesample.errors import ModelError
from codesample.records import SamplingParams
from codesample.sampling import Sampler
from codesample.sampling.prompts import Prompt

LENGTHS, NEW = (7, 61), 6
HERE = Version(transformers.__version__)


class Forced(LogitsProcessor):
    """Lets `generate` draw given tokens."""

    def __init__(self, ids, behind):
        self.ids, self.behind = ids, behind

    def __call__(self, input_ids, scores):
        token = self.ids[:, input_ids.shape[1] - self.behind, None]
        return torch.full_like(scores, -torch.inf).scatter(1, token, 0.0)


def made(family: Family):
    config = family.config()
    torch.manual_seed(0)
    # others have no float64
    model = AutoModelForCausalLM.from_config(config, experts_implementation="eager")
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.normal_(std=0.2)
    model.generation_config.eos_token_id = None
    return model.double().eval()


def prompts():
    draw = torch.Generator().manual_seed(1)
    return [
        Prompt(f"p{size}", tuple(torch.randint(0, 250, (size,), generator=draw).tolist()), (0, 1, 2), NEW)
        for size in LENGTHS
    ]


def of_generate(model, prompt, ids):
    """Return the logits that `generate` has where it draws `ids`, [N, T, V]."""
    given = torch.tensor([prompt.ids]).expand(len(ids), -1)
    steps = []
    # what it returns is rounded to float32
    hook = model.register_forward_hook(lambda _m, _a, output: steps.append(output.logits[:, -1]))
    try:
        model.generate(
            given,
            attention_mask=torch.ones_like(given),
            max_new_tokens=ids.shape[1],
            do_sample=False,
            use_cache=True,
            logits_processor=LogitsProcessorList([Forced(ids, len(prompt.ids))]),
        )
    finally:
        hook.remove()
    return torch.stack(steps, dim=1)


def of_forward(model, prompt, ids):
    """Return the logits of a pass over all tokens so far, for each of `ids`."""
    whole = torch.cat([torch.tensor([prompt.ids]).expand(len(ids), -1), ids], dim=1)
    ends = range(len(prompt.ids), whole.shape[1])
    return torch.stack([model(whole[:, :end], use_cache=False).logits[:, -1] for end in ends], dim=1)


def check_numbers(family: Family, tokenizer):
    model = made(family)
    sampler = Sampler(model, tokenizer=tokenizer)
    since = family.shared_since
    shared = family.path == "shared" or bool(since and Version(since) <= HERE)
    assert sampler.checkpoint.shared == shared, sampler.checkpoint.notice
    assert shared or family.reason in sampler.checkpoint.notice
    # candidates of one length can be read together
    sampler.checkpoint = replace(sampler.checkpoint, eos_ids=frozenset())
    given = prompts()
    drawn = list(sampler.stream_prompts(given, SamplingParams(max_new_tokens=NEW)))
    greedy = [replace(prompt, indices=(3,)) for prompt in given]
    drawn += sampler.stream_prompts(greedy, SamplingParams(max_new_tokens=NEW, temperature=0))
    if "gemma" in family.model_type:
        # sdpa attention of some versions leaves the soft cap out
        model.set_attn_implementation("eager")
    reference = partial(of_generate if family.reference == "generate" else of_forward, model)
    for prompt in given:
        rows = sorted((c for c in drawn if c.task_id == prompt.task_id), key=lambda c: c.index)
        ids = torch.tensor([row.token_ids for row in rows])
        assert ids.shape == (4, NEW)
        with torch.inference_mode():
            logits = reference(prompt, ids)
        assert torch.equal(logits[3].argmax(-1), ids[3])
        expected = logits[:3].double().log_softmax(-1).gather(-1, ids[:3, :, None])[..., 0]
        got = torch.tensor([row.logprobs for row in rows[:3]], dtype=torch.float64)
        torch.testing.assert_close(got, expected, rtol=0, atol=1e-3 if family.rough else 1e-5)


def check_refusal(family: Family, tokenizer):
    with pytest.raises(ModelError, match=family.reason if family.path == "refused" else LATER):
        Sampler(made(family), tokenizer=tokenizer)


def check(family: Family, tokenizer):
    if family.model_type not in CONFIG_MAPPING:
        pytest.skip(f"transformers has no {family.model_type} in this version")
    too_old = bool(family.since and Version(family.since) > HERE)
    (check_refusal if family.path == "refused" or too_old else check_numbers)(family, tokenizer)


@pytest.mark.parametrize("family", [f for f in FAMILIES if f.quick], ids=lambda f: f.name)
def test_a_few_families_give_what_transformers_gives(family, tokenizer):
    check(family, tokenizer)


@pytest.mark.slow
@pytest.mark.parametrize("family", [f for f in FAMILIES if not f.quick], ids=lambda f: f.name)
def test_every_family_gives_what_transformers_gives(family, tokenizer):
    check(family, tokenizer)


def test_the_table_has_every_name_once_and_a_reason_for_every_detour():
    names = [family.name for family in FAMILIES]
    assert len(set(names)) == len(names) >= 75
    assert VOCABULARY == 259
    assert {family.path for family in FAMILIES} == {"shared", "ordinary", "refused"}
