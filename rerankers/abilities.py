"""What a reranker may declare that it needs, and what stands behind each: what an evaluation implements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Protocol

from codesample.records import Candidate, Prompt, SamplingParams, Tests
from codesample.rerankers.made_once import GeneratedTests, Outputs, Passes

__all__ = ["ABILITIES", "Behaviour", "CheckRunner", "OutputRunner", "TextModel"]

ABILITIES: Mapping[str, str] = MappingProxyType(
    {
        "logprobs": "log-probabilities of the sampled tokens",
        "public_examples": "running programs on the examples that the prompt shows",
        "confidence": "how sure the model was at each sampled token",
        "run": "running programs on inputs and statements of the reranker's own",
        "outputs": "what programs return on inputs that are made for the problem",
        "tests": "asserts that a model writes for the problem",
        "generate": "sampling further text from a model",
        "prompt_logprobs": "log-probabilities of given text under a model",
    }
)


class CheckRunner(Protocol):
    """Judges programs by tests of any kind; the evaluation implements it with the sandbox."""

    def check(self, programs: Sequence[str], tests: Tests) -> Sequence[tuple[bool, ...] | None]:
        """Return, per program, a result for each check of `tests`; None where the harness itself failed."""
        ...


class OutputRunner(Protocol):
    """Calls programs on inputs and returns what came back."""

    def outputs(
        self, programs: Sequence[str], entry_point: str, inputs: Sequence[tuple[Any, ...]]
    ) -> Sequence[tuple[str | None, ...] | None]:
        """Return, per program, the canonical text of each result.

        None stands for a call that raised or ran out of time, and, as a whole row, for a harness failure.
        """
        ...


class TextModel(Protocol):
    """A model that writes and reads text; the evaluation implements it with an engine."""

    def generate_all(
        self, asked: Sequence[tuple[str, Prompt]], *, n: int, params: SamplingParams
    ) -> Sequence[Sequence[Candidate]]:
        """Return n continuations of each prompt, in their order, whatever others are asked with it.

        Where they are kept from an earlier call, a `Costed` says what they took then.

        Args:
            asked: A key with its prompt. The key names the prompt in random streams; says whose it is and
                what for.
        """
        ...

    def logprobs(self, given: Sequence[tuple[Prompt, str]]) -> Sequence[tuple[float, ...]]:
        """Return, per pair of a prompt and a text, the log-probability of each of the text's tokens.

        A `Costed` says what reading them took.
        """
        ...


class Behaviour(Protocol):
    """Tests of one problem and what its programs do, made once for all rerankers of a run."""

    def tests(self) -> GeneratedTests:
        """Return what a model wrote to test the problem."""
        ...

    def outputs(self, programs: Sequence[str]) -> Outputs:
        """Return what programs return on the problem's inputs, one row each."""
        ...

    def passes(self, programs: Sequence[str]) -> Passes:
        """Return which of the asserts of `tests` hold for programs, one row each."""
        ...
