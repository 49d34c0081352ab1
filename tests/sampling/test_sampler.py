import logging

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoModelForCausalLM, Phi3Config

from codesample.errors import ParameterError
from codesample.records import FinishReason, Request, SamplingParams
from codesample.sampling import Sampler
from codesample.testing.models import ARCHITECTURES, ORDINARY_ONLY, byte_tokenizer, random_model

PROMPT = "def f(x):\n    return x + 1  # and on it goes\n"
EOS = 257


def keyed(candidates):
    return {(c.task_id, c.index): c for c in candidates}


def drawn(sampler, requests, **params):
    return keyed(sampler.stream(requests, SamplingParams(**{"max_new_tokens": 12} | params)))


@pytest.fixture(scope="module")
def sampler(llama, tokenizer):
    return Sampler(llama, tokenizer=tokenizer)


@pytest.fixture(scope="module")
def exact(tokenizer):
    """A model in float64, where rounding cannot move a draw."""
    model = random_model("llama", seed=1).double()
    return {rows: Sampler(model, tokenizer=tokenizer, max_rows=rows) for rows in (1, 2, 3, 7, 64)}


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_gives_the_logits_and_greedy_tokens_of_generate(architecture, tokenizer, caplog):
    model = random_model(architecture)
    with caplog.at_level(logging.WARNING):
        sampler = Sampler(model, tokenizer=tokenizer)
    assert sampler.checkpoint.shared == (architecture not in ORDINARY_ONLY)
    assert ("ordinary path" in caplog.text) == (architecture in ORDINARY_ONLY)
    prompt_ids = torch.tensor([sampler.checkpoint.encode(PROMPT)])
    expected = model.generate(
        prompt_ids, max_new_tokens=24, do_sample=False, output_logits=True, return_dict_in_generate=True
    )
    tokens = expected.sequences[0, prompt_ids.shape[1] :].tolist()
    logprobs = [
        logits[0].log_softmax(-1)[t].item() for logits, t in zip(expected.logits, tokens, strict=True)
    ]
    if EOS in tokens:
        tokens = tokens[: tokens.index(EOS)]
    for candidate in sampler.sample(PROMPT, n=3, temperature=0, max_new_tokens=24):
        assert list(candidate.token_ids) == tokens
        assert candidate.logprobs == pytest.approx(logprobs[: len(tokens)], abs=2e-4)


@pytest.mark.parametrize("architecture", ["llama", "gemma2", "gpt2", "bloom"])
def test_logprobs_are_those_of_a_plain_forward_pass(architecture, tokenizer):
    model = random_model(architecture)
    sampler = Sampler(model, tokenizer=tokenizer, max_rows=2)
    prompt_ids = sampler.checkpoint.encode(PROMPT)
    for candidate in sampler.sample(PROMPT, n=4, max_new_tokens=15):
        with torch.inference_mode():
            logits = model(torch.tensor([[*prompt_ids, *candidate.token_ids]])).logits[
                0, len(prompt_ids) - 1 : -1
            ]
        picked = logits.log_softmax(-1).gather(-1, torch.tensor(candidate.token_ids)[:, None])[:, 0]
        assert candidate.logprobs == pytest.approx(picked.tolist(), abs=2e-4)


@pytest.mark.parametrize("architecture", ["llama", "bloom"])
def test_more_candidates_begin_with_the_fewer(architecture, tokenizer):
    sampler = Sampler(random_model(architecture).double(), tokenizer=tokenizer)
    few, many = (sampler.sample(PROMPT, n=n, max_new_tokens=10) for n in (5, 11))
    assert many[:5] == few
    assert [c.index for c in many] == list(range(11))
    assert len({c.token_ids for c in many}) > 5


def test_both_paths_draw_the_same_tokens(tokenizer):
    model = random_model("llama").double()
    shared = Sampler(model, tokenizer=tokenizer)
    from dataclasses import replace

    ordinary = Sampler(model, tokenizer=tokenizer)
    ordinary.checkpoint = replace(ordinary.checkpoint, kv_shapes=())
    assert not ordinary.checkpoint.shared
    tokens = [[c.token_ids for c in s.sample(PROMPT, n=6, max_new_tokens=20)] for s in (shared, ordinary)]
    assert tokens[0] == tokens[1]


@settings(max_examples=15, deadline=None)
@given(
    lengths=st.lists(st.tuples(st.integers(1, 90), st.integers(0, 5)), min_size=1, max_size=5),
    rows=st.sampled_from([1, 2, 3, 7]),
    data=st.data(),
)
def test_neither_batch_size_nor_order_changes_a_candidate(exact, lengths, rows, data):
    requests = [Request(f"p{i}", "x" * size, tuple(range(n))) for i, (size, n) in enumerate(lengths)]
    alone = {}
    for request in requests:
        alone |= drawn(exact[64], [request])
    shuffled = [
        Request(r.task_id, r.prompt, tuple(data.draw(st.permutations(r.indices))))
        for r in data.draw(st.permutations(requests))
    ]
    assert drawn(exact[rows], shuffled) == alone


def test_in_single_precision_a_difference_starts_only_at_a_boundary_of_the_distribution(llama, tokenizer):
    from codesample.sampling.random_streams import row_key, uniforms

    requests = [Request(f"p{i}", PROMPT[: 5 + 4 * i], tuple(range(12))) for i in range(4)]
    few, many = (Sampler(llama, tokenizer=tokenizer, max_rows=rows) for rows in (3, 64))
    params = {"temperature": 1.0, "top_p": 1.0, "max_new_tokens": 30}
    first, second = drawn(few, requests, **params), drawn(many, requests, **params)
    for key, one in first.items():
        other = second[key]
        at = next(
            (i for i, (a, b) in enumerate(zip(one.token_ids, other.token_ids, strict=False)) if a != b), None
        )
        if at is None:
            continue
        prompt = few.checkpoint.encode(requests[int(key[0][1:])].prompt)
        with torch.inference_mode():
            logits = llama.double()(torch.tensor([[*prompt, *one.token_ids[:at]]])).logits[0, -1]
        llama.float()
        boundaries = logits.softmax(-1).cumsum(-1)
        uniform = uniforms(torch.tensor([row_key(0, *key)]), torch.tensor([at]))
        assert (boundaries - uniform).abs().min() < 1e-5


def test_a_prefix_common_to_all_prompts_is_stored_once_and_changes_nothing(exact):
    header = "# shared examples\n" * 8
    requests = [Request(f"p{i}", header + "y" * (i + 1), tuple(range(3))) for i in range(5)]
    alone = {}
    for request in requests:
        alone |= drawn(exact[64], [request])
    assert drawn(exact[7], requests) == alone


def test_a_stop_string_cuts_text_tokens_and_logprobs_alike(exact):
    sampler = exact[64]
    plain = sampler.sample(PROMPT, n=16, max_new_tokens=40)
    letter = plain[0].completion[5]
    for before, after in zip(
        plain, sampler.sample(PROMPT, n=16, max_new_tokens=40, stop=letter), strict=True
    ):
        at = before.completion.find(letter)
        if at < 0:
            assert (after.completion, after.token_ids) == (before.completion, before.token_ids)
            continue
        assert after.completion == before.completion[:at]
        assert (after.finish_reason, after.stop) == (FinishReason.STOP, letter)
        assert after.token_ids == before.token_ids[: len(after.token_ids)]
        assert len(after.token_ids) == len(after.logprobs) == len(after.sampled_logprobs)
        assert after.logprobs == pytest.approx(before.logprobs[: len(after.logprobs)])


@pytest.mark.parametrize("architecture", ["llama", "bloom"])
def test_a_special_token_as_stop_string_ends_a_candidate(architecture, tokenizer):
    # much of the mass is on the special token <pad>, which leaves no text
    sampler = Sampler(random_model(architecture).double(), tokenizer=tokenizer)
    params = {"n": 8, "max_new_tokens": 30, "logit_bias": ((258, 20.0),), "temperature": 3.0}
    plain = sampler.sample(PROMPT, **params)
    assert any(258 in c.token_ids for c in plain)
    for before, after in zip(plain, sampler.sample(PROMPT, stop=["<pad>", "never"], **params), strict=True):
        if 258 not in before.token_ids:
            assert after == before
            continue
        assert after.token_ids == before.token_ids[: before.token_ids.index(258)]
        assert len(after.token_ids) == len(after.logprobs) == len(after.sampled_logprobs)
        assert before.completion.startswith(after.completion)
        assert (after.finish_reason, after.stop) == (FinishReason.STOP, "<pad>")


def test_eos_ends_a_candidate_and_is_not_part_of_it(llama, tokenizer):
    llama.generation_config.eos_token_id = list(range(128))
    try:
        candidates = Sampler(llama, tokenizer=tokenizer).sample(PROMPT, n=8, max_new_tokens=50)
    finally:
        llama.generation_config.eos_token_id = EOS
    assert {c.finish_reason for c in candidates} == {FinishReason.EOS}
    assert all(t >= 128 for c in candidates for t in c.token_ids)


def test_a_candidate_stops_where_the_models_positions_end(tokenizer):
    sampler = Sampler(random_model("gpt2"), tokenizer=tokenizer)
    candidate = sampler.sample("z" * 500, max_new_tokens=100, temperature=0)[0]
    assert len(candidate.token_ids) == 12
    assert candidate.finish_reason is FinishReason.LENGTH
    with pytest.raises(ParameterError, match=r"512 tokens and .* takes 512 in all"):
        sampler.sample("z" * 512)


def test_rotary_positions_do_not_depend_on_who_runs_beside(tokenizer, caplog):
    rope = {"rope_type": "longrope", "short_factor": [1.0] * 8, "long_factor": [4.0] * 8}
    sizes = {"vocab_size": 259, "hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 2}
    config = Phi3Config(
        **sizes,
        num_attention_heads=2,
        pad_token_id=258,
        rope_parameters=rope,
        original_max_position_embeddings=64,
    )
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config).double().eval()
    sampler = Sampler(model, tokenizer=tokenizer)
    short, long = (Request(name, name * size, (0, 1, 2)) for name, size in (("s", 40), ("l", 100)))
    alone = drawn(sampler, [short], temperature=1.5) | drawn(sampler, [long], temperature=1.5)
    with caplog.at_level(logging.WARNING):
        assert drawn(sampler, [short, long], temperature=1.5) == alone
    assert "1 prompt may grow past 64 tokens" in caplog.text
    for request in (short, long):
        ids = sampler.checkpoint.encode(request.prompt)
        candidate = alone[request.task_id, 0]
        with torch.inference_mode():
            logits = model(torch.tensor([[*ids, *candidate.token_ids]])).logits[0, len(ids) - 1 : -1]
        picked = logits.log_softmax(-1).gather(-1, torch.tensor(candidate.token_ids)[:, None])[:, 0]
        assert candidate.logprobs == pytest.approx(picked.tolist(), abs=1e-5)


def test_a_prompt_longer_than_one_pass_is_stored_in_chunks(tokenizer, monkeypatch):
    from codesample.sampling import prefill

    sampler = Sampler(random_model("mistral").double(), tokenizer=tokenizer)
    requests = [Request("a", "u" * 37, (0, 1)), Request("b", "v" * 150, (0,)), Request("c", "w" * 11, (0, 1))]
    whole = drawn(sampler, requests)
    monkeypatch.setattr(prefill, "CHUNK", 16)
    assert drawn(sampler, requests) == whole


def test_closing_the_stream_leaves_the_model_as_it_was(llama, tokenizer):
    before = llama.config._attn_implementation
    sampler = Sampler(llama, tokenizer=tokenizer, max_rows=4)
    stream = sampler.stream([Request("a", PROMPT, tuple(range(40)))], SamplingParams(max_new_tokens=9))
    next(stream)
    assert not torch.is_inference_mode_enabled()
    assert llama.config._attn_implementation == before
    llama.generate(torch.tensor([[1, 2, 3]]), max_new_tokens=2)
    stream.close()
    assert len(sampler.sample(PROMPT, n=2, max_new_tokens=3)) == 2


def test_progress_counts_every_token_drawn(sampler):
    counts = []
    params = SamplingParams(max_new_tokens=7)
    got = list(sampler.stream([Request("a", PROMPT, tuple(range(5)))], params, progress=counts.append))
    ends = sum(c.finish_reason is FinishReason.EOS for c in got)
    assert sum(counts) == sum(len(c.token_ids) for c in got) + ends


def test_no_requests_and_no_indices_give_no_candidates(sampler):
    assert list(sampler.stream([], SamplingParams())) == []
    assert list(sampler.stream([Request("a", PROMPT, ())], SamplingParams())) == []


@pytest.mark.parametrize(
    ("requests", "message"),
    [
        ([Request("a", PROMPT, (0, 0))], "must be different"),
        ([Request("a", PROMPT, (0,)), Request("a", PROMPT, (0,))], "must be different"),
        ([Request("a", PROMPT, (-1,))], "at least 0"),
        ([Request("a", PROMPT, (0,)), Request("b", "q" * 600, (0,))], "shorten the prompt"),
    ],
)
def test_bad_requests_are_refused_before_anything_is_drawn(sampler, requests, message):
    with pytest.raises(ParameterError, match=message):
        sampler.stream(requests, SamplingParams())


def test_bad_parameters_are_named():
    model, tokenizer = random_model("llama"), byte_tokenizer()
    with pytest.raises(ParameterError, match="max_rows = 0"):
        Sampler(model, tokenizer=tokenizer, max_rows=0)
    with pytest.raises(ParameterError, match=r"memory_fraction = 1\.5"):
        Sampler(model, tokenizer=tokenizer, memory_fraction=1.5)
    with pytest.raises(ParameterError, match="needs its tokenizer"):
        Sampler(model)
    sampler = Sampler(model, tokenizer=tokenizer)
    with pytest.raises(ParameterError, match="n = 0"):
        sampler.sample(PROMPT, n=0)
    with pytest.raises(ParameterError, match="unknown sampling parameter 'temprature'"):
        sampler.sample(PROMPT, temprature=1)
    with pytest.raises(ParameterError, match="temperature = -1"):
        sampler.sample(PROMPT, temperature=-1)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_models_take_the_shared_path(dtype, tokenizer):
    sampler = Sampler(random_model("llama").to(dtype), tokenizer=tokenizer)
    assert sampler.checkpoint.shared
    assert len(sampler.sample(PROMPT, n=3, max_new_tokens=8)) == 3
