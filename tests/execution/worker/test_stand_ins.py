"""Stand-ins take part in what the program's objects take part in, and let none claim to equal anything."""

from __future__ import annotations

import collections.abc
import contextlib
import copy
import math
import operator
import os
from collections import deque
from collections.abc import Callable
from typing import Any

import pytest

from codesample.execution.wire import codec
from codesample.execution.worker.exchange import ProgramStopped
from codesample.execution.worker.remote import Remote
from codesample.execution.worker.stand_ins import make
from codesample.records import Status

Remotes = Callable[..., Remote]

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
    "length": len,
    "items": lambda h: h[0],
    "call": lambda h: h(),
    "loop": list,
}


@pytest.mark.parametrize("use", COMPUTING.values(), ids=COMPUTING)
def test_what_the_object_cannot_do_fails_as_in_the_program(remote: Remotes, use: Any) -> None:
    program = remote()
    with pytest.raises(TypeError):
        use(make(program, 1, "Plain", ""))
    assert not program.met_opaque


ASKED = {
    "add": (lambda h: h + h, "5", 5),
    "neg": (lambda h: -h, "5", 5),
    "int": (int, "5", 5),
    "float": (float, "0.5", 0.5),
    "round": (lambda h: round(h, 1), "0.5", 0.5),
    "len": (len, "3", 3),
    "bool": (bool, "false", False),
    "str": (str, '"text"', "text"),
    "repr": (repr, '"text"', "text"),
    "getitem": (lambda h: h[2], "7", 7),
    "call": (lambda h: h(2), "7", 7),
}


@pytest.mark.parametrize(("protocol", "case"), ASKED.items(), ids=ASKED)
def test_what_the_object_can_do_is_asked_of_it(remote: Remotes, protocol: str, case: Any) -> None:
    use, answer, expected = case
    program = remote(f'["value",{answer}]'.encode())
    assert use(make(program, 1, "Able", protocol)) == expected
    assert not program.met_opaque


@pytest.mark.parametrize("use", [lambda h: h - 2, lambda h: 2 - h, lambda h: divmod(h, 2), lambda h: 2**h])
def test_results_of_operators_that_were_told_the_other_side_are_noted(remote: Remotes, use: Any) -> None:
    program = remote(b'["value",0.0]')
    use(make(program, 1, "Zero", "sub rsub divmod rpow"))
    assert program.met_opaque


def test_operators_of_numbers_count_where_numbers_say_the_same(remote: Remotes) -> None:
    program = remote(b'["value",5]', b'["value",6]')
    assert make(program, 1, "Number", "add", 3) + 2 == 5
    assert not program.met_opaque
    assert make(program, 1, "Number", "add", 3) + 2 == 6
    assert program.met_opaque


@pytest.mark.parametrize("protocol", ["str", "repr", "int", "float", "len"])
def test_answers_of_another_type_are_refused(remote: Remotes, protocol: str) -> None:
    ask = {"str": str, "repr": repr, "int": int, "float": float, "len": len}[protocol]
    program = remote(b'["value",[1]]')
    with pytest.raises(TypeError):
        ask(make(program, 1, "Odd", protocol))


@pytest.mark.parametrize("value", [True, 1, 0, "", None, [], "Match", int], ids=repr)
def test_an_object_without_equality_of_its_own_equals_nothing_but_itself(remote: Remotes, value: Any) -> None:
    program = remote()
    one = make(program, 1, "Match", "")
    assert one == one
    assert one != value
    assert one != make(program, 2, "Match", "")
    assert not program.met_opaque


def test_that_it_equals_another_is_not_believed(remote: Remotes) -> None:
    program = remote(b'["value",false]', b'["value",true]')
    assert make(program, 1, "Any", "eq hash") != 4
    assert not program.met_opaque
    assert make(program, 1, "Any", "eq hash") == 4
    assert program.met_opaque


def test_that_it_differs_is_believed(remote: Remotes) -> None:
    program = remote(b'["value",true]', b'["value",false]')
    assert make(program, 1, "Any", "ne") != 4
    assert not program.met_opaque
    assert not (make(program, 1, "Any", "ne") != 4)  # noqa: SIM202
    assert program.met_opaque


@pytest.mark.parametrize("use", [lambda h: h < 3, lambda h: 3 in h, hash, lambda h: {h: 1}, copy.copy])
def test_what_could_be_a_lie_is_noted(remote: Remotes, use: Any) -> None:
    program = remote(b'["value",true]')
    with contextlib.suppress(TypeError):
        use(make(program, 1, "Any", "lt contains hash"))
    assert program.met_opaque


def test_items_come_one_by_one_and_in_lots_once_there_are_many(remote: Remotes) -> None:
    program = remote()
    asked: list[int] = []

    def ask(request: bytes) -> bytes:
        most = codec.decode(request, {"h": lambda content: None}, trusted=True)[2]
        asked.append(most)
        items = list(range(sum(asked[:-1]), sum(asked)))
        return codec.encode(["value", (items, False, None)])

    program.exchange.ask = ask  # type: ignore[method-assign]
    endless = make(program, 1, "generator", "iter next")
    assert [next(endless) for _ in range(2_000)] == list(range(2_000))
    assert asked[:512] == [1] * 512
    assert len(asked) < 518


def counting(remote: Remotes) -> tuple[Remote, list[int]]:
    """Return a program with an iterator of some 5,000 items, and a list of how many it is asked for."""
    program, asked = remote(), []

    def ask(request: bytes) -> bytes:
        operation, _, *rest = codec.decode(request, {"h": lambda content: None}, trusted=True)
        if operation in ("call", "iterate"):
            return b'["value",{"h":[1,"generator","iter next"]}]'
        if operation != "next":
            return codec.encode(["value", 0])
        asked.append(rest[0])
        return codec.encode(["value", ([0] * rest[0], sum(asked) > 5_000, None)])

    program.exchange.ask = ask  # type: ignore[method-assign]
    return program, asked


def test_items_come_in_lots_where_all_are_taken_at_once(remote: Remotes) -> None:
    program, asked = counting(remote)
    found = list(make(program, 2, "function", "call")())
    assert asked[:3] == [2, 4, 8]
    assert max(asked) == 1_024
    assert len(found) == sum(asked)
    assert not program.ran_ahead


def test_items_come_one_by_one_where_something_else_is_done_meanwhile(remote: Remotes) -> None:
    program, asked = counting(remote)
    items, other = make(program, 1, "generator", "iter next"), make(program, 2, "Other", "")
    for _ in range(3):
        for _ in range(511):
            next(items)
        _ = other.anything
    assert set(asked) == {1}
    assert not program.ran_ahead


def test_a_program_that_ran_ahead_is_noted(remote: Remotes) -> None:
    program, asked = counting(remote)
    items, other = make(program, 1, "generator", "iter next"), make(program, 2, "Other", "")
    for _ in range(513):
        next(items)
    assert asked[-1] > 1
    assert not program.ran_ahead
    _ = other.anything
    assert program.ran_ahead


def test_items_before_an_exception_come_first(remote: Remotes) -> None:
    error = '{"e":[["builtins.ValueError"],null,["x"],null,[],null,null,false]}'
    program = remote(f'["value",{{"t":[[1],false,{error}]}}]'.encode(), b'["value",{"t":[[],true,null]}]')
    generator = make(program, 1, "generator", "iter next")
    assert next(generator) == 1
    with pytest.raises(ValueError, match="x"):
        next(generator)
    with pytest.raises(StopIteration):
        next(generator)


@pytest.mark.parametrize("said", ["3", '{"t":[[],false,null]}', '{"t":[[1,2],true,null]}'])
def test_an_iterator_that_yields_no_items_ends_the_program(remote: Remotes, said: str) -> None:
    program = remote(f'["value",{said}]'.encode())
    with pytest.raises(ProgramStopped):
        next(make(program, 1, "generator", "iter next"))


def test_protocols_are_those_of_the_object(remote: Remotes) -> None:
    program = remote()
    generator = make(program, 1, "generator", "iter next")
    assert isinstance(generator, collections.abc.Iterator)
    assert not isinstance(generator, collections.abc.Sized)
    assert type(generator).__name__ == "generator"
    assert not isinstance(make(program, 2, "Plain", ""), collections.abc.Iterable)


@pytest.mark.parametrize(
    ("data", "base"),
    [((1, 2), tuple), (3, int), ("text", str), (0.5, float), (frozenset({1}), frozenset), (b"x", bytes)],
    ids=repr,
)
def test_an_instance_of_a_subclass_is_its_data_too(remote: Remotes, data: Any, base: type) -> None:
    program = remote(b'["value","asked"]')
    value = make(program, 1, "Own", "", data)
    assert isinstance(value, base)
    assert value == data
    assert data == value
    assert hash(value) == hash(data)
    assert type(value).__name__ == "Own"
    assert value.name == "asked"
    assert not program.met_opaque


def test_equality_of_its_own_counts_only_where_its_data_say_the_same(remote: Remotes) -> None:
    program = remote(b'["value",true]', b'["value",false]', b'["value",true]')
    value = make(program, 1, "Number", "eq hash", 0)
    assert value == 0
    assert not value == 0  # noqa: SIM201
    assert not program.met_opaque
    assert value == 4
    assert program.met_opaque


@pytest.mark.parametrize("data", [[1, 2], {1: 2}, {1}, bytearray(b"x"), deque([1])], ids=repr)
def test_what_changes_a_container_is_asked_of_the_program(remote: Remotes, data: Any) -> None:
    program = remote(b'["value",null]')
    value = make(program, 1, "Stack", "", data)
    assert value == data
    assert len(value) == len(data)
    value.clear()
    assert value == data, "changes come with the reply, and this one told none"


@pytest.mark.parametrize(
    "content",
    ['[1,"A"]', '["1","A",""]', '[1,"A","",null]', '[1,"\\u0000","x"]', '[1,"A","x",{"h":[2,"B",""]}]', "{}"],
)
def test_malformed_handles_are_refused(remote: Remotes, content: str) -> None:
    with pytest.raises(ProgramStopped):
        remote(f'["value",{{"h":{content}}}]'.encode()).perform("call", 1)


def test_what_it_holds_counts_as_it_was_before_it_was_told(remote: Remotes) -> None:
    told = b'["with",{"k":[]},["value",true],[[1,[1,4,9]]],[]]'
    program = remote(b'["value",{"h":[1,"L","eq",[]]}]', told)
    value = program.perform("call", 1)
    assert value == [1, 4, 9]
    assert list.__eq__(value, [1, 4, 9])
    assert program.met_opaque


TELLING = {
    "equal": lambda h: h == 9,
    "different": lambda h: h != 9,
    "order": lambda h: h < 9,
    "membership": lambda h: 9 in h,
    "difference": lambda h: h - 9,
    "reflected difference": lambda h: 9 - h,
    "difference in place": lambda h: operator.isub(h, 9),
    "quotient": lambda h: h / 9,
    "bitwise difference": lambda h: h ^ 9,
}


@pytest.mark.parametrize("answer", ["false", '{"v":["builtins.NotImplementedType",null]}'])
@pytest.mark.parametrize("data", [None, 3])
@pytest.mark.parametrize("use", TELLING.values(), ids=TELLING)
def test_nothing_is_believed_from_a_program_that_was_told_what_is_expected(
    remote: Remotes, use: Any, data: Any, answer: str
) -> None:
    program = remote(*[f'["value",{answer}]'.encode()] * 2)
    with contextlib.suppress(TypeError):
        use(make(program, 1, "Any", "eq ne lt contains sub rsub isub truediv xor", data))
    program.exchange.replies = [b'["value",9]']
    program.met_opaque = False
    assert make(program, 2, "function", "call")() == 9
    assert program.met_opaque


@pytest.mark.parametrize("other", [None, True], ids=repr)
def test_what_could_be_guessed_tells_nothing(remote: Remotes, other: Any) -> None:
    program = remote(b'["value",false]', b'["value",9]')
    assert make(program, 1, "Any", "eq") != other
    assert make(program, 2, "function", "call")() == 9
    assert not program.met_opaque


def test_what_an_object_knew_already_tells_nothing(remote: Remotes) -> None:
    program = remote(b'["value",true]', b'["value",9]')
    assert make(program, 1, "Number", "eq", 9) == 9
    assert make(program, 2, "function", "call")() == 9
    assert not program.met_opaque


@pytest.mark.parametrize("use", [operator.eq, operator.lt, operator.sub, operator.contains])
def test_containers_that_it_is_compared_with_are_not_handed_over(remote: Remotes, use: Any) -> None:
    expected = [1, 2]
    program = remote(b'["with",{"k":[7]},["value",false],[[7,[]]],[]]')
    with pytest.raises(ProgramStopped, match="keeps or changes") as caught:
        use(make(program, 1, "Any", "eq lt sub contains"), expected)
    assert caught.value.status is Status.UNSUPPORTED_VALUE
    assert expected == [1, 2]


def test_what_is_added_in_place_is_handed_over(remote: Remotes) -> None:
    row = [3]
    program = remote(
        b'["value",{"h":[1,"Stack","",[[1]]]}]',
        b'["with",{"k":[7,8]},["value",{"h":[1,"Stack","",[[1],{"o":[8]}]]}],[],[]]',
        b'["with",{"k":[]},["value",null],[[8,[3,4]]],[]]',
    )
    stack = program.perform("call", 1)
    stack += [row]
    program.perform("call", 1)
    assert stack == [[1], [3, 4]]
    assert row == [3, 4]
    assert not program.met_opaque


@pytest.mark.parametrize("items", ['{"h":[5,"L","pop reverse len",[1]]}', '{"d":[]}'])
def test_items_of_an_iterator_come_in_a_list(remote: Remotes, items: str) -> None:
    program = remote(f'["value",{{"t":[{items},true,null]}}]'.encode())
    with pytest.raises(ProgramStopped):
        next(make(program, 1, "generator", "iter next"))
