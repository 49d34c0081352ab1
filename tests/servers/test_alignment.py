"""Where tokens end in a text is told by their own words, whatever a server leaves out of it or splits."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codesample.servers.alignment import ends_in, start_of, stop_behind

PARTIAL = "\N{REPLACEMENT CHARACTER}"


@pytest.mark.parametrize(
    ("text", "pieces", "ends"),
    [
        ("def f", ["def", " f"], (3, 5)),
        ("def f", ["def", " f", "<|im_end|>"], (3, 5, 5)),
        ("def f", ["<s>", "def", " f"], (0, 3, 5)),
        # a stop was cut off, in the middle of a token and with the tokens behind it
        ("def f", ["def", " f\n", "class"], (3, 5, 5)),
        # one character of three tokens, two of three, and one at the end
        ("a\N{SNOWMAN}b", ["a", PARTIAL, PARTIAL, PARTIAL, "b"], (1, 1, 1, 2, 3)),
        ("\N{SNOWMAN}\N{SNOWMAN}b", [PARTIAL, PARTIAL, PARTIAL, "b"], (0, 0, 2, 3)),
        ("a\N{SNOWMAN}", ["a", PARTIAL, PARTIAL], (1, 1, 2)),
        ("a\N{SNOWMAN}", ["a", "", "\N{SNOWMAN}"], (1, 1, 2)),
        # a text that holds the mark itself
        (f"a{PARTIAL}b", ["a", PARTIAL, "b"], (1, 2, 3)),
        ("", [], ()),
        ("", ["<eos>"], (0,)),
        # they do not spell it
        ("def f", [" def", " f"], None),
        ("def f", ["def"], None),
        ("x", [], None),
    ],
)
def test_where_tokens_end(text: str, pieces: list[str], ends: tuple[int, ...] | None) -> None:
    assert ends_in(text, pieces) == ends


@given(st.lists(st.text(min_size=0, max_size=4), max_size=8), st.data())
def test_tokens_that_spell_a_text_end_where_they_do_however_it_is_cut(
    pieces: list[str], data: st.DataObject
) -> None:
    text = "".join(pieces)
    sums = [len("".join(pieces[: count + 1])) for count in range(len(pieces))]
    assert ends_in(text, pieces) == tuple(sums)
    cut = data.draw(st.integers(0, len(text)))
    ends = ends_in(text[:cut], pieces)
    if ends is not None:
        assert all(one <= other for one, other in itertools.pairwise(ends))
        assert not ends or ends[-1] == cut


def test_tokens_of_reasoning_stand_before_those_of_the_text() -> None:
    pieces = ["<think>", "x = 1", "</think>", "x", " = 1"]
    assert start_of("x = 1", pieces) == 3
    assert start_of("", pieces) == 5
    assert start_of("not there", ["a", "b"]) == 0


def test_a_stop_that_was_cut_off_is_spelt_behind_the_text() -> None:
    assert stop_behind("def f", ["def", " f", "\ncl", "ass"], ("\ndef", "\nclass")) == "\nclass"
    assert stop_behind("def f", ["def", " f", "<eos>"], ("\ndef",)) is None
    assert stop_behind("other", ["def"], ("f",)) is None
