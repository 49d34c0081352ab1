"""Types and values in words: short, on one line, whatever they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import pytest
import torch

from codesample.engines.contract import Engine
from codesample.records import Candidate, SamplingParams
from codesample.records.shown_values import shown
from codesample.records.type_words import words_for


@pytest.mark.parametrize(
    ("hint", "words"),
    [
        (int | None, "a whole number or None"),
        (tuple[str, ...], "a tuple of texts"),
        (tuple[tuple[int, float], ...], "a tuple of pairs (a whole number, a number)"),
        (str | Path | Engine, "a text, a path or an Engine"),
        (Sequence[str | Candidate], "a list of texts or Candidates"),
        (SamplingParams, "SamplingParams"),
        (Literal["a", "b"], "'a' or 'b'"),
        (Callable[[int], int] | Mapping[str, Any], "a function or a dict"),
        (list[Any], "a list"),
    ],
)
def test_types_have_words(hint: Any, words: str) -> None:
    assert words_for(hint) == words


class Alien:
    """Is nothing."""


class Loud:
    def __repr__(self) -> str:
        return "many\nlines " * 50


class Broken:
    def __repr__(self) -> str:
        raise RuntimeError("no words")


@pytest.mark.parametrize(
    ("value", "part"),
    [
        ("0.8", "'0.8'"),
        (None, "None"),
        (["a"] * 1000, "['a', 'a'"),
        ("x" * 1000, "'xxx"),
        (Alien(), "Alien"),
        (Loud(), "(Loud)"),
        (Broken(), "Broken"),
        (torch.zeros(3, 4), "<Tensor of shape [3, 4]>"),
        ({"a": {"b": "c" * 500}}, "{'a'"),
    ],
)
def test_a_value_is_shown_on_one_short_line_with_its_type(value: object, part: str) -> None:
    said = shown(value)
    assert part in said
    assert len(said) <= 80 + len(" (Alien)")
    assert said.isprintable()
