"""Keeps a number of requests under way in an event loop of its own, for callers that have none."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Awaitable, Callable, Generator, Iterable, Iterator
from contextlib import AbstractAsyncContextManager, suppress
from typing import Any, Generic, NamedTuple, TypeVar

__all__ = ["gathered", "in_loop"]

_T = TypeVar("_T")
_J = TypeVar("_J")
_S = TypeVar("_S")

# how long a loop that was told to end may take, in seconds
_PATIENCE = 5.0
# answers that may lie about for each request under way, before the next one is sent
_AHEAD = 4


def in_loop(work: Callable[[], Awaitable[_T]]) -> _T:
    """Return what a coroutine returns, run in a thread of its own: the caller may be in a loop, too."""
    found: list[_T] = list(gathered([work], _Nothing, lambda _, each: each(), at_once=1))
    return found[0]


def gathered(
    jobs: Iterable[_J],
    session: Callable[[], AbstractAsyncContextManager[_S]],
    work: Callable[[_S, _J], Awaitable[_T]],
    *,
    at_once: int,
) -> Generator[_T]:
    """Yield what comes of each job, as they finish.

    Closing the iterator cancels what is under way, and so breaks its connections off. The first error is
    raised when its turn comes: what finished before it is yielded.

    Args:
        jobs: Taken one by one, in the loop's thread.
        session: Opened once, in the loop.
        work: Does one job.
        at_once: Most that are under way; a few times as many results wait for a slow caller.
    """
    crew = _Crew(jobs, session, work, at_once)
    thread = threading.Thread(target=crew.work_off, daemon=True, name="codesample-server")
    thread.start()
    try:
        while not isinstance(result := crew.results.get(), _End):
            crew.taken()
            yield result
        if result.error is not None:
            raise result.error
    finally:
        crew.leave()
        thread.join(_PATIENCE)


class _End(NamedTuple):
    """Stands behind the last result, with what ended the work early."""

    error: BaseException | None


class _Crew(Generic[_J, _S, _T]):
    """The loop's side: workers that take a job each, as long as there is a place for what comes of it."""

    def __init__(
        self,
        jobs: Iterable[_J],
        session: Callable[[], AbstractAsyncContextManager[_S]],
        work: Callable[[_S, _J], Awaitable[_T]],
        at_once: int,
    ) -> None:
        self._jobs, self._session, self._work, self._at_once = jobs, session, work, at_once
        self.results: queue.SimpleQueue[_T | _End] = queue.SimpleQueue()
        self._places = asyncio.Semaphore(_AHEAD * at_once)
        self._running: tuple[asyncio.AbstractEventLoop, asyncio.Task[Any]] | None = None
        self._left = threading.Event()

    def work_off(self) -> None:
        """Do all jobs, in this thread."""
        try:
            asyncio.run(self._all())
        except BaseExceptionGroup as errors:
            self.results.put(_End(errors.exceptions[0]))
        except BaseException as error:
            self.results.put(_End(error))
        else:
            self.results.put(_End(None))

    def taken(self) -> None:
        """Let another job begin, since a result was taken."""
        self._tell(lambda: self._places.release())

    def leave(self) -> None:
        """Cancel what is under way, and begin nothing more."""
        self._left.set()
        self._tell(lambda: self._running and self._running[1].cancel())

    def _tell(self, what: Callable[[], object]) -> None:
        # the loop is closed once the last result is out
        with suppress(RuntimeError):
            if self._running is not None:
                self._running[0].call_soon_threadsafe(what)

    async def _all(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._running = asyncio.get_running_loop(), task
        jobs = iter(() if self._left.is_set() else self._jobs)
        async with self._session() as session, asyncio.TaskGroup() as group:
            for _ in range(self._at_once):
                group.create_task(self._worker(session, jobs))

    async def _worker(self, session: _S, jobs: Iterator[_J]) -> None:
        while True:
            await self._places.acquire()
            try:
                job = next(jobs)
            except StopIteration:
                self._places.release()
                return
            self.results.put(await self._work(session, job))


class _Nothing(AbstractAsyncContextManager[None]):
    async def __aexit__(self, *error: object) -> None:
        return None
