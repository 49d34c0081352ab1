"""Prompts longer than a model's positions: run in strides, a cascade of their tokens stored and shared."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import DynamicCache

from codesample import Sampler
from codesample.engines.contract import Reproducibility
from codesample.errors import ParameterError
from codesample.kernels.bifurcated_decode import ScoreOptions
from codesample.policies.axes import axis_choice
from codesample.policies.prefill.frozen_prompt import FrozenPrompt
from codesample.records import Candidate, Request, SamplingParams
from codesample.sampling import frozen_prefill as frozen_module
from codesample.sampling.attention_hook import attached
from codesample.sampling.frozen_prefill import attend_and_score, frozen_prefill
from codesample.sampling.kv_store import KVStore
from codesample.sampling.prefill import SegmentTokens, prefill, run_pass
from codesample.sampling.prefill_attention import attend_causally
from codesample.testing.models import byte_tokenizer, random_model

TEXT = Path(__file__).read_text(encoding="utf-8")
# the models know 512 positions
LONG, SHORT = TEXT[:900], TEXT[:90]
POLICY = "prefill=cascade(capacity=96, levels=3, first=8, decay=0.9, stride=40)"


@cache
def sampler(architecture: str = "llama", **settings: Any) -> Sampler:
    return Sampler(random_model(architecture).double(), tokenizer=byte_tokenizer(), **settings)


def drawn(engine: Sampler, *prompts: str, n: int = 3) -> dict[str, list[Candidate]]:
    requests = [Request(prompt[:9] + str(len(prompt)), prompt, tuple(range(n))) for prompt in prompts]
    found: dict[str, list[Candidate]] = {}
    for each in engine.stream(requests, SamplingParams(max_new_tokens=12)):
        found.setdefault(each.task_id, []).append(each)
    return {name: sorted(rows, key=lambda row: row.index) for name, rows in found.items()}


def alike(one: dict[str, list[Candidate]], other: dict[str, list[Candidate]]) -> bool:
    return all(
        [row.token_ids for row in one[name]] == [row.token_ids for row in other[name]] for name in other
    )


def plain_store(engine: Sampler, tokens: int) -> KVStore:
    return KVStore(
        engine.checkpoint.kv_shapes,
        shared_tokens=tokens,
        rows=1,
        row_tokens=1,
        dtype=torch.float64,
        device=torch.device("cpu"),
    )


def frozen(
    engine: Sampler, text: str, settings: FrozenPrompt, at: int = 0
) -> tuple[KVStore, torch.Tensor, list[int]]:
    """Run a text into a store of its own, whatever its length; return the logits and the tokens, too."""
    checkpoint = engine.with_policy(f"prefill={settings.spelt}").checkpoint
    model, ids = checkpoint.model, list(checkpoint.encode(text))
    assert checkpoint.shift is not None
    store = KVStore(
        checkpoint.kv_shapes,
        shared_tokens=at + settings.held(len(ids)),
        rows=1,
        row_tokens=1,
        dtype=model.dtype,
        device=model.device,
        frozen=settings,
    )
    with attached(model):
        logits = frozen_prefill(model, store, SegmentTokens(ids, at), settings, checkpoint.shift)
    return store, logits, ids


@pytest.mark.parametrize(
    ("architecture", "stride"),
    [
        ("llama", 1),
        ("llama", 17),
        ("llama", 300),
        ("qwen2", 40),
        ("qwen3", 40),
        ("gpt_neox", 40),
        ("phi3", 300),
    ],
)
def test_keeping_all_is_full_prefill(architecture: str, stride: int) -> None:
    engine = sampler(architecture)
    text = TEXT[:60] if stride == 1 else TEXT[:200]
    settings = FrozenPrompt(capacity=100, levels=2, first=100, stride=stride)
    store, logits, ids = frozen(engine, text, settings, at=5)
    full = plain_store(engine, len(ids))
    with attached(engine.checkpoint.model), torch.inference_mode():
        expected = prefill(engine.checkpoint.model, full, [SegmentTokens(ids, 0)])
    assert (logits - expected).abs().max() < 1e-6 * expected.abs().max()
    for got, wanted in zip(store.layers, full.layers, strict=True):
        assert (got.k_shared[:, 5:] - wanted.k_shared).abs().max() < 1e-5
        assert (got.v_shared[:, 5:] - wanted.v_shared).abs().max() < 1e-5


def test_prompts_that_fit_are_those_of_full_prefill_to_the_token() -> None:
    engine = sampler()
    policy = engine.with_policy("prefill=cascade(capacity=200, levels=2, first=8, stride=64)")
    assert alike(drawn(policy, SHORT, TEXT[:150]), drawn(engine, SHORT, TEXT[:150]))


def test_prompts_past_the_positions_are_drawn_from_as_one_alone_and_never_reach_past_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    engine = sampler()
    with pytest.raises(ParameterError, match="takes 512 in all"):
        engine.sample(LONG, 2, max_new_tokens=4)
    policy = engine.with_policy(POLICY)
    assert policy.reproducibility is Reproducibility.SEEDED
    positions: list[int] = []

    def looked(model: Any, ids: Any, at: Any, *rest: Any) -> torch.Tensor:
        positions.extend(at)
        return run_pass(model, ids, at, *rest)

    monkeypatch.setattr(frozen_module, "run_pass", looked)
    together = drawn(policy, LONG, SHORT, TEXT[40:700])
    assert max(positions) == 103 + 40
    assert [len(rows) for rows in together.values()] == [3, 3, 3]
    for text in (LONG, SHORT, TEXT[40:700]):
        assert alike(together, drawn(policy, text))
    # what comes long before the end matters too
    (changed,) = drawn(policy, "abc" + LONG[3:]).values()
    assert [row.logprobs for row in changed] != [row.logprobs for row in together[LONG[:9] + "900"]]


def test_memory_does_not_grow_with_the_prompt() -> None:
    policy = sampler().with_policy(POLICY)
    from codesample.sampling.prompts import prompts_of

    sizes = []
    for length in (150, 500, 2500):
        prompts = prompts_of(
            policy.checkpoint, [Request("t", TEXT[:length], (0, 1))], SamplingParams(max_new_tokens=5)
        )
        sizes.append(policy._loop_for(prompts)._store.pool.capacity)
    assert sizes == [104] * 3


@pytest.mark.parametrize("stride", [7, 40])
def test_the_first_layer_holds_what_it_holds_of_those_tokens_at_their_ranks(stride: int) -> None:
    engine = sampler("gpt_neox")
    settings = FrozenPrompt(capacity=24, levels=3, first=4, decay=0.9, stride=stride)
    store, _, ids = frozen(engine, TEXT[:300], settings)
    model, kept = engine.checkpoint.model, settings.kept
    values = store.layers[0].v_shared
    # a token's value in the first layer says which one it is
    full = plain_store(engine, 300)
    with attached(model), torch.inference_mode():
        prefill(model, full, [SegmentTokens(ids, 0)])
        apart, at = torch.cdist(values[0], full.layers[0].v_shared[0]).min(dim=1)
        assert apart.max() < 1e-6
        found = [ids[i] for i in at.tolist()]
        again = plain_store(engine, kept)
        prefill(model, again, [SegmentTokens(found, 0)])
    assert found[:4] == ids[:4]
    # ring 0 has the last eight, whatever the others took
    assert found[-8:] == ids[-8:]
    assert (store.layers[0].k_shared - again.layers[0].k_shared).abs().max() < 1e-5


@pytest.mark.parametrize("architecture", ["llama", "phi3"])
def test_decoding_behind_it_is_transformers_own_over_the_same_keys(architecture: str) -> None:
    engine = sampler(architecture)
    settings = axis_choice(POLICY, "prefill")
    store, logits, _ = frozen(engine, LONG, settings)
    model, kept = engine.checkpoint.model, settings.kept
    cache = DynamicCache()
    for number, layer in enumerate(store.layers):
        cache.update(layer.k_shared[None].clone(), layer.v_shared[None].clone(), number)
    drew = engine.with_policy(POLICY).sample(LONG, 1, max_new_tokens=6, temperature=0.0)[0].token_ids
    expected = []
    with torch.inference_mode():
        for step in range(6):
            expected.append(int(logits[0].argmax()))
            at = torch.tensor([[kept + step]])
            logits = model(
                input_ids=torch.tensor([[expected[-1]]]), past_key_values=cache, position_ids=at
            ).logits[:, -1]
    assert list(drew) == expected


def test_own_tokens_leave_what_is_frozen_bit_for_bit() -> None:
    policy = sampler().with_policy(POLICY + ", decode_cache=cascade(capacity=4, levels=2, first=1)")
    from codesample.sampling.prompts import prompts_of
    from codesample.sampling.token_sampler import TokenSampler
    from codesample.sampling.work import Work

    params = SamplingParams(max_new_tokens=12)
    prompts = prompts_of(policy.checkpoint, [Request("t", LONG, (0, 1, 2))], params)
    loop = policy._loop_for(prompts)
    work = Work(TokenSampler(policy.checkpoint, params, chat=False))
    stream = loop.run(work, prompts)
    loop.add(work, prompts)
    before: list[torch.Tensor] = []
    while loop._groups.unfinished:
        loop.advance(lambda: True)
        before = before or [layer.k_shared.clone() for layer in loop._store.layers]
    stream.close()
    assert all(
        torch.equal(old, layer.k_shared) for old, layer in zip(before, loop._store.layers, strict=True)
    )
    assert len(work.done) == 3


@pytest.mark.parametrize("sinks", [None, torch.tensor([1.0, -1, 0, 2], dtype=torch.float64)])
@pytest.mark.parametrize("softcap", [None, 1.5])
def test_attention_is_causal_and_what_tokens_get_decays(
    softcap: float | None, sinks: torch.Tensor | None
) -> None:
    torch.manual_seed(0)
    q, k, v = (torch.randn(heads, n, 8).double() for heads, n in ((4, 150), (2, 170), (2, 170)))
    scores = ScoreOptions(softcap=softcap, sinks=sinks)
    out, seen = attend_and_score(q, k, v, scores, 0.9)
    assert (out - attend_causally(q, k, v, scores)).abs().max() < 1e-12
    logits = torch.einsum("hsd,hnd->hsn", q, k.repeat_interleave(2, 0)) * 8**-0.5
    if softcap is not None:
        logits = softcap * (logits / softcap).tanh()
    logits = logits.masked_fill(torch.ones(150, 170).triu(21).bool(), float("-inf"))
    if sinks is not None:
        logits = torch.cat([logits, sinks[:, None, None].expand(-1, 150, 1)], dim=2)
    most = logits.softmax(dim=2)[..., :170].amax(dim=0)
    expected = torch.zeros(170).double()
    for row in most:
        expected = 0.9 * expected + 0.1 * row
    assert (seen - expected).abs().max() < 1e-12


@pytest.mark.parametrize(
    ("architecture", "policy", "said"),
    [
        ("gpt2", POLICY, "no rotary positions"),
        ("mistral", POLICY, "layer 0 of .* has a window of 24 tokens"),
        ("llama", "prefill=cascade(capacity=500, levels=2, stride=8)", "564 tokens that are kept .* the 512"),
        ("llama", POLICY + ", storage=int8", "leave it or storage = 'int8' out"),
        ("llama", "quest, " + POLICY, "leave it or prefix = 'quest' out"),
        ("llama", "prefill=cascade(capacity=7)", "expected a multiple of levels"),
        ("llama", "prefill=cascade(stride=0)", "stride = 0: expected at least 1"),
    ],
)
def test_what_it_cannot_be_is_refused_by_name(architecture: str, policy: str, said: str) -> None:
    with pytest.raises(ParameterError, match=said):
        sampler(architecture).with_policy(policy)


def test_another_policy_of_the_same_sampler_is_as_ever() -> None:
    engine = sampler()
    back = engine.with_policy(POLICY).with_policy("exact")
    assert back.checkpoint == replace(engine.checkpoint)
    with pytest.raises(ParameterError, match="takes 512 in all"):
        back.sample(LONG, 1, max_new_tokens=4)
    assert "prefill=cascade(capacity=96" in engine.with_policy(POLICY).describe()["policy"]
