"""Best-of-n as one call: sample, score, choose; with `until`, stop as soon as one candidate will do."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any

from codesample.engines.contract import Engine
from codesample.errors import ParameterError, RerankerError
from codesample.evaluation.example_checks import ExampleChecks
from codesample.evaluation.program_outputs import ProgramOutputs
from codesample.evaluation.scoring import EXECUTED
from codesample.execution import Executor
from codesample.records import Candidate, Example, PublicView, Request, SamplingParams, Tests
from codesample.rerankers.context import Context
from codesample.rerankers.contract import Reranker, require_supplied
from codesample.rerankers.public_examples import examples_held
from codesample.rerankers.registry import load_reranker
from codesample.tasks.examples import flaw_of, prompt_examples

__all__ = ["BestOfN", "Until", "best_of_n", "passed"]

Until = Callable[[PublicView, Sequence[Candidate], Context], Sequence[bool]]
"""Says of each candidate whether it is good enough to stop at; list-wise, like a reranker."""


@dataclass(frozen=True, slots=True)
class BestOfN:
    """What best-of-n drew and chose.

    Attributes:
        best: The candidate with the highest score; of equal ones, the lowest index.
        candidates: All that were drawn, by index.
        scores: One per candidate; None where the reranker abstained.
        tokens: Tokens drawn, over all candidates.
        not_drawn: Candidates of the n that an early stop made needless.
        tokens_saved: Estimate of the tokens these would have taken: `not_drawn` times the mean length drawn.
    """

    best: Candidate
    candidates: tuple[Candidate, ...]
    scores: tuple[float | None, ...]
    tokens: int
    not_drawn: int
    tokens_saved: int


def passed(view: PublicView, candidates: Sequence[Candidate], ctx: Context) -> list[bool]:
    """Say which candidates get every example right that the prompt shows; for `best_of_n(until=passed)`.

    Raises:
        RerankerError: the prompt shows no example, so nothing could ever stop the sampling.
    """
    _expect_examples(view)
    return [held is not None and all(held) for held in examples_held(view, candidates, ctx)]


def best_of_n(
    sampler: Engine,
    prompt: str,
    *,
    n: int = 32,
    reranker: Reranker | str = "mean_logprob",
    params: SamplingParams | None = None,
    entry_point: str | None = None,
    examples: Sequence[Example] | None = None,
    program: Callable[[str], str] | None = None,
    until: Until | None = None,
    batch: int = 8,
    executor: Executor | None = None,
) -> BestOfN:
    """Draw up to n candidates of one prompt and return the one that the reranker puts first.

    Args:
        sampler: Any engine.
        prompt: Text to continue.
        n: Most candidates.
        reranker: A reranker, its name, or "file.py:name"; see `load_reranker`.
        params: How tokens are chosen. Default: `SamplingParams()`.
        entry_point: Function the prompt asks for; with it, examples are read from the prompt.
        examples: Public examples, where the prompt's own are not to be used; trusted, unlike those.
        program: Makes the text that is run from a completion. Default: prompt + completion.
        until: Asked after each round of `batch` candidates; sampling stops once it says yes to one, and
            the choice is then among those it said yes to.
        batch: Candidates per round, with `until` only.
        executor: Used where programs have to be run. Default: one of its own for this call.

    Returns: the winner, with everything drawn and scored.

    Raises:
        ParameterError: n or batch below 1, a bad prompt, or an example that is not Python.
        RerankerError: the reranker needs what the engine or the prompt does not give, or broke its contract;
            its `candidates` are those that were drawn.
        IsolationError: a program has to be run, and this machine grants too little isolation.
    """
    if n < 1 or batch < 1:
        raise ParameterError(f"n = {n}, batch = {batch}: expected at least 1 each")
    ranker = load_reranker(reranker)
    require_supplied([ranker], sampler.abilities | EXECUTED)
    if examples is None:
        examples = prompt_examples(prompt, entry_point) if entry_point else ()
    for flaw in filter(None, map(flaw_of, examples)):
        raise ParameterError(f"examples: {flaw}")
    view = PublicView("prompt", "prompt", prompt, prompt, entry_point, tuple(examples))
    if until is passed:
        _expect_examples(view)
    assemble = program or (lambda completion: prompt + completion)
    with _Sandbox(executor) as sandbox:
        if until is passed or ranker.needs & EXECUTED:
            sandbox.open()
        context = Context(view, seed=(params or SamplingParams()).seed, checks=sandbox, outputs=sandbox)
        drawn: list[Candidate] = []
        good: list[Candidate] = []
        while len(drawn) < n and not good:
            count = n if until is None else min(batch, n - len(drawn))
            request = Request("prompt", prompt, tuple(range(len(drawn), len(drawn) + count)))
            fresh = sorted(sampler.stream([request], params or SamplingParams()), key=lambda c: c.index)
            fresh = [replace(c, program=assemble(c.completion)) for c in fresh]
            drawn += fresh
            with _handing_over(drawn):
                if until is not None:
                    said = until(view, fresh, context)
                    good = [c for c, yes in zip(fresh, said, strict=True) if yes]
        with _handing_over(drawn):
            scores = ranker.score(view, drawn, context)
    return _chosen(drawn, scores, good or drawn, n)


def _expect_examples(view: PublicView) -> None:
    if not view.examples:
        raise RerankerError("until=passed needs examples, and the prompt shows none; give examples=[...]")


@contextmanager
def _handing_over(drawn: Sequence[Candidate]) -> Iterator[None]:
    try:
        yield
    except RerankerError as error:
        error.candidates = tuple(drawn)
        raise


class _Sandbox(ExitStack):
    """Runs programs in the caller's executor, or in one of its own that is opened when first needed."""

    def __init__(self, executor: Executor | None) -> None:
        super().__init__()
        self._executor = executor

    def open(self) -> Executor:
        if self._executor is None:
            self._executor = self.enter_context(Executor())
        return self._executor

    def check(self, programs: Sequence[str], tests: Tests) -> list[tuple[bool, ...] | None]:
        return ExampleChecks(self.open(), "prompt").check(programs, tests)

    def outputs(
        self, programs: Sequence[str], entry_point: str, inputs: Sequence[tuple[Any, ...]]
    ) -> list[tuple[str | None, ...] | None]:
        return ProgramOutputs(self.open()).outputs(programs, entry_point, inputs)


def _chosen(
    drawn: Sequence[Candidate], scores: Sequence[float | None], eligible: Sequence[Candidate], n: int
) -> BestOfN:
    by_index = {c.index: s for c, s in zip(drawn, scores, strict=True)}

    def order(candidate: Candidate) -> tuple[float, int]:
        score = by_index[candidate.index]
        return (float("-inf") if score is None else score, -candidate.index)

    tokens = sum(len(c.token_ids or ()) for c in drawn)
    return BestOfN(
        best=max(eligible, key=order),
        candidates=tuple(drawn),
        scores=tuple(scores),
        tokens=tokens,
        not_drawn=n - len(drawn),
        tokens_saved=round((n - len(drawn)) * tokens / len(drawn)),
    )
