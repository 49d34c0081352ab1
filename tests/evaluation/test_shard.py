"""Shards of any count have every problem exactly once between them."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codesample.errors import ParameterError
from codesample.evaluation.options import RunOptions
from codesample.evaluation.shard import Shard


@given(st.integers(0, 60), st.integers(1, 90))
def test_every_problem_is_in_exactly_one_shard(problems: int, of: int) -> None:
    parts = [Shard(number, of).part(range(problems)) for number in range(1, of + 1)]
    assert Counter(each for part in parts for each in part) == Counter(range(problems))
    sizes = [len(part) for part in parts]
    # as even as can be, the larger ones first, and each in the task's order
    assert max(sizes) - min(sizes) <= 1
    assert sizes == sorted(sizes, reverse=True)
    assert all(list(part) == sorted(part) for part in parts)


@given(st.integers(1, 99), st.integers(1, 99))
def test_a_shard_is_read_as_it_is_spelt(one: int, other: int) -> None:
    shard = Shard(min(one, other), max(one, other))
    assert Shard.parse(str(shard)) == shard


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "expected K/N, such as 3/8"),
        ("3", "expected K/N, such as 3/8"),
        ("3/8/9", "expected K/N"),
        ("-1/8", "expected K/N"),
        ("1.5/8", "expected K/N"),
        ("a/b", "expected K/N"),
        ("9/8", "expected K from 1 to 8"),
        ("0/8", "expected K from 1 to 8; shards count from 1: add 1 to an index that counts from 0"),
        ("1/0", "expected at least one shard"),
        ("0/0", "expected at least one shard"),
        ("1/9999999999", "expected K/N"),
    ],
)
def test_what_is_no_shard_is_refused_with_what_is_expected(text: str, said: str) -> None:
    with pytest.raises(ParameterError) as refused:
        RunOptions(shard=text)
    assert str(refused.value).startswith(f"shard = {text!r}: ")
    assert said in str(refused.value)


def test_other_spellings_are_the_same_shard() -> None:
    assert RunOptions(shard=" 03 / 08 ").shard == "3/8"
