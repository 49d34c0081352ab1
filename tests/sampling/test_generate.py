import pytest
import torch
from transformers import AutoModelForCausalLM, Phi3Config, StoppingCriteria, StoppingCriteriaList

from codesample.errors import ParameterError
from codesample.sampling import generate
from codesample.sampling.generate import bifurcated_generate
from codesample.testing.models import ARCHITECTURES, random_model

EOS, PAD = 257, 258


def batch(*prompts):
    width = max(map(len, prompts))
    ids = torch.full((len(prompts), width), PAD)
    mask = torch.zeros_like(ids)
    for row, prompt in enumerate(prompts):
        ids[row, width - len(prompt) :] = torch.tensor(prompt)
        mask[row, width - len(prompt) :] = 1
    return {"input_ids": ids, "attention_mask": mask}


ONE = batch(list(range(40, 90)))
SEVERAL = batch(list(range(40, 90)), [5, 6, 7], list(range(100, 120)))


@pytest.mark.parametrize("architecture", [*ARCHITECTURES])
@pytest.mark.parametrize("inputs", [ONE, SEVERAL], ids=["one prompt", "padded prompts"])
def test_greedy_output_equals_that_of_generate(architecture, inputs):
    model = random_model(architecture)
    if architecture == "gemma2":
        # sdpa attention of transformers 5.17 leaves the soft cap out
        model.set_attn_implementation("eager")
    settings = {
        "max_new_tokens": 16,
        "do_sample": False,
        "return_dict_in_generate": True,
        "output_scores": True,
    }
    expected = model.generate(**inputs, **settings)
    got = model.generate(**inputs, **settings, custom_generate=bifurcated_generate)
    assert torch.equal(got.sequences, expected.sequences)
    for ours, theirs in zip(got.scores, expected.scores, strict=True):
        alive = (ours != 0).any(-1)
        torch.testing.assert_close(ours[alive], theirs[alive], atol=2e-4, rtol=2e-4)


def test_several_sequences_per_prompt_come_in_the_same_layout(llama):
    got = llama.generate(
        **SEVERAL,
        num_return_sequences=4,
        do_sample=True,
        max_new_tokens=6,
        custom_generate=bifurcated_generate,
    )
    assert got.shape[0] == 12
    width = SEVERAL["input_ids"].shape[1]
    assert torch.equal(got[:, :width], SEVERAL["input_ids"].repeat_interleave(4, 0))


def test_sampling_has_the_distribution_of_the_model(llama):
    rows = 4000
    torch.manual_seed(0)
    settings = {
        "num_return_sequences": rows,
        "max_new_tokens": 2,
        "do_sample": True,
        "temperature": 0.7,
        "top_k": 12,
    }
    got = llama.generate(**ONE, **settings, custom_generate=bifurcated_generate)[:, -2:]
    with torch.inference_mode():
        scores = llama(ONE["input_ids"]).logits[0, -1] / 0.7
        kept = scores.topk(12)
        expected = kept.values.softmax(-1) * rows
        counts = torch.stack([(got[:, 0] == t).sum() for t in kept.indices])
        assert counts.sum() == rows
        # 11 degrees of freedom: beyond 45 has probability 5e-6
        assert ((counts - expected) ** 2 / expected).sum() < 45
        # the second token, behind the likeliest first one
        first = kept.indices[0]
        second = got[got[:, 0] == first, 1]
        scores = llama(torch.cat([ONE["input_ids"], first[None, None]], -1)).logits[0, -1] / 0.7
        kept = scores.topk(12)
        expected = kept.values.softmax(-1) * len(second)
        counts = torch.stack([(second == t).sum() for t in kept.indices])
        assert ((counts - expected) ** 2 / expected).sum() < 45


def test_processors_and_stopping_criteria_are_honoured(llama):
    class StopAfterThreeOf(StoppingCriteria):
        def __call__(self, input_ids, scores, **_):
            return (input_ids == 77).sum(-1) >= 4

    settings = {
        "max_new_tokens": 20,
        "do_sample": False,
        "repetition_penalty": 1.8,
        "bad_words_ids": [[3], [4, 5]],
        "min_new_tokens": 4,
        "stopping_criteria": StoppingCriteriaList([StopAfterThreeOf()]),
    }
    expected = llama.generate(**SEVERAL, **settings)
    assert torch.equal(llama.generate(**SEVERAL, **settings, custom_generate=bifurcated_generate), expected)


def test_rows_that_end_early_are_padded_and_not_computed(llama, monkeypatch):
    llama.generation_config.eos_token_id = list(range(200))
    try:
        settings = {"num_return_sequences": 16, "do_sample": True, "max_new_tokens": 12, "top_k": 0}
        sizes = []
        forward = type(llama).forward

        def counted(self, input_ids=None, **kwargs):
            sizes.append(input_ids.shape[0])
            return forward(self, input_ids=input_ids, **kwargs)

        monkeypatch.setattr(type(llama), "forward", counted)
        llama.generate(**ONE, **settings, custom_generate=bifurcated_generate)
        sizes.clear()
        got = llama.generate(**ONE, **settings, custom_generate=bifurcated_generate)[:, 50:]
    finally:
        llama.generation_config.eos_token_id = EOS
    for row in got.tolist():
        end = next((i for i, t in enumerate(row) if t < 200), len(row))
        assert set(row[end + 1 :]) <= {PAD}
    assert sizes[0] == 1
    assert sizes == sorted(sizes[:1]) + sorted(sizes[1:], reverse=True)
    assert sizes[-1] < 16


def test_a_result_without_a_dictionary_and_logits_on_request(llama):
    assert isinstance(
        llama.generate(**ONE, max_new_tokens=2, custom_generate=bifurcated_generate), torch.Tensor
    )
    got = llama.generate(
        **ONE,
        max_new_tokens=3,
        return_dict_in_generate=True,
        output_logits=True,
        custom_generate=bifurcated_generate,
    )
    assert len(got.logits) == 3
    assert got.scores is None


def test_beams_are_refused_with_a_way_out(llama):
    with pytest.raises(ParameterError, match="without custom_generate"):
        llama.generate(**ONE, num_beams=2, max_new_tokens=2, custom_generate=bifurcated_generate)


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({"inputs_embeds": torch.zeros(1, 50, 64)}, "inputs_embeds"),
        ({"position_ids": torch.arange(50)[None] + 3}, "position_ids"),
        ({"output_hidden_states": True, "return_dict_in_generate": True}, "output_hidden_states"),
        ({"output_attentions": True, "return_dict_in_generate": True}, "output_attentions"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_would_be_left_out_is_refused_by_name(llama, given, name):
    with pytest.raises(ParameterError, match=f"{name}: .* without custom_generate"):
        llama.generate(**ONE, **given, max_new_tokens=2, custom_generate=bifurcated_generate)


def test_tokens_already_in_a_cache_are_refused(llama):
    with torch.no_grad():
        stored = llama(ONE["input_ids"][:, :-1], use_cache=True).past_key_values
    with pytest.raises(ParameterError, match="past_key_values: "):
        llama.generate(**ONE, past_key_values=stored, max_new_tokens=2, custom_generate=bifurcated_generate)


def test_the_positions_that_follow_from_the_mask_may_be_given(llama):
    positions = (SEVERAL["attention_mask"].cumsum(-1) - 1).clamp(min=0)
    settings = {"max_new_tokens": 4, "do_sample": False, "custom_generate": bifurcated_generate}
    expected = llama.generate(**SEVERAL, **settings)
    assert torch.equal(llama.generate(**SEVERAL, position_ids=positions, **settings), expected)


def test_the_sequences_can_be_trained_on(llama):
    got = llama.generate(**ONE, max_new_tokens=4, custom_generate=bifurcated_generate)
    try:
        llama(got, labels=got).loss.backward()
        assert all(p.grad is not None for p in llama.parameters())
    finally:
        llama.zero_grad()


class _StopAt(StoppingCriteria):
    def __init__(self, length):
        self.length = length

    def __call__(self, input_ids, scores, **_):
        return torch.full((len(input_ids),), input_ids.shape[1] >= self.length)


def test_memory_is_taken_for_the_tokens_drawn_and_not_for_those_allowed(llama):
    settings = {"do_sample": False, "max_new_tokens": 10**9, "stopping_criteria": [_StopAt(56)]}
    expected = llama.generate(**ONE, **settings)
    assert expected.shape[1] == 56
    assert torch.equal(llama.generate(**ONE, **settings, custom_generate=bifurcated_generate), expected)


@pytest.mark.parametrize("growth", [1, 3])
def test_keys_and_values_grow_with_the_rows(llama, monkeypatch, growth):
    llama.generation_config.eos_token_id = list(range(20))
    try:
        settings = {"max_new_tokens": 11, "do_sample": False}
        expected = llama.generate(**SEVERAL, **settings)
        monkeypatch.setattr(generate, "_GROWTH", growth)
        got = llama.generate(**SEVERAL, **settings, custom_generate=bifurcated_generate)
    finally:
        llama.generation_config.eos_token_id = EOS
    assert torch.equal(got, expected)


def test_rows_past_a_switch_of_rotary_positions_are_left_to_the_model():
    rope = {"rope_type": "longrope", "short_factor": [1.0] * 8, "long_factor": [4.0] * 8}
    sizes = {"vocab_size": 259, "hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 2}
    heads = {"num_attention_heads": 2, "pad_token_id": PAD, "eos_token_id": EOS}
    config = Phi3Config(**sizes, **heads, rope_parameters=rope, original_max_position_embeddings=64)
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    for count in (14, 20):
        settings = {"max_new_tokens": count, "do_sample": False}
        expected = model.generate(**SEVERAL, **settings)
        assert torch.equal(
            model.generate(**SEVERAL, **settings, custom_generate=bifurcated_generate), expected
        )


def test_guidance_that_calls_the_model_itself_gives_the_same(llama):
    ids = torch.tensor([[72, 101, 108, 108, 111]])
    options = {"max_new_tokens": 8, "do_sample": False, "guidance_scale": 1.5}
    plain = llama.generate(ids, **options)
    assert llama.generate(ids, **options, custom_generate=bifurcated_generate).equal(plain)
