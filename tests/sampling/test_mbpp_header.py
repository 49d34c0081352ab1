"""MBPP asks every problem behind the same three examples; these must be run once."""

from pathlib import Path

import pytest
from transformers import AutoModelForCausalLM, LlamaConfig

from codesample.records import Request, SamplingParams
from codesample.sampling import Sampler
from codesample.tasks.registry import load_task
from codesample.testing.models import VOCABULARY

DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "mbpp.jsonl"


@pytest.mark.skipif(not DATA.is_file(), reason="needs the published file mbpp.jsonl in ../shared/data")
def test_fifty_problems_read_their_three_examples_once(tokenizer):
    problems = load_task("mbpp", data=DATA).all_problems()[:50]
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=1,
        max_position_embeddings=8192,
    )
    sampler = Sampler(AutoModelForCausalLM.from_config(config), tokenizer=tokenizer, prefix_cache=0)
    requests = [Request(p.task_id, p.prompt, tuple(range(8))) for p in problems]
    assert len(list(sampler.stream(requests, SamplingParams(max_new_tokens=2)))) == 400
    (header,) = {p.header for p in problems}
    whole = sum(len(p.prompt.encode()) for p in problems)
    # the first words of all descriptions are part of what is shared
    assert whole - 49 * len(header.encode()) >= sampler.cache_info.tokens_computed > len(header.encode())
