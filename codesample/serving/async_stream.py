"""A stream of an event loop's: waits for what the decode thread puts, and lets go of it when it is left."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from time import monotonic
from types import TracebackType
from typing import Any, Generic, TypeVar

from codesample.serving.client_call import ClientCall, Ended

__all__ = ["AsyncStream"]

T = TypeVar("T")


class AsyncStream(AsyncIterator[T], Generic[T]):
    """What `AsyncSampler.stream` and `stream_text` return: items as they come, for any event loop.

    The call runs from when it was made. It ends, and its rows are free before the model's next step, when the
    loop over it is left (`break`, an error, cancellation of the task), when nobody holds the stream any more,
    and by `cancel` and `aclose`. `anext` may be used instead of a loop.

    Raises:
        DeadlineError: the deadline passed; `candidates` are those that finished before.
        StreamCancelledError: it is read on after it was left or cancelled.
        ServiceClosedError: the sampler was closed, or its model failed.
        ParameterError, ModelError: what was asked for cannot be honoured; of this call alone.
    """

    def __init__(self, call: Any) -> None:
        self._call: ClientCall[T] = call

    def __aiter__(self) -> AsyncIterator[T]:
        return _Reading(self)

    async def __anext__(self) -> T:
        call = self._call
        try:
            while True:
                wake = _Wake()
                try:
                    item = call.take(wake.notify)
                except Ended:
                    raise StopAsyncIteration from None
                if item is not None:
                    return item
                await wake.wait(call.ends_at)
                call.expire()
        except asyncio.CancelledError:
            call.cancel()
            raise

    def cancel(self) -> None:
        """Ask for no more; returns at once, from any thread, and does nothing where all has come."""
        self._call.cancel()

    async def aclose(self) -> None:
        """Cancel, and wait until its rows are free."""
        self._call.cancel()
        while True:
            wake = _Wake()
            if self._call.when_released(wake.notify):
                return
            await wake.wait(None)

    async def __aenter__(self) -> AsyncStream[T]:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        await self.aclose()

    def __del__(self) -> None:
        self._call.cancel()


class _Reading(AsyncIterator[T]):
    """One loop over a stream; the stream is cancelled when the loop is left."""

    def __init__(self, stream: AsyncStream[T]) -> None:
        self._stream = stream

    async def __anext__(self) -> T:
        return await self._stream.__anext__()

    def __del__(self) -> None:
        self._stream.cancel()


class _Wake:
    """Wakes one `await` of this event loop, from any thread."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._woken: asyncio.Future[None] = self._loop.create_future()

    def notify(self) -> None:
        # where the loop is closed, nobody waits in it any more
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._wake)

    async def wait(self, until: float | None) -> None:
        """Wait to be notified, or for a time of `time.monotonic`."""
        timer = None if until is None else self._loop.call_later(max(0.0, until - monotonic()), self._wake)
        try:
            await self._woken
        finally:
            if timer is not None:
                timer.cancel()

    def _wake(self) -> None:
        if not self._woken.done():
            self._woken.set_result(None)
