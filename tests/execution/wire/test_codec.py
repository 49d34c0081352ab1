"""Plain data crosses unchanged; nothing else does, and no bytes can make decoding do anything else."""

from __future__ import annotations

import collections
import enum
import json
import math
import tracemalloc
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codesample.execution.wire import codec
from codesample.execution.wire.codec import CodecError, decode, encode

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=-(1 << 20_000), max_value=1 << 20_000)
    | st.floats(allow_nan=False)
    | st.complex_numbers(allow_nan=False)
    | st.text(alphabet=st.characters(exclude_categories=()))
    | st.binary()
)
hashables = st.recursive(scalars, lambda inner: st.tuples(inner, inner) | st.frozensets(inner, max_size=4))
values = st.recursive(
    scalars | hashables,
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.lists(inner, max_size=5).map(tuple)
        | st.dictionaries(hashables, inner, max_size=5)
        | st.sets(hashables, max_size=5)
    ),
    max_leaves=12,
)


def same(one: Any, other: Any) -> bool:
    """Equal, and of equal types all the way down, where order allows telling."""
    if type(one) is not type(other) or one != other:
        return False
    if type(one) in (list, tuple):
        return all(same(a, b) for a, b in zip(one, other, strict=True))
    if type(one) is dict:
        return all(same(one[key], other[key]) for key in one)
    return True


@given(values)
def test_plain_data_comes_back_equal_and_of_the_same_types(value: Any) -> None:
    assert same(decode(encode(value)), value)


@pytest.mark.parametrize("value", [math.inf, -math.inf, -0.0, 1e-320, complex(-0.0, math.inf)])
def test_special_numbers_come_back(value: Any) -> None:
    assert repr(decode(encode(value))) == repr(value)


def test_not_a_number_comes_back() -> None:
    assert math.isnan(decode(encode(math.nan)))


@pytest.mark.parametrize("kind", [int, str, list, dict, type(None), object])
def test_built_in_types_cross_by_name(kind: type) -> None:
    assert decode(encode(kind)) is kind


class Colour(enum.IntEnum):
    RED = 1


class LyingList(list):  # type: ignore[type-arg]
    __iter__ = lambda self: iter([9, 9])  # type: ignore[assignment]
    __len__ = lambda self: 7
    __eq__ = lambda self, other: True  # type: ignore[assignment]


class LyingInt(int):
    __pos__ = __index__ = __int__ = lambda self: 42
    __eq__ = lambda self, other: True  # type: ignore[assignment]
    __hash__ = int.__hash__


class LyingText(str):
    __str__ = lambda self: "lie"


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (Colour.RED, 1),
        (LyingList([1, 2]), [1, 2]),
        (LyingInt(5), 5),
        (LyingText("truth"), "truth"),
        (collections.defaultdict(lambda: 1, {1: [2]}), {1: [2]}),
        (collections.namedtuple("Point", "x y")(1, 2), (1, 2)),
        (bytearray(b"ab"), bytearray(b"ab")),
        (True, True),
    ],
)
def test_subclasses_arrive_as_the_data_they_hold(value: Any, plain: Any) -> None:
    assert same(decode(encode(value)), plain)


@pytest.mark.parametrize("value", [object(), len, lambda: 0, iter([]), type, type("A", (), {})()])
def test_other_values_are_refused(value: Any) -> None:
    with pytest.raises(CodecError):
        encode(value)
    with pytest.raises(CodecError):
        encode([{"key": (value,)}])


def test_other_values_go_through_the_opaque_hook() -> None:
    seen: list[Any] = []

    def opaque(value: Any) -> Any:
        seen.append(value)
        return {"h": [len(seen) - 1, "thing"]}

    thing = object()
    assert decode(encode([thing], opaque), {"h": lambda content: content}) == [[0, "thing"]]
    assert seen == [thing]


def test_depth_is_bounded_for_cycles_too() -> None:
    deep: list[Any] = []
    for _ in range(codec.MAX_DEPTH - 1):
        deep = [deep]
    assert decode(encode(deep)) == deep
    cycle: list[Any] = []
    cycle.append(cycle)
    for value in ([deep], cycle, {"a": cycle}):
        with pytest.raises(CodecError, match="deeper"):
            encode(value)


@given(st.integers(codec.MAX_DEPTH - 5, codec.MAX_DEPTH + 5), st.randoms(use_true_random=False), values)
def test_nesting_comes_back_or_is_refused(depth: int, random: Any, value: Any) -> None:
    for _ in range(depth):
        value = random.choice([lambda v: [v], lambda v: (v, 1), lambda v: {1: v}])(value)
    try:
        encoded = encode(value)
    except CodecError:
        assert depth > codec.MAX_DEPTH / 2 - 5
        return
    assert same(decode(encoded), value)


def test_our_own_messages_may_hold_any_number_of_elements() -> None:
    long = encode([0] * (codec.MAX_ELEMENTS + 1))
    with pytest.raises(CodecError, match="elements"):
        decode(long)
    assert len(decode(long, trusted=True)) == codec.MAX_ELEMENTS + 1


@pytest.mark.parametrize("value", [[[]] * 1_000, [{n} for n in range(1_000)], "x" * 10_000, [0.5] * 1_000])
def test_footprint_is_at_least_what_decoding_takes(value: Any) -> None:
    encoded = encode(value)
    tracemalloc.start()
    decoded = decode(encoded)
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert decoded == value
    assert 0.5 * taken < codec.footprint(encoded) < 20 * taken


@pytest.mark.parametrize(
    "value", [collections.namedtuple("P", "x")(1), Colour.RED, [{1: LyingList()}], {LyingText()}]
)
def test_subclasses_are_refused_where_types_must_agree(value: Any) -> None:
    assert encode(value)
    with pytest.raises(CodecError, match="not plain data"):
        encode(value, exact=True)


@given(values)
def test_built_in_types_agree_with_themselves(value: Any) -> None:
    assert encode(value, exact=True) == encode(value)


def test_long_integers_cross_up_to_a_limit() -> None:
    assert decode(encode(-(1 << 1_000_000))) == -(1 << 1_000_000)
    with pytest.raises(CodecError, match="bits"):
        encode(1 << (1 << 25))


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[",
        b"nul",
        b"\xff\xfe",
        b'{"t":[1],"s":[2]}',
        b"{}",
        b'{"x":1}',
        b'{"t":1}',
        b'{"t":{"h":0}}',
        b'{"s":[[]]}',
        b'{"d":[[1]]}',
        b'{"d":[[[],1]]}',
        b'{"d":[1]}',
        b'{"d":{"t":[]}}',
        b'{"b":"zz"}',
        b'{"b":1}',
        b'{"c":[1,2]}',
        b'{"c":[1.0]}',
        b'{"i":"xyz"}',
        b'{"i":1.5}',
        b'{"i":"' + b"f" * (1 << 24) + b'"}',
        b'{"n":"eval"}',
        b'{"n":"SystemExit"}',
        b'{"n":"__loader__"}',
        b'{"n":["int"]}',
        b'{"h":[0,"int"]}',
        b'{"__class__":"os"}',
        b"1" * 5_000,
        b"[" * 100_000,
        b'{"t":[' * 50_000,
        b"[" + b"[]," * 2_100_000 + b"[]]",
    ],
)
def test_malformed_messages_are_refused(raw: bytes) -> None:
    with pytest.raises(CodecError):
        decode(raw)


@settings(max_examples=200)
@given(st.binary(max_size=200))
def test_random_bytes_decode_or_are_refused(raw: bytes) -> None:
    try:
        decode(raw)
    except CodecError:
        return


json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("tsfdbacinhx"), inner, max_size=2)
    ),
    max_leaves=12,
)


@settings(max_examples=200)
@given(json_like)
def test_random_tags_decode_to_plain_data_or_are_refused(tree: Any) -> None:
    try:
        value = decode(json.dumps(tree).encode())
    except CodecError:
        return
    assert same(decode(encode(value)), value) or value != value or "nan" in repr(value)


@pytest.mark.parametrize("kind", [set, frozenset, dict.fromkeys])
def test_keys_chosen_to_collide_are_refused(kind: Any) -> None:
    few, many = (kind(n * (2**61 - 1) for n in range(count)) for count in (50, 500))
    assert decode(encode(few)) == few
    assert decode(encode(kind(range(5_000)))) == kind(range(5_000))
    with pytest.raises(CodecError, match="chosen to collide"):
        decode(encode(many))
