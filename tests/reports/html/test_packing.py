"""Data of a page: what a browser reads back is what was put in, and nothing in it can be taken for HTML."""

from __future__ import annotations

import base64
import gzip
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codesample.reports.html.packing import packed, shortened, utf16_lengths

TEXTS = st.text(st.characters(codec=None, categories=("L", "N", "P", "Z", "C", "S"))) | st.sampled_from(
    ["</script>", "<!-- <script>", "\x00", "\ud800", "\udc00x", "😀\ud83d", "\u202eabc"]
)


def unpacked(text: str) -> object:
    return json.loads(gzip.decompress(base64.b64decode(text)))


@given(st.lists(TEXTS) | st.dictionaries(TEXTS, TEXTS))
def test_packed_data_come_back_and_hold_no_character_of_markup(value: object) -> None:
    text = packed(value)
    assert unpacked(text) == value
    assert re.fullmatch(r"[A-Za-z0-9+/=]+", text)


def test_equal_data_are_equal_text() -> None:
    assert packed({"a": [1, None]}) == packed({"a": [1, None]})


def test_a_number_that_json_lacks_is_refused() -> None:
    with pytest.raises(ValueError, match="JSON"):
        packed([float("nan")])


@given(TEXTS, st.data())
def test_pieces_cut_where_a_browser_counts_are_those_cut_here(text: str, data: st.DataObject) -> None:
    ends = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=8)))
    lengths = utf16_lengths(text, ends)
    units = text.encode("utf-16-le", "surrogatepass")
    begin = 0
    for length, first, last in zip(lengths, [0, *ends], ends, strict=False):
        piece = units[2 * begin : 2 * (begin + length)]
        assert piece == text[first:last].encode("utf-16-le", "surrogatepass")
        begin += length


@given(st.integers(0, 400), st.integers(8, 300))
def test_a_long_text_keeps_begin_and_end_and_says_what_is_missing(size: int, most: int) -> None:
    text = "".join(chr(65 + at % 26) for at in range(size))
    shown = shortened(text, most)
    if size <= most:
        assert shown == text
        return
    begin, end = shown.split(f"\n[... {size - most:,} characters left out of this page ...]\n")
    assert text.startswith(begin)
    assert text.endswith(end)
    assert len(begin) + len(end) == most
