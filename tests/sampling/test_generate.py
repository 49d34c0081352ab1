import pytest
import torch
from transformers import StoppingCriteria, StoppingCriteriaList

from codesample.errors import ParameterError
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

        llama.generate(**ONE, **settings, custom_generate=bifurcated_generate)
        monkeypatch.setattr(type(llama), "forward", counted)
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
