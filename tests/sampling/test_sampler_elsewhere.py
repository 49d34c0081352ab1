"""Samplers that go to other processes: by their arguments, or not at all."""

import copy
import pickle

import datasets
import pytest
import torch
from datasets.fingerprint import Hasher

from codesample.errors import ParameterError
from codesample.sampling import Sampler

PROMPTS = [f"def add_{i}(x):\n" for i in range(6)]


@pytest.fixture(scope="module")
def tiny():
    return Sampler("tiny", max_rows=8)


def completed(rows, sampler):
    return {"text": [sampler.sample(p, max_new_tokens=6)[0].completion for p in rows["prompt"]]}


def test_a_copy_is_made_of_the_same_arguments(tiny):
    drawn = tiny.sample(PROMPTS[0], n=3, max_new_tokens=6)
    for other in (pickle.loads(pickle.dumps(tiny)), copy.copy(tiny)):
        assert other is not tiny
        assert other._max_rows == 8
        assert other.sample(PROMPTS[0], n=3, max_new_tokens=6) == drawn
    assert len(pickle.dumps(tiny)) < 2000


def test_what_a_copy_could_not_be_like_is_refused_by_name(llama, tokenizer):
    with pytest.raises(ParameterError, match="a Sampler of a loaded model cannot be pickled; save the model"):
        pickle.dumps(Sampler(llama, tokenizer=tokenizer))
    changed = Sampler("tiny")
    with torch.no_grad():
        next(changed.checkpoint.model.parameters()).mul_(1.01)
    with pytest.raises(ParameterError, match="changed after it was loaded"):
        pickle.dumps(changed)


@pytest.mark.parametrize("processes", [None, 2])
def test_datasets_map_samples_in_this_process_and_in_others(tiny, processes):
    data = datasets.Dataset.from_dict({"prompt": PROMPTS})
    arguments = {"sampler": tiny}
    assert Hasher.hash((completed, arguments)) == Hasher.hash((completed, {"sampler": copy.copy(tiny)}))
    done = data.map(completed, batched=True, batch_size=2, fn_kwargs=arguments, num_proc=processes)
    assert done["text"][:] == completed({"prompt": PROMPTS}, tiny)["text"]
