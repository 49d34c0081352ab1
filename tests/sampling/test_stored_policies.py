"""Prompts in 8 bits, own tokens in a cascade, patterns and scores of a checkpoint: whole samplers."""

from __future__ import annotations

import asyncio
import tomllib
import weakref
from functools import cache
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers.models.llama import modeling_llama

from codesample import Sampler, plugins
from codesample.errors import ModelError, ParameterError
from codesample.kernels.bifurcated_decode import PackedStore
from codesample.policies.sparsek import Sparsek
from codesample.records import Candidate, Request, SamplingParams
from codesample.sampling import sampler as sampler_module
from codesample.sampling.kv_store import KVStore
from codesample.serving.async_sampler import AsyncSampler
from codesample.testing.models import byte_tokenizer, random_model

PROJECT = tomllib.loads((Path(__file__).resolve().parents[2] / "pyproject.toml").read_text(encoding="utf-8"))
PROMPT = Path(__file__).read_text(encoding="utf-8")[:300]
N, TOKENS = 4, 24
PACKED = ("storage=int8(guard=0)", "storage=fp8(guard=0)")


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Install the policies that the project file names."""
    group = "codesample.policies"
    entries = [EntryPoint(*each, group) for each in PROJECT["project"]["entry-points"][group].items()]
    monkeypatch.setattr(plugins, "entry_points", lambda group: entries)


@cache
def sampler(architecture: str, **settings: Any) -> Sampler:
    return Sampler(random_model(architecture).double(), tokenizer=byte_tokenizer(), **settings)


@pytest.fixture
def stores(monkeypatch: pytest.MonkeyPatch) -> list[KVStore]:
    """List the stores that are made."""
    made: list[KVStore] = []
    make = sampler_module.store_for

    def kept(*given: Any, **named: Any) -> KVStore:
        made.append(make(*given, **named))
        return made[-1]

    monkeypatch.setattr(sampler_module, "store_for", kept)
    return made


def drawn(engine: Sampler, prompt: str = PROMPT, n: int = N, **changes: Any) -> list[Candidate]:
    return engine.sample(prompt, n, **{"max_new_tokens": TOKENS} | changes)


def ids(candidates: list[Candidate]) -> list[tuple[int, ...]]:
    return [each.token_ids for each in candidates]


@pytest.mark.parametrize(
    "policy", ["storage=full", "decode_cache=full", "storage=int8", "storage=fp8(guard=301)"]
)
def test_what_changes_nothing_draws_the_tokens_of_exact_sampling(policy: str, stores: list[KVStore]) -> None:
    engine = sampler("llama")
    chosen = engine.with_policy(policy)
    assert ids(drawn(chosen)) == ids(drawn(engine))
    assert stores[0].packed is None
    if chosen.policy_account is not None:
        assert chosen.policy_account.steps == 0
        assert chosen.policy_account.storage is not None
        assert chosen.policy_account.storage.runs == 0


@pytest.mark.parametrize("policy", PACKED)
@pytest.mark.parametrize(
    "architecture", ["llama", "gemma2", pytest.param("gpt_bigcode", marks=pytest.mark.slow)]
)
def test_prompts_in_8_bits_take_less_and_are_counted(
    policy: str, architecture: str, stores: list[KVStore]
) -> None:
    engine = sampler(architecture)
    chosen = engine.with_policy(policy.replace(")", ", audit=true)"))
    assert len(drawn(chosen)) == N
    drawn(engine)
    packed, plain = stores
    held = [x for layer in packed.layers if layer.packed for x in layer.packed]
    whole = [x for layer in plain.layers for x in layer[:2]]
    assert sum(x.nbytes for layer in packed.layers for x in layer[:2]) == 0
    # of float64 an eighth and scales, the last group filled up
    assert sum(x.nbytes for x in held) < 0.26 * sum(x.nbytes for x in whole)
    account = chosen.policy_account
    assert account is not None
    storage = account.storage
    assert storage is not None
    assert storage.runs == 1
    assert storage.exact_bytes == sum(x.nbytes for x in whole)
    assert storage.bytes == sum(layer.held_bytes(300) for layer in packed.layers)
    assert storage.queries == 16 * 3 * 4
    assert 0 < storage.output_error < (0.05 if "int8" in policy else 0.2)
    assert storage.output_error < storage.worst_error
    if architecture != "gemma2":
        # a read of every step, as many bytes as are held
        assert account.read_bytes / account.exact_bytes == pytest.approx(
            storage.bytes / storage.exact_bytes, rel=1e-3
        )
        assert account.share == account.read_bytes / account.exact_bytes
    assert account.as_json()["storage"]["runs"] == 1
    assert "moved" not in repr(account)


@pytest.mark.parametrize("policy", PACKED)
def test_the_first_pass_over_a_prompt_reads_it_as_it_is(policy: str) -> None:
    engine = sampler("llama")
    first = [each.logprobs[0] for each in drawn(engine)]
    assert [each.logprobs[0] for each in drawn(engine.with_policy(policy))] == first


def test_calls_repeat_whatever_was_asked_before_and_headers_are_stored_once(stores: list[KVStore]) -> None:
    chosen = sampler("llama").with_policy(PACKED[0])
    requests = [Request(f"p{i}", PROMPT[:200] + PROMPT[k : k + 60], (0, 1)) for i, k in enumerate((200, 240))]
    params = SamplingParams(max_new_tokens=TOKENS)
    first = {(each.task_id, each.index): each.token_ids for each in chosen.stream(requests, params)}
    drawn(chosen)
    again = {(each.task_id, each.index): each.token_ids for each in chosen.stream(requests, params)}
    assert first == again
    assert chosen.policy_account is not None
    assert chosen.policy_account.storage is not None
    # a header and two bodies, twice, and one prompt
    assert chosen.policy_account.storage.runs == 7
    # ranges begin with groups of their own
    assert stores[0].pool.capacity % 64 == 0


def test_storage_and_prefix_policies_go_together() -> None:
    chosen = sampler("llama").with_policy("quest(keep=0.3, guard=0, page=8, audit=1), storage=int8(guard=0)")
    assert "storage=int8(guard=0)" in chosen.describe()["policy"]
    drawn(chosen)
    account = chosen.policy_account
    assert account is not None
    assert account.audit is not None
    assert account.tokens_kept < 0.5 * account.tokens
    assert account.storage is not None
    assert account.storage.bytes < account.storage.exact_bytes


@pytest.mark.parametrize(
    ("policy", "most_layers"),
    [
        ("exact", 0),
        ("quest(keep=0.3, guard=0, page=8)", 2),
        ("squeezed(keep=0.3, guard=0, recent=20, tail=estimate)", 2),
        ("pattern(ablation=true, block_size=8, local_blocks=2, vert_stride=4)", 2),
        ("token-select(keep=0.3, guard=0, first=4, last=8)", 2),
    ],
)
def test_a_prompt_in_8_bits_is_unpacked_layer_by_layer_and_no_more_than_is_counted(
    policy: str, most_layers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    unpacked: list[weakref.ref[torch.Tensor]] = []
    alive: list[int] = []
    share = PackedStore.shared

    def shared(self: PackedStore, start: int, length: int) -> tuple[torch.Tensor, torch.Tensor]:
        found = share(self, start, length)
        unpacked.append(weakref.ref(found[0]))
        alive.append(sum(each() is not None for each in unpacked))
        return found

    monkeypatch.setattr(PackedStore, "shared", shared)
    chosen = sampler("llama").with_policy(policy + ", storage=int8(guard=0)")
    drawn(chosen)
    account = chosen.policy_account
    assert account is not None
    assert account.storage is not None
    assert max(alive, default=0) <= most_layers
    layers, held = len(chosen.checkpoint.kv_shapes), account.storage.bytes
    if policy.startswith("token-select"):
        # nothing is prepared, and votes are taken of all keys
        assert len(alive) == account.refreshes
        assert account.scored_bytes > account.refreshes * held / layers
    else:
        assert len(alive) == (0 if policy == "exact" else layers)
        assert account.scored_bytes < account.refreshes * held / layers or not account.refreshes


def test_a_call_holds_prompts_by_its_own_length_also_where_others_run(stores: list[KVStore]) -> None:
    plain = sampler("llama")
    engine = plain.with_policy("storage=fp8(guard=200)")
    prompts = [PROMPT[:60], PROMPT, PROMPT[100:170]]

    async def main() -> list[list[Candidate]]:
        async with AsyncSampler(engine) as served:
            calls = (served.sample(each, 2, max_new_tokens=TOKENS) for each in prompts)
            return await asyncio.gather(*calls)

    found = [ids(each) for each in asyncio.run(main())]
    assert sum(store.packed is not None for store in stores) == 1
    assert found == [ids(drawn(engine, each, 2)) for each in prompts]
    assert [found[0], found[2]] == [ids(drawn(plain, each, 2)) for each in (prompts[0], prompts[2])]


CASCADE = "decode_cache=cascade(capacity=8, levels=2, first=2)"


def test_own_tokens_that_fit_are_all_read(stores: list[KVStore]) -> None:
    engine = sampler("llama")
    chosen = engine.with_policy("decode_cache=cascade(capacity=20, levels=2, first=4)")
    assert ids(drawn(chosen)) == ids(drawn(engine))
    assert (
        chosen.describe()["policy"]
        == "exact, decode_cache=cascade(capacity=20, decay=0.9999, first=4, levels=2)"
    )
    # one more, and the cache is at work, though nothing is let go before the last token is drawn
    again = engine.with_policy("decode_cache=cascade(capacity=18, levels=2, first=5)")
    assert ids(drawn(again)) == ids(drawn(engine))
    assert stores[2].row_tokens == 24


def test_beyond_that_memory_stays_as_it_is_and_the_prompt_is_untouched(stores: list[KVStore]) -> None:
    # a last token that is run alone is rounded otherwise
    engine = sampler("llama", prefix_cache=0)
    chosen = engine.with_policy(CASCADE)
    exact, bounded = (ids(drawn(each, max_new_tokens=40)) for each in (engine, chosen))
    assert stores[0].row_tokens == 40
    assert stores[1].row_tokens == 11
    assert exact != bounded
    # the first tokens are drawn while all own tokens are there
    assert [each[:12] for each in exact] == [each[:12] for each in bounded]
    # rows went different ways, and read the same prompt
    assert len(set(bounded)) > 1
    for one, other in zip(stores[0].layers, stores[1].layers, strict=True):
        assert torch.equal(one.k_shared, other.k_shared)
        assert torch.equal(one.v_shared, other.v_shared)
    assert ids(drawn(chosen, n=1, max_new_tokens=60))[0][:40] == bounded[0]
    assert stores[2].row_tokens == 11
    assert chosen.policy_account is None


def test_a_candidate_of_a_cascade_does_not_depend_on_who_decodes_beside_it() -> None:
    wide, narrow = (sampler("llama", max_rows=rows).with_policy(CASCADE) for rows in (4, 2))
    # in the narrow one slots are taken again, by rows that begin while others are old
    assert ids(drawn(narrow, PROMPT[:60], max_new_tokens=30)) == ids(
        drawn(wide, PROMPT[:60], max_new_tokens=30)
    )


def test_storage_is_audited_where_prompts_are_run_in_full() -> None:
    with pytest.raises(ParameterError, match="leave audit or prefill out"):
        sampler("llama").with_policy("storage=int8(audit=true), prefill=star")


def test_layers_with_windows_cannot_have_a_cascade() -> None:
    with pytest.raises(ParameterError, match=r"'cascade': .* has layers with a window"):
        sampler("mistral").with_policy(CASCADE)


def _patterned(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: Any,
    scaling: float | None = None,
    **others: Any,
) -> tuple[torch.Tensor, None]:
    """Attention of a model that was trained with a pattern, number by number."""
    config, heads = module.config, query.shape[1]
    size, near = config.blocksparse_block_size, config.blocksparse_num_local_blocks
    keys = torch.arange(key.shape[2])
    at = torch.arange(key.shape[2] - query.shape[2], key.shape[2])[:, None]
    seen = torch.ones(heads, *(at >= keys).shape, dtype=torch.bool) & (at >= keys)
    if (int(module.layer_idx) + 1) % config.dense_attention_every_n_layers:
        for h in range(heads):
            stripe = (keys // size + h + 1) % config.blocksparse_vert_stride == 0
            seen[h] &= (at // size - keys // size < near) | stripe
    key, value = (x.repeat_interleave(heads // x.shape[1], dim=1) for x in (key, value))
    logits = (query @ key.transpose(2, 3) * scaling).masked_fill(~seen, float("-inf"))
    return (logits.softmax(dim=3) @ value).transpose(1, 2), None


@pytest.fixture
def own_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the code of a model obey its pattern, as a released one's does."""
    before = modeling_llama.eager_attention_forward
    monkeypatch.setattr(
        modeling_llama,
        "eager_attention_forward",
        lambda module, *given, **named: (
            _patterned if hasattr(module.config, "blocksparse_block_size") else before
        )(module, *given, **named),
    )


def patterned() -> Sampler:
    model = random_model("llama").double()
    settings = {
        "blocksparse_block_size": 8,
        "blocksparse_num_local_blocks": 4,
        "blocksparse_vert_stride": 4,
        "dense_attention_every_n_layers": 3,
    }
    for name, value in settings.items():
        setattr(model.config, name, value)
    model.config._attn_implementation = "eager"
    return Sampler(model, tokenizer=byte_tokenizer())


@pytest.mark.usefixtures("own_code")
def test_a_checkpoint_with_a_pattern_is_sampled_by_it_as_by_its_own_code() -> None:
    engine = patterned()
    assert not engine.checkpoint.shared
    chosen = engine.with_policy("pattern")
    assert chosen.checkpoint.shared
    assert "ablation=false, block_size=8, dense_every=3" in chosen.describe()["policy"]
    assert ids(drawn(chosen)) == ids(drawn(engine))
    account = chosen.policy_account
    assert account is not None
    assert account.tokens_kept < 0.8 * account.tokens
    with pytest.raises(ParameterError, match=r"candidates may have 26 tokens; .* 25 at most; lower max_new"):
        drawn(chosen, max_new_tokens=26)
    # it is not what a model without a pattern draws
    assert ids(drawn(chosen)) != ids(drawn(sampler("llama")))


@pytest.mark.usefixtures("own_code")
def test_weights_that_change_while_a_pattern_is_drawn_by_begin_rows_again() -> None:
    engine = patterned()
    model = engine.checkpoint.model
    chosen = engine.with_policy("pattern")
    before = drawn(chosen)
    chosen._max_rows = 2
    stream = chosen.stream(
        [Request("prompt", PROMPT, tuple(range(N)))], SamplingParams(max_new_tokens=TOKENS)
    )
    first = next(stream)
    assert first == before[first.index]
    with torch.no_grad():
        for weight in model.parameters():
            weight += 0.05 * torch.randn_like(weight)
    rest = sorted(stream, key=lambda each: each.index)
    fresh = Sampler(model, tokenizer=engine.checkpoint.tokenizer).with_policy("pattern")
    after = {each.index: each.token_ids for each in drawn(fresh)}
    late = [each for each in rest if each.token_ids != before[each.index].token_ids]
    # what had ended by then is as the model was
    assert len(rest) == N - 1
    assert len(late) >= N - 2
    assert all(each.token_ids == after[each.index] for each in late)


@pytest.mark.usefixtures("own_code")
def test_a_model_that_does_otherwise_while_a_pattern_is_drawn_by_is_not_drawn_on() -> None:
    engine = patterned()
    model = engine.checkpoint.model
    chosen = engine.with_policy("pattern")
    chosen._max_rows = 2
    stream = chosen.stream(
        [Request("prompt", PROMPT, tuple(range(N)))], SamplingParams(max_new_tokens=TOKENS)
    )
    next(stream)
    # of the default's path nothing changes: there is none before and after
    model.config.blocksparse_vert_stride = 3
    with pytest.raises(ModelError, match="ask for those that are missing in a new call"):
        list(stream)
    assert ids(drawn(chosen)) == ids(drawn(Sampler(model, tokenizer=engine.checkpoint.tokenizer)))


def test_a_model_that_a_policy_does_not_serve_any_more_is_refused_at_every_call() -> None:
    model = random_model("llama").double()
    chosen = Sampler(model, tokenizer=byte_tokenizer()).with_policy("quest(keep=0.5, guard=0, page=8)")
    drawn(chosen)
    # a setting that nobody here computes
    model.config.blocksparse_block_size = 8
    for _ in range(2):
        with pytest.raises(ParameterError, match="one cache per candidate"):
            drawn(chosen)
    del model.config.blocksparse_block_size
    drawn(chosen)


@pytest.mark.usefixtures("own_code")
def test_another_policy_is_refused_although_the_pattern_has_a_shared_path() -> None:
    engine = patterned()
    chosen = engine.with_policy("pattern")
    exact = chosen.with_policy("exact")
    assert not exact.checkpoint.shared
    assert ids(drawn(exact)) == ids(drawn(engine))
    for policy in ("storage=int8", "quest(keep=1)", "schedule=stream-k"):
        with pytest.raises(ParameterError, match="one cache per candidate"):
            chosen.with_policy(policy)
    assert chosen.with_policy("pattern, schedule=stream-k").checkpoint.shared


@pytest.mark.usefixtures("own_code")
def test_a_pattern_that_a_model_was_trained_with_has_no_guard() -> None:
    with pytest.raises(ParameterError, match=r"guard = 48: .* in short prompts too; leave guard out"):
        patterned().with_policy("pattern(guard=48)")


def test_a_checkpoint_whose_code_ignores_its_pattern_is_refused() -> None:
    with pytest.raises(
        ParameterError, match=r"one cache per candidate: .* other logits over the shared store"
    ):
        patterned().with_policy("pattern")


def test_a_pattern_has_to_be_asked_for_elsewhere_and_says_so() -> None:
    engine = sampler("llama")
    with pytest.raises(ParameterError, match="states no pattern"):
        engine.with_policy("pattern")
    chosen = engine.with_policy(
        "pattern(ablation=true, block_size=8, local_blocks=2, vert_stride=8, audit=1)"
    )
    assert "not trained" in chosen.describe()["policy_notice"]
    assert ids(drawn(chosen)) != ids(drawn(engine))
    account = chosen.policy_account
    assert account is not None
    assert account.audit is not None
    assert 0 < account.audit.overall < 1
    # all of it where the pattern leaves nothing out
    whole = engine.with_policy("pattern(ablation=true, block_size=100, local_blocks=4)")
    assert ids(drawn(whole)) == ids(drawn(engine))


@cache
def scored() -> Sampler:
    model = random_model("llama").double()
    generator = torch.Generator().manual_seed(5)
    for layer in model.model.layers:
        weights = torch.randn(2, 64, generator=generator, dtype=torch.float64)
        layer.self_attn.w_s = torch.nn.Parameter(weights, requires_grad=False)
    return Sampler(model, tokenizer=byte_tokenizer())


def test_a_checkpoint_with_scores_is_read_by_them(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    prepare = Sparsek.prepare
    monkeypatch.setattr(
        Sparsek, "prepare", lambda self, layers: (seen.append(layers), prepare(self, layers))[1]
    )
    engine = scored()
    chosen = engine.with_policy("sparsek(keep=0.3, guard=0, recent=40, audit=1)")
    first = ids(drawn(chosen))
    (layers,) = seen
    # of what the first layer's attention is given
    model = engine.checkpoint.model
    tokens = torch.tensor(engine.checkpoint.encode(PROMPT))
    hidden = model.model.layers[0].input_layernorm(model.model.embed_tokens(tokens))
    wanted = (hidden @ model.model.layers[0].self_attn.w_s.T).T
    torch.testing.assert_close(layers[0].learned, wanted, rtol=1e-10, atol=1e-12)
    account = chosen.policy_account
    assert account is not None
    assert account.tokens_kept < 0.5 * account.tokens
    assert account.scored_bytes == 0
    # chosen once for each batch, of which there is a new one where rows end
    assert account.refreshes <= N * len(layers) < account.steps
    # the prompt is known by now, but not its scores
    assert ids(drawn(chosen)) == first
    assert first != ids(drawn(engine))
    assert chosen.describe().get("policy_notice") is None


@pytest.mark.parametrize("policy", ["sparsek(keep=1, guard=0)", "sparsek(keep=1, guard=0, scores=votes)"])
def test_all_scored_tokens_are_exact_sampling(policy: str) -> None:
    assert ids(drawn(scored().with_policy(policy))) == ids(drawn(scored()))


def test_a_checkpoint_without_scores_is_refused_and_votes_are_an_experiment() -> None:
    engine = sampler("llama")
    with pytest.raises(ParameterError, match="no scores of its own"):
        engine.with_policy("sparsek")
    chosen = engine.with_policy("sparsek(scores=votes, guard=0, recent=20)")
    drawn(chosen)
    assert chosen.policy_account is not None
    assert chosen.policy_account.scored_bytes > 0
    assert "experiment" in chosen.describe()["policy_notice"]


def test_scores_are_those_of_the_weights_as_they_are_now() -> None:
    policy = "sparsek(keep=0.2, guard=0, recent=10)"
    scored.cache_clear()
    engine = scored()
    chosen = engine.with_policy(policy)
    before = ids(drawn(chosen))
    for layer in engine.checkpoint.model.model.layers:
        layer.self_attn.w_s = torch.nn.Parameter(-layer.self_attn.w_s.detach(), requires_grad=False)
    after = ids(drawn(chosen))
    scored.cache_clear()
    assert after != before
    assert after == ids(drawn(engine.with_policy(policy)))
