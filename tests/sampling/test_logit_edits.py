import pytest
import torch
from transformers import RepetitionPenaltyLogitsProcessor, TypicalLogitsWarper

from codesample.errors import ParameterError
from codesample.records import Request, SamplingParams
from codesample.sampling import Sampler
from codesample.sampling.token_choice import _shaped, choose
from codesample.testing.models import random_model

PROMPT = "def f(x):\n    return x + 1\n"


@pytest.fixture(scope="module")
def sampler(llama, tokenizer):
    return Sampler(llama, tokenizer=tokenizer)


def drawn(sampler, **params):
    return [t for c in sampler.sample(PROMPT, n=8, max_new_tokens=20, **params) for t in c.token_ids]


def test_banned_tokens_do_not_come_and_only_allowed_ones_do(sampler):
    usual = set(drawn(sampler))
    banned = tuple(usual)[: len(usual) // 2]
    assert not set(drawn(sampler, banned_tokens=banned)) & set(banned)
    assert set(drawn(sampler, allowed_tokens=(5, 6, 7))) <= {5, 6, 7}
    assert set(drawn(sampler, allowed_tokens=(5, 6), banned_tokens=(5,))) == {6}


def test_bias_moves_the_draw_but_not_the_reported_logprob(sampler, llama):
    candidate = sampler.sample(PROMPT, temperature=0, max_new_tokens=3, logit_bias=((9, 1000.0),))[0]
    assert candidate.token_ids == (9, 9, 9)
    ids = [*sampler.checkpoint.encode(PROMPT), 9, 9]
    with torch.inference_mode():
        expected = llama(torch.tensor([ids])).logits[0, -3:].log_softmax(-1)[:, 9]
    assert candidate.logprobs == pytest.approx(expected.tolist(), abs=2e-4)


@pytest.mark.parametrize("architecture", ["llama", "bloom"])
def test_repetition_penalty_is_that_of_generate(architecture, tokenizer):
    model = random_model(architecture)
    sampler = Sampler(model, tokenizer=tokenizer)
    ids = torch.tensor([sampler.checkpoint.encode(PROMPT)])
    expected = model.generate(ids, do_sample=False, max_new_tokens=15, repetition_penalty=1.7)[
        0, ids.shape[1] :
    ]
    got = sampler.sample(PROMPT, temperature=0, max_new_tokens=15, repetition_penalty=1.7)[0]
    assert list(got.token_ids) == [t for t in expected.tolist() if t != 257]


def test_frequency_penalty_counts_what_the_candidate_holds(sampler):
    plain = sampler.sample(PROMPT, temperature=0, max_new_tokens=30)[0].token_ids
    varied = sampler.sample(PROMPT, temperature=0, max_new_tokens=30, frequency_penalty=50.0)[0].token_ids
    assert len(set(varied)) == len(varied)
    assert len(set(plain)) < len(plain)


def test_processors_see_prompt_and_candidate_as_in_generate(llama, tokenizer, sampler):
    processors = [RepetitionPenaltyLogitsProcessor(1.7)]
    request = {"temperature": 0, "max_new_tokens": 15}
    expected = sampler.sample(PROMPT, repetition_penalty=1.7, **request)[0].token_ids
    requests = [Request("a", PROMPT, (0, 1)), Request("b", PROMPT + "xyz", (0,))]
    got = list(sampler.stream(requests, SamplingParams(**request), processors=processors))
    assert [c.token_ids for c in got if c.task_id == "a"] == [expected] * 2


def test_typical_p_keeps_what_transformers_keeps():
    torch.manual_seed(0)
    logits = torch.randn(20, 200) * 3
    for share in (0.2, 0.9):
        theirs = TypicalLogitsWarper(mass=share)(None, logits)
        ours = _shaped(logits, SamplingParams(temperature=1, typical_p=share))
        assert torch.equal(ours.isneginf(), theirs.isneginf())
    choice = choose(logits, torch.rand(20, dtype=torch.float64), SamplingParams(typical_p=0.2, top_p=1))
    assert not theirs.gather(-1, choice.tokens[:, None]).isneginf().any()


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"banned_tokens": (999,)}, r"token 999: expected an id in \[0, 259\)"),
        ({"allowed_tokens": (3,), "banned_tokens": (3,)}, "leave no token"),
        ({"typical_p": 0.0}, "typical_p = 0"),
        ({"repetition_penalty": 0.0}, "repetition_penalty = 0"),
    ],
)
def test_impossible_settings_are_refused(sampler, params, message):
    with pytest.raises(ParameterError, match=message):
        sampler.sample(PROMPT, **params)


@pytest.mark.parametrize(
    ("returned", "said"),
    [
        (lambda ids, scores: None, "NoneType"),
        (lambda ids, scores: scores[0, :3], r"a tensor of shape \(3,\)"),
    ],
)
def test_a_processor_that_returns_no_logits_is_named(sampler, returned, said):
    returned.__name__ = "shout"
    request = Request("a", PROMPT, (0,))
    with pytest.raises(ParameterError, match=f"logits processor shout returned {said}; expected"):
        list(sampler.stream([request], SamplingParams(), processors=[returned]))


@pytest.mark.parametrize("params", [{"repetition_penalty": 3.0}, {"frequency_penalty": 2.0}])
def test_penalties_leave_the_reported_logprobs_to_the_model(llama, sampler, params):
    for candidate in sampler.sample(PROMPT, n=4, max_new_tokens=8, **params):
        ids = [*sampler.checkpoint.encode(PROMPT), *candidate.token_ids]
        with torch.inference_mode():
            logits = llama(torch.tensor([ids])).logits[0, -len(candidate.token_ids) - 1 : -1]
        picked = logits.log_softmax(-1).gather(-1, torch.tensor(candidate.token_ids)[:, None])[:, 0]
        assert candidate.logprobs == pytest.approx(picked.tolist(), abs=2e-4)
