"""Long prompts end with the problem, have as many tokens as asked for, and are real code."""

import pytest

from codesample.bench.long_prompts import LIBRARY, code_before
from codesample.errors import ParameterError


def encode(text: str) -> list[int]:
    return list(text.encode())


@pytest.mark.parametrize("tokens", [1, 20, 21, 5_000, 60_000])
def test_has_as_many_tokens_and_ends_with_the_problem(tokens: int) -> None:
    prompt = code_before("def add(x):\n    return", tokens, encode)
    assert len(prompt) == tokens
    assert b"def add(x):\n    return".endswith(bytes(prompt[-22:]))


def test_what_stands_before_is_the_libraries_code() -> None:
    text = bytes(code_before("def f", 200_000, encode)).decode()
    assert text.count("\ndef ") > 50
    assert f"# {LIBRARY[1]}\n" in text


def test_more_than_there_is_is_refused() -> None:
    with pytest.raises(ParameterError, match=r"100000000 tokens of context: .*ask for fewer"):
        code_before("x", 10**8, encode)
