"""An engine over a service: what wants an `Engine`, such as `best_of_n` in a thread, shares its batch."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterator, Sequence
from time import monotonic
from typing import Any

from codesample.engines.contract import Progress, Reproducibility
from codesample.records import Candidate, GivenText, Reading, Request, SamplingParams
from codesample.serving.client_call import Asked, CandidateCall, Ended
from codesample.serving.decode_thread import DecodeThread

__all__ = ["ServedEngine"]


class ServedEngine:
    """An `Engine` whose candidates are drawn beside those of a service's other calls.

    Args:
        thread: Of the service.
        buffer: See `AsyncSampler`.
        deadline: Seconds from now after which its streams end, all of them; None for no limit.
    """

    def __init__(self, thread: DecodeThread, *, buffer: int, deadline: float | None = None) -> None:
        self._thread, self._buffer = thread, buffer
        self._deadline = deadline
        self._ends_at = None if deadline is None else monotonic() + deadline
        self._calls: weakref.WeakSet[CandidateCall] = weakref.WeakSet()
        self._lock = threading.Lock()
        self._closed = False

    @property
    def name(self) -> str:
        """The model, for records and messages."""
        return self._thread.sampler().name

    @property
    def reproducibility(self) -> Reproducibility:
        """As the sampler's, where that is exact; else what is drawn depends on other calls."""
        exact = self._thread.sampler().reproducibility is Reproducibility.EXACT
        return Reproducibility.EXACT if exact else Reproducibility.NONE

    @property
    def abilities(self) -> frozenset[str]:
        """See `Sampler.abilities`."""
        return self._thread.sampler().abilities

    def describe(self) -> dict[str, Any]:
        """See `Sampler.describe`."""
        return self._thread.sampler().describe()

    def stream(
        self, requests: Sequence[Request], params: SamplingParams, *, progress: Progress | None = None
    ) -> Iterator[Candidate]:
        """Yield every candidate as it finishes; see `Engine.stream`. For threads, not for event loops.

        Raises:
            ParameterError: a prompt or parameter that cannot be used, before any candidate.
            DeadlineError, StreamCancelledError, ServiceClosedError, ServiceBusyError: see `AsyncSampler`.
        """
        call = CandidateCall(Asked(tuple(requests), params, deadline=self._deadline), buffer=self._buffer)
        call.ends_at = self._ends_at
        with self._lock:
            self._calls.add(call)
            closed = self._closed
        self._thread.submit(call)
        if closed:
            call.cancel()
        return _candidates(call, progress)

    def read(self, given: Sequence[GivenText], *, progress: Progress | None = None) -> Iterator[Reading]:
        """Yield what the model makes of given texts; see `Sampler.read`. Takes turns with the service."""
        return self._thread.sampler().read(given, progress=progress)

    def close(self) -> None:
        """Cancel its streams, those to come as well; from any thread."""
        with self._lock:
            self._closed = True
            calls = list(self._calls)
        for call in calls:
            call.cancel()


def _candidates(call: CandidateCall, progress: Progress | None) -> Iterator[Candidate]:
    changed = threading.Event()
    try:
        while True:
            changed.clear()
            try:
                candidate = call.take(changed.set)
            except Ended:
                return
            if candidate is None:
                changed.wait(None if call.ends_at is None else max(0.0, call.ends_at - monotonic()))
                call.expire()
                continue
            if progress is not None:
                progress(len(candidate.token_ids or ()))
            yield candidate
    finally:
        call.cancel()
