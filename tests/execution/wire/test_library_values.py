"""Values of the standard library come back as themselves, and hostile data builds none."""

from __future__ import annotations

import array
import collections
import datetime
import decimal
import fractions
import pathlib
import re
import types
import uuid
from typing import Any

import pytest

from codesample.execution.wire import library_values as values
from codesample.execution.wire.codec import CodecError, decode, encode

EAST = datetime.timezone(datetime.timedelta(hours=2), "east")
VALUES: list[Any] = [
    decimal.Decimal("1.50"),
    decimal.Decimal("-Infinity"),
    fractions.Fraction(-1, 3),
    datetime.date(2020, 2, 29),
    datetime.time(1, 2, 3, 4, EAST, fold=1),
    datetime.datetime(2020, 2, 29, 1, 2, 3, 4, datetime.UTC),
    datetime.timedelta(-3, 4, 5),
    EAST,
    collections.deque([1, [2]], 5),
    collections.OrderedDict([("b", 1), ("a", [2])]),
    collections.Counter("aab"),
    collections.defaultdict(list, {1: [2]}),
    collections.defaultdict(None, {1: 2}),
    range(1, 9, 2),
    slice(None, 3),
    ...,
    NotImplemented,
    {1: 2}.keys(),
    {1: [2]}.items(),
    memoryview(b"ab"),
    uuid.UUID(int=5),
    pathlib.PurePosixPath("/a/b"),
    array.array("d", [0.5]),
    re.compile("a+", re.IGNORECASE),
    re.compile(b"a+"),
    types.MappingProxyType({1: [2]}),
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_values_come_back_equal_and_of_the_same_type(value: Any) -> None:
    for around in (value, [value], {"key": (value,)}):
        assert decode(encode(around, exact=True)) == around
    assert type(decode(encode(value))) is type(value)


def test_views_of_values_come_back_in_order() -> None:
    assert list(decode(encode({1: "a", 2: "b"}.values()))) == ["a", "b"]


def test_what_they_hold_comes_back_too() -> None:
    moved = collections.OrderedDict(a=1, b=2)
    moved.move_to_end("a")
    assert list(decode(encode(moved))) == ["b", "a"]
    twin = decode(encode(collections.deque([1], 3)))
    assert twin.maxlen == 3
    assert decode(encode(collections.defaultdict(list)))["new"] == []
    assert decode(encode(EAST)).tzname(None) == "east"
    assert decode(encode(datetime.time(1, fold=1))).fold == 1


def test_every_entry_is_tried() -> None:
    tried = {form.name for value in VALUES if (form := values.form_of(type(value)))}
    assert values.NAMES - tried == {"builtins.dict_values", "pathlib.PureWindowsPath", "pathlib.PosixPath"}


@pytest.mark.parametrize(
    "kind", [decimal.Decimal, fractions.Fraction, collections.deque, collections.Counter]
)
def test_a_class_that_only_bears_the_name_is_none_of_them(kind: type) -> None:
    fake = type(kind.__name__, (), {"__module__": kind.__module__})
    with pytest.raises(CodecError):
        encode(fake())


@pytest.mark.parametrize(
    "content",
    [
        "3",
        "[]",
        '["os.system","ls"]',
        '["builtins.eval","1"]',
        '["decimal.Decimal","x"]',
        '["fractions.Fraction",[1,0]]',
        '["fractions.Fraction",[1,"2"]]',
        '["datetime.date",[2020,2,30]]',
        '["datetime.datetime",[2020]]',
        '["collections.deque",[[1],-1]]',
        '["collections.defaultdict",["eval",{"d":[]}]]',
        '["re.Pattern",["(",0]]',
        '["array.array",["q",["x"]]]',
        '["uuid.UUID","no"]',
        '[["decimal.Decimal"],"1"]',
    ],
)
def test_hostile_data_is_refused(content: str) -> None:
    with pytest.raises(CodecError):
        decode(f'{{"v":{content}}}'.encode())


ENDLESS = '{"v":["builtins.range",[0,1000000000000000,1]]}'


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("collections.deque", f"[{ENDLESS},null]"),
        ("collections.deque", '[{"v":["collections.deque",[[],null]]},null]'),
        ("collections.Counter", ENDLESS),
        ("collections.OrderedDict", '[["a",1]]'),
        ("collections.defaultdict", f'["int",{ENDLESS}]'),
        ("array.array", f'["d",{ENDLESS}]'),
        ("fractions.Fraction", '["1e999999999",1]'),
        ("fractions.Fraction", f'[{{"i":"{"f" * 100_000}"}},{{"i":"{"e" * 100_000}"}}]'),
        ("decimal.Decimal", "[0,[1],2]"),
        ("uuid.UUID", "1"),
        ("builtins.range", "[true,1,1]"),
        ("builtins.memoryview", '{"a":"00"}'),
        ("builtins.mappingproxy", '"text"'),
        ("re.Pattern", '[{"v":["re.Pattern",["a",32]]},32]'),
    ],
)
def test_data_of_other_types_than_its_own_are_refused(name: str, data: str) -> None:
    with pytest.raises(CodecError):
        decode(f'{{"v":["{name}",{data}]}}'.encode())
