"""Tests of each problem and what its programs do: made once for all rerankers, and kept in the run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from codesample.evaluation.test_options import TestOptions
from codesample.execution.program_runner import ProgramRunner
from codesample.records import Candidate, Prompt, PublicView, SamplingParams
from codesample.rerankers.context import Behaviour

__all__ = ["BulkModel", "InMemory", "Made", "Store", "behaviour_of", "write_tests"]


class Store(Protocol):
    """Keeps what is made once, as plain JSON data; `codesample.runs.artefacts.Artefacts` is one."""

    def get(self, key: str) -> Any:
        """Return what was put under a key, or None."""
        ...

    def put(self, key: str, value: Any) -> None:
        """Keep plain JSON data under a key; what is there already stays."""
        ...


class BulkModel(Protocol):
    """A model that continues many prompts in one stream of requests."""

    @property
    def name(self) -> str:
        """Which model it is, with whatever makes it another one."""
        ...

    def generate_all(
        self, asked: Sequence[tuple[str, Prompt]], *, n: int, params: SamplingParams
    ) -> Sequence[Sequence[Candidate]]:
        """Return n continuations of each prompt, in their order; equal calls give equal ones.

        Args:
            asked: A key, as in `TextModel.generate`, with its prompt.
        """
        ...


class InMemory:
    """A store that is gone with its process, for calls that have no run folder."""

    def __init__(self) -> None:
        self._known: dict[str, Any] = {}

    def get(self, key: str) -> Any:
        """Return what was put under a key, or None."""
        return self._known.get(key)

    def put(self, key: str, value: Any) -> None:
        """Keep data under a key."""
        self._known.setdefault(key, value)


@dataclass(frozen=True, slots=True)
class Made:
    """What the behaviour of all problems of one call has in common.

    Attributes:
        stores: Gives the store of a kind, "tests", "outputs" or "passes": `RunFolder.artefacts` of a run.
        options: How much is made.
        seed: The run's; see `TestOptions.seed`.
        data_hash: Of the task's data.
        model: Writes tests; None where this call has no model.
    """

    stores: Callable[[str], Store]
    options: TestOptions = field(default_factory=TestOptions)
    seed: int = 0
    data_hash: str = ""
    model: BulkModel | None = None


def behaviour_of(
    view: PublicView, made: Made, *, runner: ProgramRunner, asked: Prompt | None = None, stub: str = ""
) -> Behaviour:
    """Return the tests and outputs of one problem; nothing is made before it is asked for.

    Args:
        view: The problem.
        made: What all problems have in common.
        runner: Runs programs of this problem.
        asked: What the model was given for it. Default: the view's prompt.
        stub: Trusted definitions that stand before the program; as in `CodeTests`.
    """
    raise NotImplementedError


def write_tests(views: Sequence[PublicView], asked: Sequence[Prompt], made: Made) -> None:
    """Let the model write the tests of all problems that the store lacks, in one stream of requests.

    To be called before scoring, where a reranker needs "tests", or "outputs" where `made` has a model; what
    it draws is then in the store "tests".

    Args:
        views: The problems.
        asked: What the model was given for each.
        made: With a model; without one nothing is done.

    Raises:
        ParameterError, ModelError: as `Engine.stream`.
    """
    raise NotImplementedError
