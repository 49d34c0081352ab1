"""Runs coroutines in an event loop of a thread of its own: they work inside of another loop, too."""

from __future__ import annotations

import asyncio
import inspect
import queue
import threading
from collections.abc import Awaitable, Callable, Generator, Iterable, Sequence
from contextlib import suppress
from contextvars import copy_context
from typing import Any, NamedTuple, TypeVar

__all__ = ["AT_ONCE", "all_of", "finished"]

_T = TypeVar("_T")

AT_ONCE = 8
"""Awaited calls that are open at a time."""

# how long a loop that was told to end may take; one that is stuck in a call is left behind
_PATIENCE = 2.0


class _End(NamedTuple):
    """Stands behind the last result; with what ended the loop, where that was no result's fault."""

    error: BaseException | None


def finished(
    calls: Iterable[Callable[[], Awaitable[_T]]], *, at_once: int = AT_ONCE
) -> Generator[tuple[int, _T]]:
    """Make calls that are to be awaited, and yield each's number and result as they finish.

    Closing the iterator cancels what is still running. The first error of a call is raised as it is.

    Args:
        calls: Taken one by one, as places come free, in the loop's thread.
        at_once: Most that are open at a time.
    """
    results: queue.SimpleQueue[tuple[int, _T | None, BaseException | None] | _End] = queue.SimpleQueue()
    loop_of: list[tuple[asyncio.AbstractEventLoop, asyncio.Task[Any]]] = []
    ended = threading.Event()

    async def one(number: int, call: Callable[[], Awaitable[_T]]) -> None:
        try:
            results.put((number, await call(), None))
        except BaseException as error:
            # what is cancelled because another thing failed is not what failed
            if not ended.is_set():
                results.put((number, None, error))

    async def run() -> None:
        task = asyncio.current_task()
        assert task is not None
        loop_of.append((asyncio.get_running_loop(), task))
        open_: set[asyncio.Task[None]] = set()
        try:
            for number, call in enumerate(calls):
                open_.add(asyncio.create_task(one(number, call)))
                if len(open_) >= at_once:
                    _, open_ = await asyncio.wait(open_, return_when=asyncio.FIRST_COMPLETED)
            if open_:
                await asyncio.wait(open_)
        except BaseException:
            ended.set()
            raise

    def work() -> None:
        try:
            asyncio.run(run())
        except BaseException as error:
            results.put(_End(error))
        else:
            results.put(_End(None))

    thread = threading.Thread(target=copy_context().run, args=(work,), daemon=True, name="codesample-scorer")
    thread.start()
    try:
        while not isinstance(item := results.get(), _End):
            number, result, error = item
            if error is not None:
                raise error
            yield number, result  # type: ignore[misc]
        if item.error is not None:
            raise item.error
    finally:
        _cancel(thread, loop_of)


def _cancel(
    thread: threading.Thread, loop_of: Sequence[tuple[asyncio.AbstractEventLoop, asyncio.Task[Any]]]
) -> None:
    """End a thread's loop by cancelling its task, where they are still there."""
    if thread.is_alive() and loop_of:
        loop, task = loop_of[0]
        # the loop may be closed in the meantime
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(task.cancel)
    thread.join(_PATIENCE)


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
