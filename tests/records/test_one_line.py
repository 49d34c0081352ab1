"""Records in one line: every exported one, with long texts and many items; spelt in full where it counts."""

from __future__ import annotations

import dataclasses
import enum
import inspect
import pickle
import types
import typing
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import pytest

import codesample
from codesample.records import CallExample, Message, PublicView, Request, SamplingParams
from codesample.records.short import one_line, spelt

LONG = 'line "one"\nline two\n' * 50
RECORDS = [
    name
    for name in codesample.__all__
    if inspect.isclass(getattr(codesample, name)) and dataclasses.is_dataclass(getattr(codesample, name))
]
# their lines are made of what several fields say together; real ones are looked at where they are tested
OF_RUNS = {"Report", "RunContents", "RunTable", "TableRow"}


def example(hint: Any, depth: int = 0) -> Any:
    """Make a large value of a type."""
    origin, inner = typing.get_origin(hint), [each for each in typing.get_args(hint) if each is not Ellipsis]
    if origin in (typing.Union, types.UnionType):
        return example(next(each for each in inner if each is not type(None)), depth)
    if origin is typing.Literal:
        return inner[0]
    if hint in (str, Any, object) or isinstance(hint, typing.TypeVar):
        return LONG
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return next(iter(hint))
    if hint in (int, float, bool, bytes, Path, slice):
        return {int: 12345, float: 1 / 3, bool: True, bytes: b"\n" * 99, Path: Path("/a/b" * 30)}.get(hint)
    kind = origin or hint
    if kind is Callable or getattr(hint, "_is_protocol", False):
        return example
    if dataclasses.is_dataclass(kind):
        return made(kind, depth + 1)
    if isinstance(kind, type) and issubclass(kind, Mapping):
        return {f"{LONG}{i}": example(inner[1], depth + 1) for i in range(6)} if inner else {}
    if isinstance(kind, type) and issubclass(kind, Collection):
        each = [example(inner[0], depth + 1)] * 30 if inner else []
        return kind(each) if kind in (tuple, list) else tuple(each)
    return object()


def made(kind: Any, depth: int = 0) -> Any:
    """Make a record without asking it whether it agrees."""
    record = object.__new__(kind)
    hints = typing.get_type_hints(kind, vars(inspect.getmodule(kind)) | vars(codesample.records))
    for each in dataclasses.fields(kind):
        object.__setattr__(record, each.name, example(hints[each.name], depth) if depth < 4 else None)
    return record


@pytest.mark.parametrize("name", sorted(set(RECORDS) - OF_RUNS))
def test_every_record_is_one_short_line(name: str) -> None:
    line = repr(made(getattr(codesample, name)))
    assert line.startswith(f"{name}(")
    assert line.endswith(")")
    assert "\n" not in line
    assert len(line) <= 250


def test_a_text_of_escapes_leaves_the_line_short() -> None:
    for text in ("\U000e0001" * 500, "\ud800" * 30, "\x00\n" * 99):
        line = repr(Request(text, text, (0,)))
        assert len(line) <= 250
        assert "prompt=" in line
        assert "indices=(0,)" in line


def test_only_a_few_records_say_more_than_their_fields() -> None:
    own = {name for name in RECORDS if getattr(codesample, name).__repr__ is not one_line}
    assert own >= {"Candidate", "Problem", "Verdict", "BestOfN"}
    assert len(own) <= 13


def test_what_is_by_default_is_left_out_and_what_is_long_is_shortened() -> None:
    assert repr(SamplingParams()) == "SamplingParams()"
    assert (
        repr(SamplingParams(temperature=0, stop=("\n#",))) == "SamplingParams(temperature=0, stop=('\\n#',))"
    )
    assert repr(SamplingParams(top_p=1)) == "SamplingParams(top_p=1)"
    line = repr(Request("a/1", LONG, tuple(range(64))))
    assert line == f"Request(task_id='a/1', prompt={LONG[:40]!r}..., indices=<64 items>)"
    assert repr(Request("a/1", [Message("user", "Hi")], (0,))) == (
        "Request(task_id='a/1', prompt=(Message(role='user', content='Hi'),), indices=(0,))"
    )


def test_a_record_that_is_printed_short_is_spelt_in_full() -> None:
    first, second = (
        PublicView("t", "t/1", LONG + end, LONG, "f", (CallExample("f(1)", LONG),), atol=0.5)
        for end in ("1", "2")
    )
    assert repr(first) == repr(second)
    assert spelt(first) != spelt(second)
    plain = dataclasses.make_dataclass(
        "PublicView", [(each.name, each.type) for each in dataclasses.fields(first)]
    )
    values = {each.name: getattr(first, each.name) for each in dataclasses.fields(first)}
    generated = repr(plain(**values | {"examples": ()}))
    assert spelt(dataclasses.replace(first, examples=())) == generated
    assert spelt(((first,), [second], {"a": first}, 1)) == (
        f"(({spelt(first)},), [{spelt(second)}], {{'a': {spelt(first)}}}, 1)"
    )


def test_records_are_equal_and_travel_as_before() -> None:
    params = SamplingParams(temperature=0.5)
    assert pickle.loads(pickle.dumps(params)) == params
    assert hash(params) == hash(SamplingParams(temperature=0.5))
