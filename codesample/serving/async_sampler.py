"""Sampling for event loops and services: calls of many callers share one model and one running batch."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from codesample.engines.contract import Engine
from codesample.errors import ParameterError
from codesample.records import Candidate, PromptLike, Request, SamplingParams, prompt_from
from codesample.records.validation import validated
from codesample.sampling.changed_params import changed_params
from codesample.sampling.logit_edits import LogitsProcessor
from codesample.sampling.sampler import Sampler
from codesample.serving.async_stream import AsyncStream
from codesample.serving.client_call import Asked, CandidateCall
from codesample.serving.decode_thread import DecodeThread, ServiceLoad
from codesample.serving.served_engine import ServedEngine
from codesample.serving.text_call import TextCall, TextPiece

__all__ = ["AsyncSampler", "settled_deadline"]

# seconds, some thirty years: locks and event loops cannot wait for just any number
_LONGEST = 1e9


@validated
class AsyncSampler:
    """Draws candidates for many callers at once, from any event loop or thread.

    One thread owns the model. Calls that come while it decodes join its batch, each with its own parameters,
    and each gets the candidates that `Sampler` gives it alone. Free rows go to the call that has fewest, so
    that one call of 512 candidates does not keep one of a single candidate waiting until it is done.

    `async with` loads the model and closes the sampler; without it, the model is loaded at the first call,
    and `close` or `aclose` ends it.

    Args:
        model: A name, folder or hub id as for `Sampler`, or a function that makes a `Sampler`; loaded in the
            thread. Or a `Sampler`, which others may use meanwhile: they take turns. On a CPU that is slower:
            torch keeps threads for each thread that has computed, and they get into each other's way.
        max_waiting: Calls that may wait for their first token; a further one is refused with
            `ServiceBusyError`. Default: any number may wait.
        buffer: Items of a stream that may wait for their reader; then no further candidate of it begins.

    Raises:
        ParameterError: a number below 1, or what is no model.
    """

    def __init__(
        self,
        model: str | Path | Sampler | Callable[[], Sampler],
        *,
        max_waiting: int | None = None,
        buffer: int = 64,
    ) -> None:
        for name, number in (("max_waiting", max_waiting), ("buffer", buffer)):
            if number is not None and number < 1:
                raise ParameterError(f"{name} = {number}: expected at least 1")
        self._buffer, self._model = buffer, model
        self._thread = DecodeThread(lambda: _opened(model), max_waiting=max_waiting)
        self._close = weakref.finalize(self, self._thread.close)

    def __repr__(self) -> str:
        named: Any = self._model
        if not isinstance(named, str | Path):
            named = getattr(named, "name", None) or getattr(named, "__qualname__", type(named).__name__)
        return f"AsyncSampler({str(named)!r}: {self._thread.state})"

    async def __aenter__(self) -> AsyncSampler:
        await self.ready()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        await self.aclose()

    async def ready(self) -> Sampler:
        """Wait until the model is loaded, and return its sampler.

        Raises:
            CodesampleError: as `Sampler`.
        """
        return await asyncio.to_thread(self._thread.sampler)

    @property
    def load(self) -> ServiceLoad:
        """How many calls there are, how many of them wait, and how many rows decode."""
        return self._thread.load

    def stream(
        self,
        asked: PromptLike | Request | Sequence[Request],
        *,
        n: int = 1,
        params: SamplingParams | None = None,
        deadline: float | None = None,
        task_id: str = "prompt",
        processors: Sequence[LogitsProcessor] = (),
        **changes: Any,
    ) -> AsyncStream[Candidate]:
        """Yield candidates as they finish; the call begins now.

        Args:
            asked: A prompt as in `Sampler.sample`, or requests as in `Sampler.stream`.
            n, task_id: Of a prompt, as in `Sampler.sample`.
            params, changes: How tokens are chosen, as in `Sampler.sample`.
            deadline: Seconds from now after which nothing more is drawn. Default: no limit.
            processors: See `Sampler.stream`.

        Raises:
            ParameterError: a number out of range, or an unknown parameter. What else is wrong with a request
                is raised where the stream is read.
            ServiceBusyError: as many calls wait as may.
            ServiceClosedError: it is closed, or its model failed.
        """
        call = CandidateCall(
            _asked(asked, n, _settled(params, changes), deadline, task_id, processors), buffer=self._buffer
        )
        self._thread.submit(call)
        return AsyncStream(call)

    def stream_text(
        self,
        asked: PromptLike | Request | Sequence[Request],
        *,
        n: int = 1,
        params: SamplingParams | None = None,
        deadline: float | None = None,
        task_id: str = "prompt",
        processors: Sequence[LogitsProcessor] = (),
        **changes: Any,
    ) -> AsyncStream[TextPiece]:
        """Yield pieces of candidates as they are drawn, those of one in their order; see `stream`."""
        call = TextCall(
            _asked(asked, n, _settled(params, changes), deadline, task_id, processors), buffer=self._buffer
        )
        self._thread.submit(call)
        return AsyncStream(call)

    async def sample(
        self,
        prompt: PromptLike,
        n: int = 1,
        *,
        params: SamplingParams | None = None,
        deadline: float | None = None,
        task_id: str = "prompt",
        processors: Sequence[LogitsProcessor] = (),
        **changes: Any,
    ) -> list[Candidate]:
        """Return `n` candidates of one prompt, by index; see `Sampler.sample` and `stream`."""
        stream = self.stream(
            prompt,
            n=n,
            params=params,
            deadline=deadline,
            task_id=task_id,
            processors=processors,
            **changes,
        )
        return sorted([candidate async for candidate in stream], key=lambda candidate: candidate.index)

    def engine(self, *, deadline: float | None = None) -> Engine:
        """Return an engine for what takes one in a thread, such as `best_of_n`; `close` cancels its streams.

        Args:
            deadline: Seconds from now after which its streams end with `DeadlineError`.
        """
        return ServedEngine(self._thread, buffer=self._buffer, deadline=settled_deadline(deadline))

    def close(self) -> None:
        """End every call with `ServiceClosedError`, and the thread before its next step."""
        self._close()

    async def aclose(self) -> None:
        """Close, and wait until the thread has ended."""
        self._close()
        await asyncio.to_thread(self._thread.join)


def _opened(model: Any) -> Sampler:
    if isinstance(model, str | Path):
        return Sampler(model)
    sampler = model if isinstance(model, Sampler) else model()
    if not isinstance(sampler, Sampler):
        raise ParameterError(f"model() made a {type(sampler).__name__}: expected a Sampler")
    return sampler


def _asked(
    asked: Any,
    n: int,
    params: SamplingParams,
    deadline: float | None,
    task_id: str,
    processors: Sequence[LogitsProcessor],
) -> Asked:
    if isinstance(asked, Request):
        requests: tuple[Request, ...] = (asked,)
    elif not isinstance(asked, str) and asked and all(isinstance(each, Request) for each in asked):
        requests = tuple(asked)
    else:
        if n < 1:
            raise ParameterError(f"n = {n}: expected at least 1")
        requests = (Request(task_id, prompt_from(asked), tuple(range(n))),)
    return Asked(requests, params, tuple(processors), settled_deadline(deadline))


def _settled(params: SamplingParams | None, changes: dict[str, Any]) -> SamplingParams:
    return changed_params(params or SamplingParams(), changes)


def settled_deadline(deadline: float | None) -> float | None:
    """Return it, or None where it lies further off than anything can wait.

    Raises:
        ParameterError: not above 0.
    """
    if deadline is not None and not deadline > 0:
        raise ParameterError(f"deadline = {deadline}: expected a number of seconds above 0")
    return None if deadline is None or deadline > _LONGEST else deadline
