from __future__ import annotations

import json
import math
import time
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codesample.decoding import NotJsonError, converted, decoded, parsed, repeated_key
from codesample.errors import DataError, ParameterError


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True)
class Inner:
    c: float

    def __post_init__(self) -> None:
        if self.c < 0:
            raise ParameterError(f"c = {self.c}: expected at least 0")


class Kind(msgspec.Struct):
    a: str
    i: int = 7
    f: float | None = None
    yes: bool = False
    colour: Colour | None = None
    words: tuple[str, ...] = ()
    numbers: tuple[float, ...] | None = None
    whatever: Any = None
    inner: Inner | None = None
    either: list[Any] | dict[str, Any] = []


def _decode(value: object) -> Kind:
    """Read `value` both ways, from text and from plain data, which must agree."""
    got = decoded(json.dumps(value).encode(), Kind, where="f:3")
    assert converted(value, Kind, where="f:3") == got
    return got


def test_fields_are_typed_unknown_ones_dropped_and_null_is_unsaid() -> None:
    value = {"a": "x", "f": 3, "words": ["u", "v"], "colour": "red", "inner": {"c": 1, "d": 2}, "zz": [None]}
    got = _decode(value)
    assert got == Kind("x", f=3.0, words=("u", "v"), colour=Colour.RED, inner=Inner(1.0))
    assert type(got.f) is float
    assert _decode({"a": "x", "i": None, "yes": None, "words": None}) == Kind("x")


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ({"text": "", "i": 1}, "field 'a' is missing; fields present: i, text"),
        ({"a": None}, "field 'a' is missing; fields present: none"),
        ({"a": 1}, "field 'a' is int, expected str"),
        ({"a": "", "i": True}, "field 'i' is bool, expected int"),
        ({"a": "", "i": 1.0}, "field 'i' is float, expected int"),
        ({"a": "", "f": True}, "field 'f' is bool, expected a number"),
        ({"a": "", "f": "1"}, "field 'f' is str, expected a number"),
        ({"a": "", "f": "\ud800"}, "field 'f' is str, expected a number"),
        ({"a": "", "words": "\ud800"}, "field 'words' is str, expected list"),
        ({"a": "", "inner": {"c": "\ud800"}}, "inner: field 'c' is str, expected a number"),
        ({"a": "", "f": 10**400}, "field 'f' is int, expected a number"),
        ({"a": "", "yes": 1}, "field 'yes' is int, expected bool"),
        ({"a": "", "colour": "green"}, "colour 'green'; expected one of red, blue"),
        ({"a": "", "colour": 3}, "field 'colour' is int, expected str"),
        ({"a": "", "words": ["x", 2]}, "field 'words' holds something else than strings"),
        ({"a": "", "words": "x"}, "field 'words' is str, expected list"),
        ({"a": "", "numbers": [1, None]}, "field 'numbers' holds something else than numbers"),
        ({"a": "", "numbers": [1, True]}, "field 'numbers' holds something else than numbers"),
        ({"a": "", "inner": []}, "field 'inner' is list, expected dict"),
        ({"a": "", "inner": {}}, "inner: field 'c' is missing; fields present: none"),
        ({"a": "", "inner": {"c": "x"}}, "inner: field 'c' is str, expected a number"),
        ({"a": "", "inner": {"c": -1}}, "inner: c = -1.0: expected at least 0"),
        ({"a": "", "either": "x"}, "field 'either' is str, expected list or dict"),
        ([1], "holds list, expected an object with named fields"),
        ("x", "holds str, expected an object with named fields"),
        (None, "holds NoneType, expected an object with named fields"),
    ],
)
def test_what_is_wrong_is_named_in_our_words(value: object, complaint: str) -> None:
    for read in (
        lambda: decoded(json.dumps(value).encode(), Kind, where="f:3"),
        lambda: converted(value, Kind, where="f:3"),
    ):
        with pytest.raises(DataError) as caught:
            read()
        assert str(caught.value) == f"f:3: {complaint}"


@pytest.mark.parametrize(
    "text", [b"", b"{", b'{"a": "x"} y', b"\xff\xfe\n", b'{"a": "\xff"}', b"[" * 100_000]
)
def test_what_is_no_json_is_told_from_what_holds_other_fields(text: bytes) -> None:
    with pytest.raises(NotJsonError, match=r"^f:3: not JSON: [^\n]+$"):
        decoded(text, Kind, where="f:3")
    with pytest.raises(NotJsonError, match=r"^f:3: not JSON: [^\n]+$"):
        parsed(text, where="f:3")


def test_what_pythons_own_writer_writes_beside_json_is_read() -> None:
    got = decoded(b'{"a":"\\ud800","f":NaN,"numbers":[-Infinity,1e400,1]}', Kind, where="f:3")
    assert got.a == "\ud800"
    assert got.f is not None
    assert math.isnan(got.f)
    assert got.numbers == (-math.inf, math.inf, 1.0)


def test_a_byte_order_mark_and_repeated_fields_are_read() -> None:
    assert decoded(b'\xef\xbb\xbf{"a":"x"}', Kind, where="f:3") == Kind("x")
    # the last counts, as to Python, whatever the others hold
    assert decoded(b'{"a":3,"a":"x","a":"y","i":1}', Kind, where="f:3") == Kind("y", 1)


def test_integers_of_any_size_stay_exact() -> None:
    many = {"a": "x", "i": 2**64 + 1, "whatever": [-(2**63) - 1, {"n": 10**40}]}
    got = _decode(many)
    assert (got.i, got.whatever) == (many["i"], many["whatever"])


def test_a_dict_is_asked_for_as_it_stands() -> None:
    value = {"x": None, "y": [1, None]}
    assert decoded(json.dumps(value).encode(), dict, where="f:3") == value
    assert converted(value, dict, where="f:3") == value


@given(st.lists(st.floats()))
def test_floats_are_read_to_the_bit(values: list[float]) -> None:
    got = decoded(json.dumps({"a": "", "numbers": values}).encode(), Kind, where="f:3").numbers
    assert list(map(repr, got or ())) == list(map(repr, values))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None), max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(Kind.__struct_fields__), VALUES))
def test_text_and_plain_data_give_the_same_record_or_the_same_complaint(value: dict[str, Any]) -> None:
    outcomes = []
    for read in (
        lambda: decoded(json.dumps(value).encode(), Kind, where="f:3"),
        lambda: converted(json.loads(json.dumps(value)), Kind, where="f:3"),
    ):
        try:
            outcomes.append(repr(read()))
        except DataError as error:
            outcomes.append(str(error))
    assert outcomes[0] == outcomes[1]


KEYS = st.sampled_from(["a", "b", "\\u0061", 'a\\"', 'a\\":', "\\\\", "", "é"])
JSON_TEXTS = st.recursive(
    st.sampled_from(["1", "null", '"a"', '"a\\"b\\": 1"', '"\\\\"', '","', "-1.5e3"]),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4).map(lambda items: f"[{', '.join(items)}]"),
        st.lists(st.tuples(KEYS, st.sampled_from([":", " : ", "\t:\n"]), inner), max_size=4).map(
            lambda rows: "{" + ",".join(f'"{key}"{colon}{value}' for key, colon, value in rows) + "}"
        ),
    ),
    max_leaves=12,
)


@given(text=JSON_TEXTS)
def test_a_key_that_is_named_twice_is_found_in_bytes_as_in_text(text: str) -> None:
    named = repeated_key(text)
    assert repeated_key(text.encode()) == named
    if text[0] in "[{":
        # which Python tells by its first bytes
        assert repeated_key(text.encode("utf-16-le")) == named


@pytest.mark.parametrize("end", ["", "\\", '"', '"}'])
def test_a_text_that_is_cut_off_in_a_string_names_no_key_twice_and_is_soon_read(end: str) -> None:
    text = '{"a": 1, "b": "' + '\\"' * 200_000 + end
    began = time.process_time()
    assert repeated_key(text.encode()) is None
    assert time.process_time() - began < 2.0
