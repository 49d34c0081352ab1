"""Sampling under a policy: equal to exact where all is read, reproducible, recorded, and refused by name."""

from __future__ import annotations

import math
import pickle
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch

from codesample import Sampler
from codesample.engines.contract import Reproducibility
from codesample.errors import ParameterError, UnknownNameError
from codesample.records import Candidate, Policy, Request, SamplingParams
from codesample.sampling import decode_loop
from codesample.sampling.policy_choice import PolicyChoice
from codesample.testing.models import byte_tokenizer, random_model

PROMPT = Path(__file__).read_text(encoding="utf-8")[:300]
N, TOKENS = 6, 24
SPARSE = (
    "quest(keep=0.3, guard=0, page=8)",
    "squeezed(keep=0.3, guard=0, recent=20)",
    "squeezed(keep=0.3, guard=0, recent=20, tail=estimate)",
    "token-select(keep=0.3, guard=0, first=8, last=16)",
)
ALL = ("exact", "quest(keep=1, guard=0)", "squeezed(keep=1, guard=0)", "token-select(keep=1, guard=0)")


@cache
def sampler(architecture: str, **settings: Any) -> Sampler:
    return Sampler(random_model(architecture).double(), tokenizer=byte_tokenizer(), **settings)


@pytest.fixture(scope="module")
def llama() -> Sampler:
    return sampler("llama")


def drawn(engine: Sampler, prompt: str = PROMPT, **changes: Any) -> list[Candidate]:
    return engine.sample(prompt, N, max_new_tokens=TOKENS, **changes)


def ids(candidates: list[Candidate]) -> list[tuple[int, ...]]:
    return [each.token_ids for each in candidates]


@pytest.mark.parametrize("architecture", ["llama", "gemma2"])
@pytest.mark.parametrize("schedule", ["stream-k(workers=5)", "fixed(keys=64)"])
def test_a_schedule_draws_the_tokens_of_any_other_and_is_recorded(architecture: str, schedule: str) -> None:
    engine = sampler(architecture)
    chosen = engine.with_policy(f"schedule={schedule}")
    assert ids(drawn(chosen)) == ids(drawn(engine))
    assert chosen.describe()["policy"] == f"exact, schedule={schedule}"
    assert chosen.reproducibility is Reproducibility.EXACT
    assert chosen.policy_account is None


@pytest.mark.parametrize("architecture", ["llama", "gemma2"])
def test_fixed_splits_draw_a_candidate_to_the_bit_alone_and_beside_any_others(
    architecture: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decode_loop, "CHUNK", 400)
    engine = Sampler(random_model(architecture), tokenizer=byte_tokenizer(), step="float32")
    fixed = engine.with_policy("schedule=fixed(keys=64)")
    params = SamplingParams(max_new_tokens=TOKENS)
    (alone,) = fixed.sample(PROMPT, 1, params=params, task_id="it")
    for n in (3, 17):
        assert fixed.sample(PROMPT, n, params=params, task_id="it")[0] == alone
    # one begins as it does, one fills most of a pass, which would cut what follows in two
    others = [Request("start", PROMPT[:200] + "xyz", (0, 1)), Request("long", PROMPT[::-1], (0, 1, 2))]
    beside = fixed.stream([*others, Request("it", PROMPT, (0,))], params)
    assert [each for each in beside if each.task_id == "it"] == [alone]


@pytest.mark.parametrize("architecture", ["llama", "qwen2", "gpt_neox", "gpt_bigcode", "gemma2"])
@pytest.mark.parametrize("policy", ALL)
def test_reading_all_draws_the_tokens_of_exact_sampling(architecture: str, policy: str) -> None:
    engine = sampler(architecture)
    chosen = engine.with_policy(policy)
    assert ids(drawn(chosen)) == ids(drawn(engine))
    account = chosen.policy_account
    if policy == "exact":
        assert account is None
    else:
        assert account is not None
        assert account.steps > 0
        assert account.tokens_kept == account.tokens


@pytest.mark.parametrize("architecture", ["llama", "qwen2", "gpt_neox"])
def test_choosing_every_token_by_name_draws_the_tokens_of_exact_sampling(
    architecture: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from codesample.policies.contract import Choice
    from codesample.policies.quest import Quest

    def everything(self, ask, state):
        return Choice(torch.arange(ask.keys.shape[1]).expand(len(ask.keys), -1), 0)

    monkeypatch.setattr(Quest, "select", everything)
    engine = sampler(architecture)
    chosen = engine.with_policy("quest(guard=0, audit=1)")
    assert ids(drawn(chosen)) == ids(drawn(engine))
    account = chosen.policy_account
    assert account is not None
    # the choice was read from its own buffer
    assert account.gathered_bytes > 0
    assert account.read_bytes == account.exact_bytes
    assert account.audit is not None
    assert account.audit.overall == 0


@pytest.mark.parametrize("policy", SPARSE)
def test_leaving_keys_out_reads_fewer_bytes_and_says_what_it_missed(llama: Sampler, policy: str) -> None:
    chosen = llama.with_policy(policy.replace(")", ", audit=1)"))
    assert ids(drawn(chosen)) != ids(drawn(llama))
    account = chosen.policy_account
    assert account is not None
    assert account.prefixes == 1
    assert account.read_bytes < 0.8 * account.exact_bytes
    assert account.tokens_kept < account.tokens
    assert account.audit is not None
    assert 0 < account.audit.overall < 1
    assert (len(account.audit.mean), len(account.audit.mean[0])) == (3, 4)


@pytest.mark.parametrize("policy", [*SPARSE, "quest(keep=0.3, guard=0, page=8, pool=false)"])
def test_the_same_call_repeats_whatever_was_cached_before(llama: Sampler, policy: str) -> None:
    again = sampler("llama", prefix_cache=10**9).with_policy(policy)
    known = again.cache_info.hits
    first = ids(drawn(again, prompt=policy + PROMPT))
    # the prompt is known by now
    assert ids(drawn(again, prompt=policy + PROMPT)) == first
    assert again.cache_info.hits > known
    assert ids(drawn(llama.with_policy(policy), prompt=policy + PROMPT)) == first


def test_prompts_below_the_guard_are_drawn_as_ever(llama: Sampler) -> None:
    for text in ("quest", "squeezed(guard=301)", "token-select"):
        chosen = llama.with_policy(text)
        assert [each.logprobs for each in drawn(chosen)] == [each.logprobs for each in drawn(llama)]
        assert chosen.policy_account is not None
        assert chosen.policy_account.steps == 0
    assert ids(drawn(llama.with_policy("quest(guard=300, keep=0.3)"))) != ids(drawn(llama))


def test_layers_with_windows_are_left_alone_and_caps_and_sinks_are_theirs() -> None:
    windowed = sampler("mistral")
    assert ids(drawn(windowed.with_policy(SPARSE[0]))) == ids(drawn(windowed))
    # every other layer has a window, and all a cap
    capped = sampler("gemma2").with_policy(SPARSE[0].replace(")", ", audit=1)"))
    drawn(capped)
    account = capped.policy_account
    assert account is not None
    assert account.audit is not None
    read_whole = [all(map(math.isnan, layer)) for layer in account.audit.mean]
    assert True in read_whole
    assert False in read_whole


def test_a_model_whose_prompts_are_not_shared_is_refused_by_name() -> None:
    engine = sampler("bloom")
    with pytest.raises(ParameterError, match=r"'quest' is for keys .* one cache per candidate: .*leave the"):
        engine.with_policy("quest")
    assert engine.with_policy("exact").policy_account is None


def test_a_model_that_is_divided_among_processes_is_refused_by_name(
    llama: Sampler, monkeypatch: pytest.MonkeyPatch
) -> None:
    from codesample.sampling import policy_choice

    monkeypatch.setattr(policy_choice, "ranks_of", lambda model: object())
    with pytest.raises(
        ParameterError, match=r"policy = 'quest\(keep=0.3\)': is for models that one process has"
    ):
        llama.with_policy("quest(keep=0.3)")
    assert llama.with_policy("exact").policy_account is None


def test_an_implementation_that_cannot_leave_keys_out_refuses_by_name() -> None:
    from codesample.kernels.bifurcated_decode import usable_impls

    assert "torch" in usable_impls()
    reference = sampler("llama", impl="reference")
    chosen = reference.with_policy(SPARSE[0])
    assert ids(drawn(chosen)) == ids(drawn(sampler("llama").with_policy(SPARSE[0])))


@pytest.mark.parametrize(
    ("text", "error"),
    [("qest", UnknownNameError), ("quest(keep=7)", ParameterError), ("quest(", ParameterError)],
)
def test_what_is_no_policy_is_refused_before_anything_is_drawn(
    llama: Sampler, text: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        llama.with_policy(text)


def test_several_prompts_with_a_common_start_each_have_their_own_choices(llama: Sampler) -> None:
    chosen = llama.with_policy("quest(keep=0.3, guard=100, page=8)")
    prompts = [PROMPT[:200] + PROMPT[k : k + 90] for k in (200, 330, 20)]
    requests = [Request(f"p{i}", prompt, tuple(range(4))) for i, prompt in enumerate(prompts)]
    params = SamplingParams(max_new_tokens=TOKENS)
    first = {(each.task_id, each.index): each.token_ids for each in chosen.stream(requests, params)}
    again = {(each.task_id, each.index): each.token_ids for each in chosen.stream(requests, params)}
    assert first == again
    assert len(first) == 12
    account = chosen.policy_account
    assert account is not None
    # the common start is one stored run, and of bodies only those of 100 tokens are chosen from
    assert account.prefixes == 2


def test_rows_that_wait_for_a_place_are_drawn_too() -> None:
    narrow = sampler("llama", max_rows=2).with_policy(SPARSE[0])
    assert len(drawn(narrow)) == N
    assert narrow.policy_account is not None
    assert narrow.policy_account.prefixes == 1


def test_what_is_read_is_recorded(llama: Sampler) -> None:
    chosen = llama.with_policy("quest(keep=0.3)")
    assert "policy" not in llama.describe()
    assert chosen.describe()["policy"].startswith("quest(first=1, guard=4096, keep=0.3")
    assert llama.reproducibility is Reproducibility.EXACT
    assert chosen.reproducibility is Reproducibility.SEEDED
    assert repr(chosen) == repr(llama)[:-1] + ", quest(keep=0.3))"
    assert chosen.with_policy("exact").reproducibility is Reproducibility.EXACT


def test_a_sampler_with_a_policy_goes_to_another_process_with_it() -> None:
    chosen = Sampler("tiny").with_policy("quest(keep=0.3, guard=2)")
    again = pickle.loads(pickle.dumps(chosen))
    assert again.describe()["policy"] == chosen.describe()["policy"]


def test_an_account_is_of_one_sampler_and_in_plain_data(llama: Sampler) -> None:
    one, other = (llama.with_policy(SPARSE[0].replace(")", ", audit=4)")) for _ in range(2))
    drawn(one)
    assert one.policy_account is not None
    assert other.policy_account is not None
    assert one.policy_account.steps > other.policy_account.steps == 0
    content = one.policy_account.as_json()
    assert content["share"] == round(one.policy_account.share, 4)
    assert content["audit"].keys() == {"queries", "missed", "worst", "worst_layer", "worst_head"}
    assert re.fullmatch(r"Account\(.*\)", repr(one.policy_account))


def test_exact_prepares_nothing() -> None:
    assert PolicyChoice().is_exact
    assert PolicyChoice("exact").reads([]) is None
    assert PolicyChoice(Policy()).account is None
