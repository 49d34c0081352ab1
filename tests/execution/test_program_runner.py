"""Programs run for rerankers: what they return compared as text, and what the harness failed on."""

from __future__ import annotations

from concurrent.futures import Future
from functools import partial
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from codesample.execution import Executor, Level, Outcome, Program
from codesample.execution.program_runner import ProgramRunner, canonical
from codesample.execution.program_runner import settled as settled_in_order
from codesample.records import CodeTests, Status, Verdict

LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.sampled_from([0.0, 1.0, 0.5])
    | st.text("ab", max_size=2)
)
HASHABLE = st.recursive(LEAVES, lambda inner: st.tuples(inner, inner), max_leaves=3)
VALUES = st.recursive(
    HASHABLE,
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.tuples(inner)
        | st.sets(HASHABLE, max_size=2)
        | st.frozensets(HASHABLE, max_size=2)
        | st.dictionaries(HASHABLE, inner, max_size=2)
    ),
    max_leaves=5,
)


@given(VALUES, VALUES)
def test_texts_are_equal_exactly_when_values_are(one: object, other: object) -> None:
    assert (canonical(one) == canonical(other)) == (one == other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (True, 1.0),
        (2 + 0j, 2),
        (b"x", bytearray(b"x")),
        ({1: "a", 2: "b"}, {2.0: "b", 1: "a"}),
        ({3, 1, 2}, frozenset({2, 3, 1})),
        (-0.0, 0),
    ],
)
def test_equal_values_of_different_types_have_one_text(one: object, other: object) -> None:
    assert one == other
    assert canonical(one) == canonical(other)


def test_a_set_is_not_a_dictionary_and_a_text_is_not_its_value() -> None:
    assert len({canonical(value) for value in (set(), {}, [], (), "set()", None, "None")}) == 7


def test_an_integer_of_any_size_has_a_text() -> None:
    assert canonical(7**20_000) != canonical(7**20_000 + 1)


def test_programs_are_called_on_every_input() -> None:
    programs = [
        "def f(x):\n    return [x, {x}]\n",
        "def f(x):\n    return 1 / x\n",
        "def f(x):\n    return object()\n",
        "def g(x):\n    return x\n",
    ]
    with Executor(workers=1, minimum=Level.NONE) as executor:
        rows = ProgramRunner(executor, "x").outputs(programs, "f", [(0,), (2,)])
    assert rows == [("[0,set(0)]", "[2,set(2)]"), (None, "0.5"), (None, None), (None, None)]


class Broken:
    """A judge on which the harness fails."""

    in_flight = 8

    def __init__(self) -> None:
        self.closed = 0

    def submit(self, program: Program) -> Future[Verdict]:
        return settled(Verdict(program.task_id, program.index, Status.HARNESS_ERROR, detail="no room"))

    def submit_calls(self, source: str, entry_point: str, inputs: Any) -> Future[list[Outcome]]:
        return settled([Outcome(Status.HARNESS_ERROR, None, "no calls")] * len(inputs))

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *error: object) -> None:
        self.closed += 1


def settled(value: Any) -> Future[Any]:
    future: Future[Any] = Future()
    future.set_result(value)
    return future


def test_what_the_harness_failed_on_is_nobodys_result_and_is_kept() -> None:
    runner = ProgramRunner(Broken(), "task/7")  # type: ignore[arg-type]
    assert runner.check(["a", "b"], CodeTests(checks=("assert f(1)",))) == [None, None]
    assert runner.outputs(["a"], "f", [(1,)]) == [None]
    assert runner.failures == ["task/7: no room"] * 2 + ["task/7: no calls"]


def test_a_judge_is_opened_when_a_program_is_to_be_run_and_closed_with_the_block() -> None:
    judge, opened = Broken(), []

    def open_it() -> Any:
        opened.append(judge)
        return judge

    with ProgramRunner(open_it, "x") as runner:
        assert opened == []
        runner.outputs(["a"], "f", [(1,)])
        runner.outputs(["b"], "f", [(1,)])
        assert opened == [judge]
    assert judge.closed == 1


@pytest.mark.parametrize("likes", [0, 1, 3])
def test_no_more_calls_are_open_than_the_judge_likes_to_hold(likes: int) -> None:
    class Counting(Broken):
        in_flight = likes

    open_now, most = 0, 0

    class Noted(Future[int]):
        def result(self, timeout: float | None = None) -> int:
            nonlocal open_now
            open_now -= 1
            return super().result(timeout)

    def call(number: int) -> Future[int]:
        nonlocal open_now, most
        open_now += 1
        most = max(most, open_now)
        future = Noted()
        future.set_result(number)
        return future

    judge: Any = Counting()
    assert list(settled_in_order(judge, (partial(call, n) for n in range(10)))) == list(range(10))
    assert most == max(1, likes)


def test_a_judge_of_the_caller_is_left_open() -> None:
    judge = Broken()
    with ProgramRunner(judge, "x") as runner:  # type: ignore[arg-type]
        runner.outputs(["a"], "f", [(1,)])
    assert judge.closed == 0
