"""The shipped tokenizer: exact round trips, and prompts that end where tokens end."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoTokenizer

from codesample.tiny.training.corpus import generate
from codesample.tiny.training.tokenizer import train_tokenizer

FOLDER = Path(str(files("codesample.tiny"))) / "weights"
CODE = st.text(alphabet=st.sampled_from(list("abz_ABZ019 \n\t\"'()[]{}:,.+-*/%<>=!#\\é中\r")), max_size=60)


@pytest.fixture(scope="module")
def tokenizer():
    return AutoTokenizer.from_pretrained(FOLDER)


@given(text=st.one_of(st.text(max_size=60), CODE))
def test_decoding_gives_the_text_back(tokenizer, text):
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert tokenizer.decode(ids) == text


@given(body=CODE)
def test_a_prompt_has_the_same_tokens_alone_and_with_a_body(tokenizer, body):
    prompt = 'def f(xs: list[int]) -> int:\n    """Add up.\n\n    >>> f([1, -2])\n    -1\n    """\n'
    alone = tokenizer(prompt)["input_ids"]
    assert tokenizer(prompt + body)["input_ids"][: len(alone)] == alone


def test_every_mini_prompt_keeps_its_tokens_before_its_solution(tokenizer):
    text = (files("codesample") / "tasks" / "mini" / "problems.jsonl").read_text(encoding="utf-8")
    for row in map(json.loads, text.splitlines()):
        alone = tokenizer(row["prompt"])["input_ids"]
        assert tokenizer(row["prompt"] + row["canonical_solution"])["input_ids"][: len(alone)] == alone


def test_indentation_is_one_token(tokenizer):
    for depth in range(1, 4):
        assert len(tokenizer("    " * depth, add_special_tokens=False)["input_ids"]) == 1


def test_text_starts_with_bos_and_special_tokens_are_three(tokenizer):
    assert tokenizer("x")["input_ids"][0] == tokenizer.bos_token_id
    assert len({tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id}) == 3


def test_training_is_repeatable_and_keeps_the_size_asked_for():
    texts = [f.prompt + f.body for f in generate(150, seed=1)]
    first, second = (train_tokenizer(texts, vocabulary=400) for _ in range(2))
    assert len(first) == 400
    assert first.get_vocab() == second.get_vocab()
