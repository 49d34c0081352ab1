"""What anything that makes candidates promises, whichever library or machine runs underneath."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from enum import StrEnum
from typing import Any, Protocol, runtime_checkable

from codesample.engines.model_options import ModelOptions
from codesample.records import Candidate, GivenText, Reading, Request, SamplingParams

__all__ = ["Engine", "OpenEngine", "Progress", "Reader", "Reproducibility"]

Progress = Callable[[int], None]
"""Called now and then with the number of tokens drawn since the last call."""


class Reproducibility(StrEnum):
    """How far a candidate is settled by what was asked for.

    EXACT: candidate i of a prompt depends on the seed, the request's task id, i and the prompt alone, never
    on how many are asked for, on what is sampled beside it or on a resume; up to rounding in low precision.
    SEEDED: the same call repeated gives the same candidates. NONE: it may not.
    """

    EXACT = "exact"
    SEEDED = "seeded"
    NONE = "none"


@runtime_checkable
class Engine(Protocol):
    """Requests in, candidates out as they finish. `codesample.testing.engines` checks all of this.

    Attributes:
        name: The model, for records and messages.
        abilities: What candidates carry or the engine takes: "logprobs" (per sampled token), "confidence"
            (how sure it was at each of them, with `SamplingParams.confidence`), "chat" (prompts that are
            messages), "prompt_logprobs" (it reads given text: it is a `Reader` too), "stop_words" (stops may
            be words of `codesample.stops`).
        reproducibility: How far candidates repeat; runs record and show it.
    """

    @property
    def name(self) -> str:
        """The model, for records and messages."""
        ...

    @property
    def abilities(self) -> frozenset[str]:
        """What candidates carry or the engine takes."""
        ...

    @property
    def reproducibility(self) -> Reproducibility:
        """How far candidates repeat."""
        ...

    def stream(
        self, requests: Sequence[Request], params: SamplingParams, *, progress: Progress | None = None
    ) -> Iterator[Candidate]:
        """Yield every candidate of every request once, in the order in which they finish.

        Each has at most `params.token_limit` tokens, its text ends before the first of `params.stop`, and
        its token ids, log-probabilities and ends of tokens, where it has them, are equally many. A prompt is
        a text to continue. An engine with the ability "chat" takes messages as well: what ends a turn ends
        the candidate and is no part of its text, and a last message of the assistant's is its beginning,
        which the text does not repeat. Every other engine refuses messages. Closing the iterator cancels
        what is still running; candidates already yielded stay valid. An error ends the iterator and takes
        none of them back, and the engine can be used again.

        Raises:
            ParameterError: a request or parameter that this engine cannot honour, before any candidate.
            ModelError: the engine failed.
        """
        ...

    def describe(self) -> dict[str, Any]:
        """Plain JSON facts that a run records: model, revision, dtype, device, path taken."""
        ...


@runtime_checkable
class Reader(Protocol):
    """What an engine with the ability "prompt_logprobs" can do besides: read text that is given."""

    def read(self, given: Sequence[GivenText], *, progress: Progress | None = None) -> Iterator[Reading]:
        """Yield how likely each text is, token by token, in the order given.

        Under the model's own distribution, as `Candidate.logprobs`: a candidate's text read behind its
        prompt gives the log-probabilities that it was drawn with, up to rounding. A prompt that several
        texts follow is read once.

        Raises:
            ParameterError: a text that this engine cannot read, before any reading.
            ModelError: the engine failed.
        """
        ...


OpenEngine = Callable[[str, ModelOptions], Engine]
"""What an entry point of the group `codesample.engines` is: opens the engine for the model that is named.

It is given REST of `--model NAME:REST` and the other options, and raises `ModelError`, or `ParameterError`
for options that it does not know (see `ModelOptions.expect_only`). Its first line of documentation says
what it is; importing it should load nothing heavy.
"""
