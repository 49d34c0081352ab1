"""Calls without tests: every input gets an outcome, and no value ends more than its own process."""

from __future__ import annotations

import gc
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codesample.errors import ParameterError
from codesample.execution import Executor, Outcome, Program
from codesample.execution.wire import codec, messages
from codesample.execution.worker.readings import Reading
from codesample.execution.worker.run_calls import pack_reading, run_calls
from codesample.records import InputTests, ScriptExample, ScriptTests, Status

GOOD = "def f(x):\n    return x"


@pytest.fixture
def outcomes(executor: Executor, worker_pids: Any) -> Any:
    """Call `f` of a program, and see that its worker lives on."""

    def submit(source: str, *arguments: Any) -> list[Outcome]:
        executor.submit_calls(GOOD, "f", [(1,)]).result(60)
        before = worker_pids(executor)
        found = executor.submit_calls(source, "f", [(argument,) for argument in arguments]).result(120)
        assert before <= worker_pids(executor)
        return found

    return submit


def statuses(outcomes: list[Outcome]) -> list[Status]:
    return [outcome.status for outcome in outcomes]


def test_results_may_hold_many_commas_together(outcomes: Any) -> None:
    found = outcomes("def f(x):\n    return ',' * 700_000 if x else [0] * 300_000", *range(5))
    assert statuses(found) == [Status.PASSED] * 5
    assert [len(outcome.value) for outcome in found] == [300_000] + [700_000] * 4


def test_results_that_take_too_much_memory_together_are_cut_off(outcomes: Any) -> None:
    found = outcomes("def f(x):\n    return ',' * 1_000_000", *range(10))
    assert statuses(found) == [Status.PASSED] * 4 + [Status.OUTPUT_LIMIT] * 6


def test_a_result_may_be_nested_as_deeply_as_any_value(outcomes: Any) -> None:
    source = "def f(depth):\n    a = 0\n    for _ in range(depth):\n        a = [a]\n    return a"
    found = outcomes(source, *range(90, 110))
    passed = [outcome.status is Status.PASSED for outcome in found]
    assert passed == [depth <= codec.MAX_DEPTH for depth in range(90, 110)]
    assert {outcome.status for outcome in found[-5:]} == {Status.UNSUPPORTED_VALUE}


def test_results_made_to_be_slow_cost_their_own_inputs(outcomes: Any) -> None:
    source = "def f(x):\n    return {n * (2**61 - 1) for n in range(x)}"
    found = outcomes(source, 0, 30_000, 3, 300, 4)
    passed, timed_out, refused = Status.PASSED, Status.CPU_TIMEOUT, Status.UNSUPPORTED_VALUE
    assert statuses(found) == [passed, timed_out, passed, refused, passed]


def test_objects_are_named_where_they_cannot_cross(outcomes: Any) -> None:
    source = "class Box: pass\nBox.__name__ += '\\x1b[2J'\ndef f(x):\n    return [Box()] if x else x"
    found = outcomes(source, 0, 1)
    assert statuses(found) == [Status.PASSED, Status.UNSUPPORTED_VALUE]
    assert "Box?[2J" in found[1].detail


def test_built_in_types_are_functions_and_plain_data_is_none(outcomes: Any) -> None:
    assert [outcome.value for outcome in outcomes("f = tuple", [1, 2], "ab")] == [(1, 2), ("a", "b")]
    assert statuses(outcomes("f = {1: 2}", 1, 2)) == [Status.ERROR] * 2


DIES_WHEN_ASKED_TWICE = """
class Text:
    asked = 0
    def __str__(self):
        self.asked += 1
        return "once" if self.asked == 1 else __import__("os")._exit(1)
    __repr__ = __str__
"""


def test_an_exception_that_ends_the_program_when_it_is_described_ends_no_more(outcomes: Any) -> None:
    assert (
        statuses(outcomes(f"{DIES_WHEN_ASKED_TWICE}raise StopIteration(Text())", 1, 2))
        == [Status.CRASHED] * 2
    )
    source = f"{DIES_WHEN_ASKED_TWICE}def f(x):\n    if x: raise StopIteration(Text())"
    assert statuses(outcomes(source, 0, 1)) == [Status.PASSED, Status.ERROR]


def test_a_short_reply_for_an_endless_value_costs_no_more_than_the_tests_may(remote: Any) -> None:
    first, second, third = (f"[{','.join([item] * 1_000)}]" for item in ('""', '{"o":[1]}', '{"o":[2]}'))
    reply = f'["value",[{{"o":[1,{first}]}},{{"o":[2,{second}]}},{third}]]'
    exchanges = iter([remote(LOADED, f"[{reply}]".encode()).exchange for _ in range(3)])
    began = time.process_time()
    # the limit must not go off in what others have a collection call
    gc.disable()
    try:
        called = run_calls(lambda: next(exchanges), "", "f", [(1,), (2,)], check_seconds=0.3, packs=True)
    finally:
        gc.enable()
    assert time.process_time() - began < 5.0
    assert [reading.status for reading in called.readings] == [Status.CPU_TIMEOUT] * 2
    assert [codec.decode(packed)[0] for packed in called.packed] == ["cpu_timeout"] * 2


LONG = [0] * (codec.MAX_ELEMENTS + 1)


def test_inputs_may_be_longer_than_results(executor: Executor) -> None:
    length = "def f(x):\n    return len(x)"
    (outcome,) = executor.submit_calls(length, "f", [(LONG,)]).result(60)
    assert outcome.value == len(LONG)
    tests = InputTests(inputs=((LONG,),), reference=length, entry_point="f")
    assert executor.submit(Program("t", 0, length, tests)).result(60).passed
    line = "," * len(LONG)
    script = Program("t", 0, "print(len(input()))", ScriptTests(cases=(ScriptExample(line, str(len(line))),)))
    assert executor.submit(script).result(60).passed


def test_what_no_message_can_hold_is_refused(executor: Executor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(messages, "MAX_MESSAGE", 1_000)
    with pytest.raises(ParameterError, match="at most 1000"):
        executor.submit_calls(GOOD, "f", [("x" * 1_000,)])


LOADED = b'["value",[{"d":[["f",{"h":[0,"function","call"]}]]},[]]]'


@settings(max_examples=150)
@given(data=st.data(), count=st.integers(1, 4), loaded=st.booleans())
def test_any_replies_make_one_reading_for_each_input(
    remote: Any, any_reply: Any, data: st.DataObject, count: int, loaded: bool
) -> None:
    messages = data.draw(st.lists(st.lists(any_reply, max_size=4), min_size=3, max_size=3))
    exchanges = iter([remote(*[LOADED] * loaded, *replies).exchange for replies in messages])
    called = run_calls(lambda: next(exchanges), "", "f", [(1,)] * count, check_seconds=5.0, packs=True)
    assert len(called.readings) == len(called.packed) == count
    for reading, packed in zip(called.readings, called.packed, strict=True):
        assert reading.status is not Status.HARNESS_ERROR
        assert codec.decode(packed)[0] in (reading.status.value, "unsupported_value")


def test_a_value_too_deep_to_cross_once_more_is_none() -> None:
    value: Any = 0
    for _ in range(codec.MAX_DEPTH + 1):
        value = [value]
    status, sent, detail = codec.decode(pack_reading(Reading(Status.PASSED, value=value)))
    assert (status, sent) == ("unsupported_value", None)
    assert "nested deeper" in detail
    assert codec.decode(pack_reading(Reading(Status.PASSED, value=value[0]))) == ["passed", value[0], ""]
