"""Coroutines run to their end wherever they are asked for, several at a time."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Sequence
from functools import partial
from typing import Any

import pytest

from codesample.errors import RerankerError
from codesample.records import Candidate, PublicView
from codesample.rerankers.compose import then
from codesample.rerankers.context import Context
from codesample.rerankers.contract import Job, Reranker, reranker
from codesample.rerankers.own_loop import AT_ONCE, all_of, finished


class Gauge:
    """Counts how many are inside of it at a time."""

    def __init__(self) -> None:
        self.now = self.most = self.all = 0

    async def __aenter__(self) -> None:
        self.now, self.all = self.now + 1, self.all + 1
        self.most = max(self.most, self.now)

    async def __aexit__(self, *_: object) -> None:
        self.now -= 1


async def _number(gauge: Gauge, value: int) -> int:
    async with gauge:
        for _ in range(3):
            await asyncio.sleep(0)
        return value


@pytest.mark.parametrize(("count", "at_once"), [(0, 8), (1, 8), (5, 8), (30, 8), (30, 1)])
def test_every_call_gives_its_result_and_no_more_are_open_than_may_be(count: int, at_once: int) -> None:
    gauge = Gauge()
    found = list(finished((partial(_number, gauge, i * i) for i in range(count)), at_once=at_once))
    assert sorted(found) == [(i, i * i) for i in range(count)]
    assert gauge.most == min(count, at_once)


def test_results_come_as_they_are_there_and_not_behind_slower_ones() -> None:
    go_on = threading.Event()

    async def slow() -> str:
        while not go_on.is_set():
            await asyncio.sleep(0.001)
        return "slow"

    async def quick() -> str:
        return "quick"

    results = finished([slow, quick])
    assert next(results) == (1, "quick")
    go_on.set()
    assert list(results) == [(0, "slow")]


def test_closing_cancels_what_still_runs() -> None:
    cancelled = threading.Event()

    async def endless() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    async def quick() -> None:
        return None

    before = threading.active_count()
    results = finished([endless, quick])
    next(results)
    results.close()
    assert cancelled.wait(5)
    assert threading.active_count() == before


@pytest.mark.parametrize(
    "error", [ValueError("x"), KeyboardInterrupt(), SystemExit(3), asyncio.CancelledError()]
)
def test_what_a_call_raises_is_raised_to_whoever_asked(error: BaseException) -> None:
    async def failing() -> None:
        raise error

    with pytest.raises(type(error)) as caught:
        list(finished([failing]))
    assert caught.value is error


def test_what_the_calls_themselves_raise_when_they_are_made_is_raised_too() -> None:
    def calls() -> Any:
        yield partial(_number, Gauge(), 1)
        raise ValueError("no more")

    with pytest.raises(ValueError, match="no more"):
        list(finished(calls()))


def test_context_variables_of_the_caller_are_seen() -> None:
    variable = contextvars.ContextVar("variable", default="")
    variable.set("mine")

    async def read() -> str:
        return variable.get()

    assert list(finished([read])) == [(0, "mine")]


def test_values_are_awaited_where_they_are_awaitable_and_stay_in_order() -> None:
    gauge = Gauge()
    values = [_number(gauge, i) if i % 3 else i for i in range(40)]
    assert asyncio.run(all_of(values)) == list(range(40))
    assert gauge.most == AT_ONCE


@pytest.mark.filterwarnings("error")
def test_the_first_error_ends_the_rest_and_leaves_nothing_behind() -> None:
    gauge = Gauge()

    async def failing() -> None:
        raise ValueError("x")

    with pytest.raises(ValueError, match="x"):
        asyncio.run(all_of([failing(), *(_number(gauge, i) for i in range(40))]))
    assert gauge.all <= 2 * AT_ONCE


@reranker
async def by_index(view: PublicView, candidates: Sequence[Candidate], ctx: Context) -> list[float | None]:
    await asyncio.sleep(0)
    return [candidate.index for candidate in candidates]


@reranker(per_candidate=True)
async def one_by_one(view: PublicView, candidate: Candidate, ctx: Context) -> float | None:
    await asyncio.sleep(0)
    return None if candidate.index == 1 else candidate.index


@pytest.mark.parametrize("inside", [False, True])
def test_rerankers_by_async_def_work_inside_of_a_running_loop_too(
    view: PublicView, candidates: Sequence[Candidate], ctx: Context, inside: bool
) -> None:
    def scored() -> Any:
        both = then(one_by_one, by_index)
        return [each.score(view, candidates, ctx) for each in (by_index, one_by_one, both)]

    async def within() -> Any:
        return scored()

    found = asyncio.run(within()) if inside else scored()
    assert found == [[0, 1, 2, 3, 4], [0, None, 2, 3, 4], [1, 0, 2, 3, 4]]
    assert by_index.is_async
    assert one_by_one.is_async
    assert by_index.name == "by_index"


def test_a_function_that_returns_what_is_to_be_awaited_is_one_of_them(
    view: PublicView, candidates: Sequence[Candidate], ctx: Context
) -> None:
    async def later() -> list[float]:
        return [1.0] * 5

    def scorer(view: PublicView, candidates: Sequence[Candidate], ctx: Context) -> Any:
        return later()

    assert Reranker("r", scorer).score(view, candidates, ctx) == [1.0] * 5


def test_several_problems_are_scored_at_a_time_and_none_is_mixed_up(
    view: PublicView, candidates: Sequence[Candidate], ctx: Context
) -> None:
    gauge = Gauge()

    @reranker
    async def counted(view: PublicView, candidates: Sequence[Candidate], ctx: Context) -> list[float | None]:
        async with gauge:
            for _ in range(len(candidates)):
                await asyncio.sleep(0)
            return [candidate.index for candidate in candidates]

    jobs = [Job(view, candidates[: 1 + i % 5], ctx) for i in range(20)]
    found = dict(counted.score_all(jobs))
    assert found == {i: [float(at) for at in range(1 + i % 5)] for i in range(20)}
    assert gauge.most == AT_ONCE


def test_the_others_come_one_after_another(
    view: PublicView, candidates: Sequence[Candidate], ctx: Context
) -> None:
    seen: list[int] = []

    @reranker
    def plain(view: PublicView, candidates: Sequence[Candidate], ctx: Context) -> list[float | None]:
        seen.append(len(candidates))
        return [0.0] * len(candidates)

    results = plain.score_all(Job(view, candidates[:size], ctx) for size in (3, 1, 0, 2))
    assert next(results) == (0, [0.0] * 3)
    assert seen == [3]
    assert [number for number, _ in results] == [1, 2, 3]
    assert seen == [3, 1, 2]


@pytest.mark.parametrize("each", [by_index, one_by_one])
def test_one_that_fails_is_told_of_by_its_own_line(
    view: PublicView, candidates: Sequence[Candidate], ctx: Context, each: Reranker
) -> None:
    broken = [Candidate("t/0", 0, "x")]
    object.__setattr__(broken[0], "index", "no index")
    with pytest.raises(RerankerError, match=f"'{each.name}', problem 't/0': score 0 is str"):
        each.score(view, broken, ctx)

    async def failing(view: PublicView, candidate: Candidate, ctx: Context) -> float:
        await asyncio.sleep(0)
        raise KeyError(candidate.index)

    own = reranker(per_candidate=True)(failing)
    line = failing.__code__.co_firstlineno + 2
    with pytest.raises(RerankerError, match=rf"raised KeyError: \d \({__file__}:{line}\)"):
        own.score(view, candidates, ctx)
    with pytest.raises(RerankerError, match=rf"raised KeyError: \d \({__file__}:{line}\)"):
        list(own.score_all([Job(view, candidates, ctx)]))
