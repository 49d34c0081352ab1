"""No reply of a program can make its stand-in do anything but return plain data, raise, or stop."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codesample.execution.wire import codec
from codesample.execution.worker.exchange import ProgramStopped
from codesample.execution.worker.raised import crossed, said
from codesample.execution.worker.readings import brief, shown
from codesample.execution.worker.remote import Remote
from codesample.execution.worker.stand_ins import Handle, make
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
        # the end of an iterator, where none was asked for, is another exception and leaves tests undecided
        assert crossed(outcome) or (type(outcome) is RuntimeError and program.met_opaque)
        assert not isinstance(outcome, (StopIteration, StopAsyncIteration))
    else:
        # a message may be nested deeper than a program's own side would make it
        with contextlib.suppress(codec.CodecError):
            codec.encode(
                value,
                lambda item: {"h": 0} if isinstance(item, Handle | Exception) else pytest.fail(f"{item!r}"),
                exact=True,
            )


@settings(max_examples=100)
@given(data=st.data(), count=st.integers(1, 3))
def test_any_batch_yields_as_many_replies_as_inputs_or_stops(
    remote: Remotes, any_reply: Any, data: st.DataObject, count: int
) -> None:
    program = remote(*data.draw(st.lists(any_reply, max_size=3)))
    function = make(program, 0, "function", "call")
    try:
        got = [reply for part in program.batch(function, b"[]", count) for reply in part.replies]
    except ProgramStopped:
        return
    assert len(got) == count


@pytest.mark.parametrize("kind", ["SystemExit", "KeyboardInterrupt", "GeneratorExit", "nonsense"])
def test_what_is_no_exception_ends_the_program(remote: Remotes, kind: str) -> None:
    with pytest.raises(ProgramStopped) as caught:
        remote(json.dumps(["end", kind, "line 1"]).encode()).perform("call", 1)
    assert caught.value.status is Status.ERROR


def test_exceptions_arrive_with_their_place_and_count_as_the_program_s(remote: Remotes) -> None:
    reply = (
        b'["raise",{"e":[["builtins.KeyError"],null,["missing",3],null,[],null,null,false]},"line 7, in f"]'
    )
    with pytest.raises(KeyError) as caught:
        remote(reply).perform("call", 1)
    assert caught.value.args == ("missing", 3)
    assert crossed(caught.value)
    assert said(caught.value) == "line 7, in f"


def test_the_end_of_an_iterator_is_told_only_where_one_is_asked(remote: Remotes) -> None:
    reply = b'["raise",{"e":[["builtins.StopIteration"],null,[3],null,[],null,null,false]},"line 7"]'
    program = remote(reply, reply)
    with pytest.raises(RuntimeError):
        program.perform("call", make(program, 1, "function", "call"))
    with pytest.raises(StopIteration) as caught:
        make(program, 1, "generator", "next iter").send(None)
    assert caught.value.value == 3


def test_an_object_of_the_program_is_one_handle_however_often_it_comes(remote: Remotes) -> None:
    program = remote(b'["value",[{"h":[1,"Match",""]},{"h":[1,"Match",""]},{"h":[2,"Match",""]}]]')
    one, twin, other = program.perform("call", 1)
    assert one is twin
    assert one == twin
    assert one != other
    assert not program.met_opaque


def test_a_handle_that_the_tests_dropped_is_released_once_with_the_next_request(remote: Remotes) -> None:
    program = remote(b'["value",[{"h":[5,"A",""]},{"h":[5,"A",""]}]]', b'["value",1]', b'["value",2]')
    sent: list[bytes] = []
    program.exchange.send = lambda request, answered=True: sent.append(request)
    value = program.perform("call", 1)
    assert value[0] is value[1]
    del value
    assert [program.perform("call", 1), program.perform("call", 1)] == [1, 2]
    assert [request for request in sent if b"before" in request] == [
        b'["before",[],[],[[5,2]],false,{"t":[]}]'
    ]


def test_only_functions_asked_for_are_loaded(remote: Remotes) -> None:
    reply = b'["value",[{"d":[["f",{"h":[0,"type","call"]}],["abs",{"h":[1,"function","call"]}]]},[]]]'
    assert list(remote(reply).load("", ["f", "g"])) == ["f"]
    for malformed in (
        b'["value",[]]',
        b'["value",{"h":[0,"dict",""]}]',
        b'["value",[{"d":[]},["not asked for"]]]',
        b'["value",[{"d":[]},[[]]]]',
    ):
        with pytest.raises(ProgramStopped):
            remote(malformed).load("", ["f"])


KEPT = b'["with",{"k":[%s]},["value",null],%s,[]]'


def test_what_the_program_changed_of_an_argument_is_changed_here(remote: Remotes) -> None:
    program = remote(KEPT % (b"7,8", b"[[7,[1,2,3]]]"))
    numbers = [3, 1, 2]
    program.perform("call", make(program, 1, "function", "call"), (numbers,), {})
    assert numbers == [1, 2, 3]


def test_rows_that_are_one_list_arrive_as_one(remote: Remotes) -> None:
    program = remote(b'["value",null]')
    sent: list[bytes] = []
    program.exchange.send = lambda request, answered=True: sent.append(request)
    row = [0]
    program.perform("call", make(program, 1, "function", "call"), ([row, row],), {})
    assert sent == [b'["call",{"h":1},{"t":[[{"o":[-1,[0]]},{"o":[-1]}]]},{"d":[]}]']


@pytest.mark.parametrize(
    "reply",
    [
        KEPT % (b"7", b"[]"),
        KEPT % (b'"x",8', b"[]"),
        KEPT % (b"7,8", b"[[9,[1]]]"),
        KEPT % (b"7,8", b'[[7,{"s":[1]}]]'),
        KEPT % (b"7,8", b"[7]"),
        KEPT % (b"7,7", b"[]"),
        b'["with",null,["value",null],[],[1]]',
        b'["with",null,["value",{"o":[3]}],[],[]]',
    ],
)
def test_changes_that_make_no_sense_end_the_program(remote: Remotes, reply: bytes) -> None:
    program = remote(reply)
    numbers = [3, 1, 2]
    with pytest.raises(ProgramStopped):
        program.perform("call", make(program, 1, "function", "call"), (numbers,), {})
    assert numbers == [3, 1, 2]


def test_output_goes_where_the_tests_sent_it(remote: Remotes) -> None:
    program = remote(b'["with",{"k":[]},["value",null],[],["out","err"]]')
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        program.perform("call", 1)
    assert (out.getvalue(), err.getvalue()) == ("out", "err")


def test_every_value_can_be_described() -> None:
    for value in (10**5_000, -(10**5_000), [10**5_000], {1: 10**5_000}, "x" * 10_000, None):
        assert 0 < len(brief(value)) < 200
        assert said(ValueError(value)).startswith("ValueError")


def test_what_is_shown_is_short_and_cannot_steer_a_terminal() -> None:
    assert shown("\x1b[2J\ud800\u202e\n" + "x" * 5_000) == "?[2J??\n" + "x" * 993


def test_tests_that_hand_over_functions_are_told_so(remote: Remotes) -> None:
    program = remote()
    with pytest.raises(ProgramStopped, match="hand over what cannot cross"):
        make(program, 1, "function", "call")(lambda: 0)


@pytest.mark.parametrize(
    "reply",
    [
        '["end","x",{"h":[5,"K","getitem",%s]}]',
        '["refused",{"h":[5,"K","getitem",%s]}]',
        '["large",{"h":[5,"K","repr",5]}]',
        '["raise",{"e":[["builtins.ValueError"],null,[],null,[],null,null,false]},{"h":[5,"K","str",%s]}]',
        '["with",{"k":[]},["end","x",{"h":[5,"K","getitem",%s]}],[],[]]',
        '["with",{"k":[]},{"h":[5,"K","len getitem",["value",1]]},[],[]]',
        '["with",1,["value",1],[],[]]',
    ],
)
def test_an_object_is_no_part_of_a_reply(remote: Remotes, reply: str) -> None:
    with pytest.raises(ProgramStopped) as caught:
        remote(reply.replace("%s", '"text"').encode()).perform("call", 1)
    assert type(caught.value.detail) is str
    assert caught.value.status is Status.CRASHED


def test_output_that_the_tests_do_not_capture_ends_the_program(
    remote: Remotes, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ProgramStopped):
        remote(b'["with",{"k":[]},["value",null],[],["out",""]]').perform("call", 1)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("number", "kind"),
    [("-1", '"A"'), ("true", '"A"'), (str(10**40), '"A"'), ('{"h":[1,"I","",1]}', '"A"'), ("1", "1")],
)
def test_numbers_of_objects_are_small_and_plain(remote: Remotes, number: str, kind: str) -> None:
    with pytest.raises(ProgramStopped):
        remote(f'["value",{{"h":[{number},{kind},""]}}]'.encode()).perform("call", 1)


@pytest.mark.parametrize(
    "reply",
    [
        KEPT % (b"-7,-8", b"[]"),
        KEPT % (b"true,8", b"[]"),
        b'["with",{"k":[7,8]},["value",{"o":[9,{"o":[7]}]}],[],[]]',
        b'["with",{"k":[7,8]},["value",{"o":[-9,[1]]}],[],[]]',
        b'["with",{"k":[7,8]},["value",[{"k":[7,8]}]],[],[]]',
        b'["with",{"k":[7,8]},["value",1],[[8,{"h":[3,"L","",[1]]}]],[]]',
    ],
)
def test_a_container_has_one_number_of_whom_it_came_from(remote: Remotes, reply: bytes) -> None:
    program = remote(reply)
    numbers = [3, 1, 2]
    with pytest.raises(ProgramStopped):
        program.perform("call", make(program, 1, "function", "call"), (numbers,), {})
    assert numbers == [3, 1, 2]


LOADED = b'["value",[{"d":[["f",{"h":[0,"function","call"]}]]},["seen","hidden","math"]]]'


def test_a_program_that_has_a_value_the_tests_read_themselves_was_told(remote: Remotes) -> None:
    names = {"seen": 1, "math": json}
    program = remote(LOADED, *[b'["value",4]'] * 3)
    call = program.load("", ["f"], bound=["seen", "hidden", "math"])["f"]
    program.watch_names(names, ["hidden", "math"])
    assert call() == 4
    assert not program.met_opaque, "none but this program reads the one, and the other is a module"
    names["hidden"] = 4
    assert call() == 4
    assert program.met_opaque


def test_a_long_list_is_written_once_however_often_it_is_handed_over(remote: Remotes) -> None:
    program = remote(*[b'["value",null]'] * 3)
    sent: list[bytes] = []
    program.exchange.send = lambda request, answered=True: sent.append(request)
    numbers = list(range(20_000))
    call = make(program, 1, "function", "call")
    call(numbers)
    call(numbers)
    assert len(sent[0]) > 20_000
    assert sent[1] == b'["call",{"h":1},{"t":[{"o":[-1]}]}]'
    numbers[0] = 7
    call(numbers)
    assert sent[2].startswith(b'["before",[[-1,[7,1,2,')
