"""What anything that makes candidates promises, whichever library or machine runs underneath."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

from codesample.records import Candidate, Request, SamplingParams

__all__ = ["Engine", "Progress"]

Progress = Callable[[int], None]
"""Called now and then with the number of tokens drawn since the last call."""


class Engine(Protocol):
    """Requests in, candidates out as they finish.

    Candidate `index` of a request depends on the seed, the request's task id, the index and the
    prompt alone, so splitting the work, resuming it or asking for more later changes nothing.

    Attributes:
        name: For records and messages.
        abilities: What candidates carry or the engine can compute: "logprobs" (per sampled token).
    """

    name: str
    abilities: frozenset[str]

    def stream(
        self, requests: Sequence[Request], params: SamplingParams, *, progress: Progress | None = None
    ) -> Iterator[Candidate]:
        """Yield every candidate of every request once, in the order in which they finish.

        Closing the iterator cancels what is still running; candidates already yielded stay valid.
        """
        ...

    def describe(self) -> dict[str, Any]:
        """Plain JSON facts that a run records: model, revision, dtype, device, path taken."""
        ...
