"""Runs coroutines in an event loop of a thread of its own: they work inside of another loop, too."""

from __future__ import annotations

import asyncio
import inspect
import queue
import threading
from collections.abc import Awaitable, Callable, Generator, Iterable, Sequence
from contextlib import suppress
from contextvars import copy_context
from typing import Any, Generic, NamedTuple, TypeVar

__all__ = ["AT_ONCE", "all_of", "finished"]

_T = TypeVar("_T")

AT_ONCE = 8
"""Awaited calls that are open at a time."""

# how long a loop that was told to end may take; one that is stuck in a call is left behind
_PATIENCE = 2.0


class _Outcome(NamedTuple):
    """What came of one call: its result, or what it raised."""

    number: int
    result: Any
    error: BaseException | None


class _End(NamedTuple):
    """Stands behind the last result; with what ended the loop, where that was no result's fault."""

    error: BaseException | None


def finished(
    calls: Iterable[Callable[[], Awaitable[_T]]], *, at_once: int = AT_ONCE
) -> Generator[tuple[int, _T]]:
    """Make calls that are to be awaited, and yield each's number and result as they finish.

    Closing the iterator cancels what is still running.

    Args:
        calls: Taken one by one, as places come free, in the loop's thread.
        at_once: Most that are open at a time.

    Raises:
        BaseException: what a call raised, the first one.
    """
    loop = _Loop(calls, at_once)
    work = copy_context().run
    thread = threading.Thread(target=work, args=(loop.work,), daemon=True, name="codesample-scorer")
    thread.start()
    try:
        while not isinstance(item := loop.results.get(), _End):
            if item.error is not None:
                raise item.error
            yield item.number, item.result
        if item.error is not None:
            raise item.error
    finally:
        loop.cancel()
        thread.join(_PATIENCE)


class _Loop(Generic[_T]):
    """An event loop that makes calls, and puts what comes of them into a queue, an `_End` behind the last."""

    def __init__(self, calls: Iterable[Callable[[], Awaitable[_T]]], at_once: int) -> None:
        self._calls, self._at_once = calls, at_once
        self.results: queue.SimpleQueue[_Outcome | _End] = queue.SimpleQueue()
        self._running: tuple[asyncio.AbstractEventLoop, asyncio.Task[Any]] | None = None
        self._ended = False

    def work(self) -> None:
        """Run to the end; for a thread of its own."""
        try:
            asyncio.run(self._run())
        except BaseException as error:
            self.results.put(_End(error))
        else:
            self.results.put(_End(None))

    def cancel(self) -> None:
        """End what is still running; from any thread, at any time."""
        if self._running is not None:
            loop, task = self._running
            # the loop may be closed in the meantime
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(task.cancel)

    async def _run(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._running = asyncio.get_running_loop(), task
        open_: set[asyncio.Task[None]] = set()
        try:
            for number, call in enumerate(self._calls):
                open_.add(asyncio.create_task(self._one(number, call)))
                if len(open_) >= self._at_once:
                    _, open_ = await asyncio.wait(open_, return_when=asyncio.FIRST_COMPLETED)
            if open_:
                await asyncio.wait(open_)
        finally:
            self._ended = True

    async def _one(self, number: int, call: Callable[[], Awaitable[_T]]) -> None:
        try:
            self.results.put(_Outcome(number, await call(), None))
        except BaseException as error:
            # what is cancelled because another thing failed is not what failed
            if not self._ended:
                self.results.put(_Outcome(number, None, error))


async def all_of(found: Sequence[Any], *, at_once: int = AT_ONCE) -> list[Any]:
    """Await those of some values that are to be awaited, several at a time; the first error ends the rest."""
    places = asyncio.Semaphore(at_once)

    async def one(value: Any) -> Any:
        async with places:
            return await value

    tasks = {
        number: asyncio.ensure_future(one(value))
        for number, value in enumerate(found)
        if inspect.isawaitable(value)
    }
    try:
        await asyncio.gather(*tasks.values())
    finally:
        for task in tasks.values():
            task.cancel()
        await asyncio.gather(*tasks.values(), return_exceptions=True)
        for value in found:
            # what was never begun
            if inspect.iscoroutine(value):
                value.close()
    return [tasks[number].result() if number in tasks else value for number, value in enumerate(found)]
