"""No reply of a program can make its stand-in do anything but return plain data, raise, or stop."""

from __future__ import annotations

import collections
import contextlib
import enum
import fractions
import json
import math
import operator
import os
import typing
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codesample.execution.wire import codec
from codesample.execution.worker.exchange import ProgramStopped
from codesample.execution.worker.remote import Handle, Remote, brief, crossed, said, shown
from codesample.records import Status

Remotes = Callable[..., Remote]


@settings(max_examples=200)
@given(data=st.data())
def test_any_reply_is_a_value_an_exception_or_the_end(
    remote: Remotes, any_reply: Any, data: st.DataObject
) -> None:
    program = remote(data.draw(any_reply))
    outcome: Any = None
    try:
        value = program.perform("call", 1)
    except (ProgramStopped, Exception) as error:
        outcome = error
    if isinstance(outcome, ProgramStopped):
        assert outcome.status is not Status.PASSED
    elif outcome is not None:
        assert crossed(outcome)
        assert not isinstance(outcome, (StopIteration, StopAsyncIteration))
    else:
        # a message may be nested deeper than a program's own side would make it
        with contextlib.suppress(codec.CodecError):
            codec.encode(
                value, lambda item: {"h": 0} if type(item) is Handle else pytest.fail(f"{item!r} crossed")
            )


@settings(max_examples=100)
@given(data=st.data(), count=st.integers(1, 3))
def test_any_batch_yields_as_many_replies_as_inputs_or_stops(
    remote: Remotes, any_reply: Any, data: st.DataObject, count: int
) -> None:
    program = remote(*data.draw(st.lists(any_reply, max_size=3)))
    function = Handle(program, 0, "function")
    try:
        got = [reply for part in program.batch(function, b"[]", count) for reply in part.replies]
    except ProgramStopped:
        return
    assert len(got) == count


@pytest.mark.parametrize(
    "kind", ["SystemExit", "KeyboardInterrupt", "GeneratorExit", "BaseException", "eval", "nonsense"]
)
def test_what_is_no_exception_ends_the_program(remote: Remotes, kind: str) -> None:
    with pytest.raises(ProgramStopped) as caught:
        remote(json.dumps(["raise", kind, [], "line 1"]).encode()).perform("call", 1)
    assert caught.value.status is Status.ERROR


def test_exceptions_arrive_with_their_arguments_and_their_place(remote: Remotes) -> None:
    reply = json.dumps(["raise", "KeyError", ["missing", 3], "line 7, in f"]).encode()
    with pytest.raises(KeyError) as caught:
        remote(reply).perform("call", 1)
    assert caught.value.args == ("missing", 3)
    assert caught.value.__notes__ == ["line 7, in f"]


def test_exceptions_that_cannot_be_built_arrive_as_runtime_errors(remote: Remotes) -> None:
    with pytest.raises(RuntimeError):
        remote(b'["raise","UnicodeDecodeError",[1],"x"]').perform("call", 1)


def test_an_object_of_the_program_is_one_handle_however_often_it_comes(remote: Remotes) -> None:
    program = remote(b'["value",[{"h":[1,"Match"]},{"h":[1,"Match"]},{"h":[2,"Match"]}]]')
    one, twin, other = program.perform("call", 1)
    assert one is twin
    assert one == twin
    assert not program.met_opaque
    assert one != other
    assert program.met_opaque


def test_handles_of_two_programs_are_never_equal(remote: Remotes) -> None:
    assert Handle(remote(), 1, "Match") != Handle(remote(), 1, "Match")


def test_a_handle_equals_nothing_but_itself(remote: Remotes) -> None:
    program = remote()
    handle = Handle(program, 1, "Match")
    for value in (True, 1, 0, "", None, [handle], "Match", int):
        assert handle != value
        assert program.met_opaque
        program.met_opaque = False


COMPUTING = {
    "order": lambda h: h < 1,
    "sum": lambda h: h + 1,
    "reflected difference": lambda h: 1 - h,
    "matrix product": lambda h: h @ h,
    "quotient and rest": lambda h: divmod(7, h),
    "shift": lambda h: h << 1,
    "minus": lambda h: -h,
    "inverse": lambda h: ~h,
    "absolute": abs,
    "integer": int,
    "float": float,
    "complex": complex,
    "rounding": round,
    "floor": math.floor,
    "path": os.fspath,
    "next": next,
    "context": lambda h: h.__enter__(),
    "deletion of an item": lambda h: operator.delitem(h, 0),
    "deletion of an attribute": lambda h: delattr(h, "x"),
    "instance of it": lambda h: isinstance(1, h),
    "subclass of it": lambda h: issubclass(int, h),
}


@pytest.mark.parametrize("use", COMPUTING.values(), ids=COMPUTING)
def test_computing_with_a_handle_fails_and_is_noticed(remote: Remotes, use: Any) -> None:
    program = remote()
    with pytest.raises(TypeError):
        use(Handle(program, 1, "object"))
    assert program.met_opaque


ASKING = {
    "text": str,
    "representation": repr,
    "format": "{:>9}".format,
    "hash": hash,
    "truth": bool,
    "instance of a class": lambda h: isinstance(h, fractions.Fraction),
    "instance of a protocol": lambda h: isinstance(h, typing.SupportsInt),
    "hidden method": lambda h: hasattr(h, "__array__"),
    "key": lambda h: {h: 1},
}


@pytest.mark.parametrize("use", ASKING.values(), ids=ASKING)
def test_questions_that_a_handle_answers_itself_are_noticed(remote: Remotes, use: Any) -> None:
    program = remote()
    use(Handle(program, 1, "object"))
    assert program.met_opaque


def test_a_handle_is_searched_by_what_it_yields(remote: Remotes) -> None:
    program = remote(
        b'["value",[1,2]]', b'["value",[1,2]]', b'["raise","TypeError",["not iterable"],"line 1"]'
    )
    handle = Handle(program, 1, "Bag")
    assert 2 in handle
    assert not program.met_opaque
    assert 3 not in handle
    assert program.met_opaque
    program.met_opaque = False
    with pytest.raises(TypeError, match="searched"):
        assert 3 in handle
    assert program.met_opaque


def test_a_handle_that_yields_no_list_ends_the_program(remote: Remotes) -> None:
    with pytest.raises(ProgramStopped):
        list(Handle(remote(b'["value",{"h":[1,"Endless"]}]'), 1, "Endless"))


def test_handles_cannot_be_inspected_locally(remote: Remotes) -> None:
    handle = Handle(remote(), 1, "object")
    for name in ("__array__", "__float__x", "__iter_x__", "_codesample_secret"):
        with pytest.raises(AttributeError):
            getattr(handle, name)


@pytest.mark.parametrize("value", [collections.Counter("a"), enum.IntEnum("Colour", "RED")["RED"]])
def test_arguments_that_would_arrive_as_another_type_are_refused(remote: Remotes, value: Any) -> None:
    with pytest.raises(ProgramStopped, match="not plain data") as caught:
        Handle(remote(), 1, "function")([value])
    assert caught.value.status is Status.UNSUPPORTED_VALUE


def test_only_functions_asked_for_are_loaded(remote: Remotes) -> None:
    reply = b'["value",{"d":[["f",{"h":[0,"type"]}],["abs",{"h":[1,"function"]}]]}]'
    assert list(remote(reply).load("", ["f", "g"])) == ["f"]
    for malformed in (b'["value",[]]', b'["value",{"h":[0,"dict"]}]'):
        with pytest.raises(ProgramStopped):
            remote(malformed).load("", ["f"])


def test_every_value_can_be_described() -> None:
    for value in (10**5_000, -(10**5_000), [10**5_000], {1: 10**5_000}, "x" * 10_000, None):
        assert 0 < len(brief(value)) < 200
        assert said(ValueError(value)).startswith("ValueError")


def test_what_is_shown_is_short_and_cannot_steer_a_terminal() -> None:
    assert shown("\x1b[2J\ud800\u202e\n" + "x" * 5_000) == "?[2J??\n" + "x" * 993


def test_tests_that_hand_over_functions_are_told_so(remote: Remotes) -> None:
    program = remote()
    with pytest.raises(ProgramStopped, match="hand over what cannot cross"):
        Handle(program, 1, "function")(lambda: 0)
