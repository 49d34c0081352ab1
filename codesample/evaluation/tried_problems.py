"""What a reranker under trial can act with: the sandbox, a model, tests and outputs of each problem."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cache

from codesample.evaluation.behaviour import BulkModel, InMemory, Made, Store, behaviour_of
from codesample.evaluation.plan import model_source
from codesample.evaluation.program_tokens import of_programs
from codesample.evaluation.run_contents import RunContents
from codesample.evaluation.scoring import Pool
from codesample.evaluation.text_model import Models
from codesample.execution.judge import Judge
from codesample.execution.program_runner import ProgramRunner
from codesample.records import Candidate, Prompt, PublicView
from codesample.rerankers.context import Behaviour, TextModel
from codesample.rerankers.contract import Reranker, require_supplied

__all__ = [
    "BEHAVES",
    "RUNS_PROGRAMS",
    "TriedWith",
    "expect_kept",
    "opened_models",
    "sampled_pools",
    "stores_in_memory",
]

BEHAVES = frozenset({"outputs", "tests"})
"""Abilities that rest on the behaviour of programs."""

RUNS_PROGRAMS = BEHAVES | {"run", "public_examples"}
"""Abilities for which programs are run."""

_MOST_CANDIDATES = 16


@dataclass(frozen=True, slots=True)
class TriedWith:
    """What all problems of a trial have in common.

    Attributes:
        judge: Runs programs; None where no reranker of the trial needs it.
        model: By name, what writes and reads text.
        writer: Writes tests; None where no reranker of the trial needs tests or outputs.
        stores: Gives what is kept by kind.
    """

    judge: Judge | None
    model: Callable[[str | None], TextModel]
    writer: BulkModel | None
    stores: Callable[[str], Store]

    def runner(self, task_id: str) -> ProgramRunner | None:
        """Return what runs the programs of a problem."""
        return None if self.judge is None else ProgramRunner(self.judge, task_id)

    def behaviour(
        self, view: PublicView, *, runner: ProgramRunner | None, asked: Prompt | None, stub: str
    ) -> Behaviour | None:
        """Return a problem's tests and outputs, made as a run makes them and kept in memory."""
        if runner is None or self.writer is None:
            return None
        made = Made(stores=self.stores, model=self.writer)
        return behaviour_of(view, made, runner=runner, asked=asked, stub=stub)


def stores_in_memory() -> Callable[[str], Store]:
    """Return stores that are gone with the process, one for each kind."""
    return cache(lambda kind: InMemory())


@contextmanager
def opened_models(name: str, stores: Callable[[str], Store]) -> Iterator[Models]:
    """Give a model by its name, and others by theirs, within a `with` block; each is loaded when needed.

    Raises:
        UnknownNameError, ModelError: as `model_source`.
    """
    with closing(Models(model_source(name), stores)) as models:
        yield models


def sampled_pools(
    run: RunContents, *, problems: int, seed: int = 0
) -> list[tuple[Pool, Sequence[Candidate]]]:
    """Return some of a run's pools, drawn at random, each with the first candidates as rerankers see them.

    Args:
        problems: How many; all where there are fewer.
        seed: Equal seeds give the same problems.
    """
    places = sorted(random.Random(seed).sample(range(len(run.pools)), min(problems, len(run.pools))))
    return [(run.pools[at], _shown(run.pools[at].candidates[:_MOST_CANDIDATES])) for at in places]


def expect_kept(rerankers: Iterable[Reranker], pools: Iterable[Sequence[Candidate]], *, where: str) -> None:
    """Refuse rerankers that need numbers of tokens which the candidates of a run were not kept with.

    Raises:
        RerankerError: names the reranker, what it needs and the run.
    """
    every = [each for pool in pools for each in pool]
    lacking = set()
    if any(each.logprobs is None for each in every):
        lacking.add("logprobs")
    if any(each.confidences is None or each.certainties is None for each in every):
        lacking.add("confidence")
    for each in rerankers:
        supplied = each.needs - lacking
        require_supplied([each], supplied, dict.fromkeys(lacking, f"{where} kept none"))


def _shown(candidates: Iterable[Candidate]) -> list[Candidate]:
    return of_programs(list(candidates))
