"""Prompts run under a prefill policy: equal to full where nothing is left out, else as their masks say."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from codesample import Sampler
from codesample.engines.contract import Reproducibility
from codesample.errors import ParameterError
from codesample.kernels.bifurcated_decode import ScoreOptions
from codesample.policies.accounting import PrefillTally
from codesample.policies.axes import axis_choice
from codesample.policies.prefill.prefill_policy import Stretch
from codesample.policies.prefill.prefill_reads import PrefillReads
from codesample.records import Candidate, Request, SamplingParams
from codesample.sampling.attention_hook import attached
from codesample.sampling.kv_store import KVStore
from codesample.sampling.layer_masks import layer_shapes
from codesample.sampling.prefill import SegmentTokens, prefill
from codesample.sampling.prefill_attention import attend_causally, attend_in_stretches
from codesample.testing.models import byte_tokenizer, random_model

PROMPT = Path(__file__).read_text(encoding="utf-8")[:300]
N, TOKENS = 4, 16
SIZES = "segment=32, block=8, guard=0, threshold=32"
CRITI, STAR = f"prefill=criti({SIZES}, budget=16)", "prefill=star(block=60, anchor=20, tail=10, guard=0)"
FULL = (f"prefill=criti({SIZES}, budget=304)", "prefill=star(block=150, tail=1, guard=0)")
CAPPED = ScoreOptions(softcap=2.0, sinks=torch.tensor([1.0, -1, 0, 2]))
FAMILIES = ["llama", "qwen2", "gpt_neox", "gpt_bigcode", "gemma2"]


@cache
def sampler(architecture: str, **settings: Any) -> Sampler:
    return Sampler(random_model(architecture).double(), tokenizer=byte_tokenizer(), **settings)


@pytest.fixture(scope="module")
def llama() -> Sampler:
    return sampler("llama")


def drawn(engine: Sampler, prompt: str = PROMPT) -> list[Candidate]:
    return engine.sample(prompt, N, max_new_tokens=TOKENS)


def ids(candidates: list[Candidate]) -> list[tuple[int, ...]]:
    return [each.token_ids for each in candidates]


@torch.inference_mode()
def stored(engine: Sampler, policy: str, *, chunk: int | None = None) -> tuple[KVStore, Tensor]:
    """Run the prompt alone, and return its keys and values with the logits behind it."""
    model, prompt = engine.checkpoint.model, engine.checkpoint.encode(PROMPT)
    store = KVStore(
        layer_shapes(model),
        shared_tokens=len(prompt),
        rows=1,
        row_tokens=1,
        dtype=model.dtype,
        device=model.device,
    )
    chosen = axis_choice(policy, "prefill")
    reads = None if chosen is None else PrefillReads(chosen, len(store.layers), PrefillTally())
    with attached(model):
        return store, prefill(model, store, [SegmentTokens(prompt, 0)], chunk=chunk, reads=reads)


@pytest.mark.parametrize("architecture", FAMILIES)
@pytest.mark.parametrize("policy", FULL)
def test_leaving_nothing_out_draws_the_tokens_of_full_prefill(architecture: str, policy: str) -> None:
    engine = sampler(architecture)
    assert ids(drawn(engine.with_policy(policy))) == ids(drawn(engine))


@pytest.mark.parametrize("policy", FULL)
def test_leaving_nothing_out_gives_the_logits_of_full_prefill(llama: Sampler, policy: str) -> None:
    _, full = stored(llama, "exact")
    _, got = stored(llama, policy)
    assert (got - full).abs().max() < 1e-12
    _, other = stored(llama, CRITI if "criti" in policy else STAR)
    assert (other - full).abs().max() > 1e-6


@pytest.mark.parametrize("architecture", ["llama", "gpt_neox"])
@pytest.mark.parametrize("chunk", [37, 300])
def test_star_is_the_model_under_its_mask(architecture: str, chunk: int) -> None:
    engine = sampler(architecture)
    model, prompt = engine.checkpoint.model, torch.tensor([engine.checkpoint.encode(PROMPT)])
    at = torch.arange(prompt.shape[1])
    query, key = at[:, None], at[None]
    near = (query // 60 == key // 60) | (key < 20) | (query >= len(at) - 10)
    mask = torch.zeros(len(at), len(at), dtype=torch.float64)
    mask.masked_fill_(~(near & (key <= query)), float("-inf"))
    with torch.inference_mode(), attached(model, "sdpa"):
        expected = model(prompt, attention_mask=mask[None, None], use_cache=False).logits[0, -1]
    _, got = stored(engine, STAR, chunk=chunk)
    assert (got[0] - expected).abs().max() < 1e-12


def test_criti_runs_first_tokens_and_first_layers_in_full(llama: Sampler) -> None:
    full, _ = stored(llama, "exact")
    got, _ = stored(llama, CRITI, chunk=64)
    for layer, (expected, found) in enumerate(zip(full.layers, got.layers, strict=True)):
        # the first layer's keys are of the embeddings, the second's of what the first, in full, attends to
        whole = 300 if layer < 2 else 32
        assert torch.allclose(found.k_shared[:, :whole], expected.k_shared[:, :whole], atol=1e-12, rtol=0)
    assert not torch.allclose(got.layers[2].k_shared[:, 64:], full.layers[2].k_shared[:, 64:], atol=1e-6)


def test_criti_does_not_depend_on_how_a_prompt_is_cut_into_passes(llama: Sampler) -> None:
    _, expected = stored(llama, CRITI)
    for chunk in (32, 50, 64, 100):
        _, got = stored(llama, CRITI, chunk=chunk)
        assert (got - expected).abs().max() < 1e-12
    # passes shorter than a segment choose for less
    _, other = stored(llama, CRITI, chunk=20)
    assert other.isfinite().all()


@pytest.mark.parametrize(
    "scores", [ScoreOptions(), ScoreOptions(softcap=2.0, sinks=torch.tensor([1.0, -1, 0, 2]))]
)
def test_stretches_attend_to_what_they_name(scores: ScoreOptions) -> None:
    torch.manual_seed(0)
    q, k, v = (torch.randn(heads, n, 8, dtype=torch.float64) for heads, n in ((4, 20), (2, 50), (2, 50)))
    earlier = torch.stack([torch.tensor([0, 7, 9]), torch.tensor([1, 2, 31])])
    parts = [Stretch(30, 41), Stretch(41, 50, 37, earlier)]
    got = attend_in_stretches(q, k, v, scores, parts)
    assert torch.equal(got[:11], attend_causally(q[:, :11], k[:, :41], v[:, :41], scores))
    for head in range(4):
        for at in range(41, 50):
            kept = [*earlier[head // 2].tolist(), *range(37, at + 1)]
            one = scores._replace(sinks=None if scores.sinks is None else scores.sinks[head : head + 1])
            expected = attend_causally(
                q[head : head + 1, at - 30 : at - 29], k[head // 2, kept][None], v[head // 2, kept][None], one
            )
            assert (got[at - 30, head] - expected[0, 0]).abs().max() < 1e-12


@pytest.mark.parametrize("policy", [CRITI, STAR])
def test_what_is_left_out_is_counted_measured_and_recorded(llama: Sampler, policy: str) -> None:
    chosen = llama.with_policy(policy[:-1] + ", audit=1)")
    assert ids(drawn(chosen)) != ids(drawn(llama))
    account = chosen.policy_account
    assert account is not None
    assert account.prefill is not None
    assert account.prefill.tokens == len(llama.checkpoint.encode(PROMPT))
    assert 0 < account.prefill.share < 0.9
    assert account.prefill.audit is not None
    assert 0 < account.prefill.audit.overall < 1
    assert account.as_json()["prefill"]["audit"]["missed"] > 0
    assert chosen.describe()["policy"].startswith(f"exact, {policy.partition('(')[0]}(")
    assert "audit" not in chosen.describe()["policy"]
    assert chosen.reproducibility is Reproducibility.SEEDED
    # decode steps read everything
    assert account.steps == 0


@pytest.mark.parametrize("policy", [CRITI, STAR])
def test_prompts_are_not_taken_for_those_of_another_prefill(policy: str) -> None:
    fresh = ids(drawn(sampler("llama").with_policy(policy)))
    mixed = sampler("llama", prefix_cache=10**9)
    exact = ids(drawn(mixed))
    assert ids(drawn(mixed.with_policy(policy))) == fresh != exact
    assert ids(drawn(mixed.with_policy(policy))) == fresh
    assert ids(drawn(mixed)) == exact
    assert ids(drawn(mixed.with_policy(policy).with_policy("exact"))) == exact


@pytest.mark.parametrize("policy", [CRITI, STAR])
def test_below_the_guard_everything_is_as_ever(llama: Sampler, policy: str) -> None:
    chosen = llama.with_policy(policy.replace("guard=0", "guard=500"))
    assert [each.logprobs for each in drawn(chosen)] == [each.logprobs for each in drawn(llama)]
    assert chosen.policy_account is not None
    assert chosen.policy_account.prefill is not None
    assert chosen.policy_account.prefill.pairs == 0


def test_layers_with_windows_keep_their_own_mask() -> None:
    windowed = sampler("mistral")
    for policy in (CRITI, STAR):
        assert ids(drawn(windowed.with_policy(policy))) == ids(drawn(windowed))
    capped = sampler("gemma2").with_policy(CRITI)
    drawn(capped)
    assert capped.policy_account is not None
    assert capped.policy_account.prefill is not None
    assert 0 < capped.policy_account.prefill.share < 1


def test_prefix_and_prefill_are_chosen_apart_from_one_another(llama: Sampler) -> None:
    both = llama.with_policy(f"quest(keep=0.3, guard=0, page=8), {CRITI}")
    assert ids(drawn(both)) == ids(drawn(both))
    account = both.policy_account
    assert account is not None
    assert account.prefill is not None
    assert account.share < 1 > account.prefill.share
    everything = llama.with_policy(f"quest(keep=1, guard=0), {FULL[0]}")
    assert ids(drawn(everything)) == ids(drawn(llama))


def test_several_prompts_with_a_common_start_are_run_behind_it(llama: Sampler) -> None:
    prompts = [PROMPT[:200] + PROMPT[k : k + 90] for k in (200, 130, 20)]
    requests = [Request(f"p{i}", prompt, tuple(range(2))) for i, prompt in enumerate(prompts)]
    params = SamplingParams(max_new_tokens=TOKENS)

    def streamed(engine: Sampler) -> dict[tuple[str, int], tuple[int, ...]]:
        return {(each.task_id, each.index): each.token_ids for each in engine.stream(requests, params)}

    exact = streamed(llama)
    for policy, full in zip((CRITI, STAR), FULL, strict=True):
        assert streamed(llama.with_policy(full)) == exact
        assert streamed(llama.with_policy(policy)) == streamed(llama.with_policy(policy)) != exact


def test_a_model_whose_prompts_are_not_shared_is_refused_by_name() -> None:
    with pytest.raises(ParameterError, match=r"prefill=criti.* is for keys that candidates share"):
        sampler("bloom").with_policy("prefill=criti")
