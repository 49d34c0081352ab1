"""Best-of-n as a stream: what has been drawn and judged so far, and in the end the choice."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial, wraps
from time import monotonic
from typing import cast

from codesample.engines.contract import Progress
from codesample.errors import DeadlineError, ParameterError
from codesample.evaluation.best_of_n import BestOfN, EarlyStop, Until, best_of_n
from codesample.execution import Judge
from codesample.records import Candidate, Example, PromptLike, PublicView, Request, SamplingParams
from codesample.records.short import one_line
from codesample.records.validation import validated
from codesample.rerankers.context import Context
from codesample.rerankers.contract import Reranker
from codesample.serving.async_sampler import AsyncSampler, settled_deadline
from codesample.serving.served_engine import ServedEngine

__all__ = ["CandidateDrawn", "CandidateJudged", "stream_best_of_n"]


@validated
@dataclass(frozen=True, slots=True)
class CandidateDrawn:
    """A candidate has finished. Its `program` is not made yet."""

    candidate: Candidate

    __repr__ = one_line


@validated
@dataclass(frozen=True, slots=True)
class CandidateJudged:
    """`until` has said of a candidate whether it is good enough to stop at."""

    candidate: Candidate
    good: bool

    __repr__ = one_line


Event = CandidateDrawn | CandidateJudged | BestOfN


@validated
async def stream_best_of_n(
    sampler: AsyncSampler,
    prompt: PromptLike,
    *,
    n: int = 32,
    reranker: Reranker | str = "mean_logprob",
    params: SamplingParams | None = None,
    entry_point: str | None = None,
    examples: Sequence[Example | tuple[str, str]] | None = None,
    program: Callable[[str], str] | None = None,
    stop: str | Sequence[str] | None = None,
    until: Until | EarlyStop | None = None,
    judge: Judge | None = None,
    deadline: float | None = None,
) -> AsyncIterator[CandidateDrawn | CandidateJudged | BestOfN]:
    """Do what `best_of_n` does in a thread of its own, and yield what happens; the choice comes last.

    Leaving the loop, closing the generator or cancelling the task frees its rows before the next step.

    Args:
        sampler: Whose batch the candidates are drawn in.
        prompt, n, reranker, params, entry_point, examples, program, stop, until, judge: See `best_of_n`.
        deadline: Seconds from now in which there must be a choice. Default: no limit.

    Raises:
        DeadlineError: the deadline passed; `candidates` are those drawn by then.
        CodesampleError: as `best_of_n` and `AsyncSampler.stream`.
    """
    if not isinstance(sampler, AsyncSampler):
        raise ParameterError(
            f"sampler is {type(sampler).__name__}: expected an AsyncSampler; in a thread, `best_of_n` takes "
            "any engine"
        )
    deadline = settled_deadline(deadline)
    told = _Told(asyncio.get_running_loop())
    engine = _TellingEngine(cast(ServedEngine, sampler.engine(deadline=deadline)), told)
    chosen = partial(
        best_of_n,
        engine,
        prompt,
        n=n,
        reranker=reranker,
        params=params,
        entry_point=entry_point,
        examples=examples,
        program=program,
        stop=stop,
        until=_telling(until, told),
        judge=judge,
    )
    threading.Thread(target=told.run, args=(chosen,), name="codesample-best-of-n", daemon=True).start()
    try:
        async for event in told.events(deadline, n):
            yield event
    finally:
        # programs that run are judged to their end, in their thread
        engine.close()


class _Told:
    """Carries events from a thread to an event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._events: asyncio.Queue[Event | BaseException] = asyncio.Queue()

    def __call__(self, event: Event | BaseException) -> None:
        try:
            self._loop.call_soon_threadsafe(self._events.put_nowait, event)
        except RuntimeError:
            return  # the loop is closed, and nobody listens any more

    def run(self, choose: Callable[[], BestOfN]) -> None:
        try:
            self(choose())
        except BaseException as error:
            self(error)

    async def events(self, deadline: float | None, n: int) -> AsyncIterator[Event]:
        """Yield the events up to the choice; raise what the thread did."""
        ends_at = None if deadline is None else monotonic() + deadline
        drawn: list[Candidate] = []
        try:
            while True:
                event = await self._next(ends_at)
                if event is None:
                    raise DeadlineError(
                        f"the deadline of {deadline:g} s passed with {len(drawn)} of {n} drawn"
                    )
                if isinstance(event, BaseException):
                    raise event
                if isinstance(event, CandidateDrawn):
                    drawn.append(event.candidate)
                yield event
                if isinstance(event, BestOfN):
                    return
        except DeadlineError as error:
            error.candidates = tuple(drawn)
            raise

    async def _next(self, until: float | None) -> Event | BaseException | None:
        """Return the next event, or None where a time of `time.monotonic` comes first."""
        try:
            left = None if until is None else max(0.0, until - monotonic())
            return await asyncio.wait_for(self._events.get(), left)
        except TimeoutError:
            return None


def _telling(until: Until | EarlyStop | None, told: _Told) -> EarlyStop | None:
    if until is None:
        return None
    stop = EarlyStop(until) if callable(until) else until

    @wraps(stop.until)
    def judged(view: PublicView, candidates: Sequence[Candidate], ctx: Context) -> Sequence[bool]:
        said = stop.until(view, candidates, ctx)
        for candidate, good in zip(candidates, said, strict=True):
            told(CandidateJudged(candidate, bool(good)))
        return said

    return EarlyStop(judged, stop.every)


class _TellingEngine(ServedEngine):
    """Tells of each candidate as it finishes."""

    def __init__(self, engine: ServedEngine, told: _Told) -> None:
        self.__dict__.update(engine.__dict__)
        self._told = told

    def stream(
        self, requests: Sequence[Request], params: SamplingParams, *, progress: Progress | None = None
    ) -> Iterator[Candidate]:
        for candidate in super().stream(requests, params, progress=progress):
            self._told(CandidateDrawn(candidate))
            yield candidate
