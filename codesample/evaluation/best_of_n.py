"""Best-of-n as one call: sample, score, choose; with `until`, stop as soon as one candidate will do."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from codesample.engines.contract import Engine
from codesample.engines.delivery import delivered
from codesample.engines.model_options import ModelOptions
from codesample.errors import ParameterError, RerankerError
from codesample.evaluation.asked_prompt import AskedPrompt
from codesample.evaluation.options import RunOptions, expect_drawable
from codesample.evaluation.plan import model_source
from codesample.evaluation.sandbox import open_judge
from codesample.evaluation.scoring import EXECUTED
from codesample.execution.judge import Judge
from codesample.execution.program_runner import ProgramRunner
from codesample.records import (
    CallExample,
    Candidate,
    Example,
    PromptLike,
    PublicView,
    Request,
    SamplingParams,
)
from codesample.rerankers.context import Context
from codesample.rerankers.contract import Reranker, require_supplied
from codesample.rerankers.public_examples import examples_held
from codesample.rerankers.registry import load_reranker
from codesample.tasks.examples import flaw_of, prompt_examples
from codesample.tasks.function_form import plain_imports

__all__ = ["BestOfN", "EarlyStop", "Until", "best_of_n", "passed"]

_ID = "prompt"

Until = Callable[[PublicView, Sequence[Candidate], Context], Sequence[bool]]
"""Says of each candidate whether it is good enough to stop at; list-wise, like a reranker."""


@dataclass(frozen=True, slots=True)
class EarlyStop:
    """When to sample no further candidates.

    Attributes:
        until: Asked after each round; sampling stops once it says yes to a candidate, and the choice is then
            among those it said yes to.
        every: Candidates per round.

    Raises:
        ParameterError: `every` below 1.
    """

    until: Until
    every: int = 8

    def __post_init__(self) -> None:
        if self.every < 1:
            raise ParameterError(f"every = {self.every}: expected at least 1 candidate per round")


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
        failures: Why the harness failed on a program, for each on which it did: such candidates rank last.
    """

    best: Candidate
    candidates: tuple[Candidate, ...]
    scores: tuple[float | None, ...]
    tokens: int
    not_drawn: int
    tokens_saved: int
    failures: tuple[str, ...] = ()


def passed(view: PublicView, candidates: Sequence[Candidate], ctx: Context) -> list[bool]:
    """Say which candidates get every example right that the prompt shows; for `best_of_n(until=passed)`.

    Raises:
        RerankerError: the prompt shows no example, so nothing could ever stop the sampling.
    """
    _expect_examples(view)
    return [held is not None and all(held) for held in examples_held(view, candidates, ctx)]


def best_of_n(
    engine: str | Path | ModelOptions | Engine,
    prompt: PromptLike,
    *,
    n: int = 32,
    reranker: Reranker | str = "mean_logprob",
    params: SamplingParams | None = None,
    entry_point: str | None = None,
    examples: Sequence[Example | tuple[str, str]] | None = None,
    program: Callable[[str], str] | None = None,
    until: Until | EarlyStop | None = None,
    judge: Judge | None = None,
) -> BestOfN:
    """Draw up to n candidates of one prompt and return the one that the reranker puts first.

    Args:
        engine: Any engine, with the ability "chat" for messages; or a model as for `evaluate`, loaded here.
        prompt: A text to continue, or messages to answer, as in `Request`.
        n: Most candidates.
        reranker: A reranker, its name, or "file.py:name"; see `load_reranker`.
        params: How tokens are chosen. Default: `SamplingParams()`.
        entry_point: Function asked for; with it, examples are read from the text, or the user's last message.
        examples: Public ones in place of the prompt's own, or pairs of call and value; trusted, unlike those.
        program: Makes the text that is run. Default: prompt + completion; of an answer to messages, what
            `codesample.extraction.extract` finds, and rerankers then see the numbers of its tokens alone.
        until: When to sample no further: a function as in `EarlyStop`, such as `passed`, or an `EarlyStop`.
        judge: Used where programs have to be run, such as an `Executor`. Default: one of this call's own.

    Returns: the winner, with everything drawn and scored.

    Raises:
        ParameterError: n below 1, a bad prompt or example, or messages for an engine that takes none.
        RerankerError: the reranker lacks what it needs, or broke its contract; has what was drawn.
        IsolationError: a program has to be run, and this machine grants too little isolation.
    """
    expect_drawable(n)
    ranker, given = load_reranker(reranker), _examples(examples)
    engine = model_source(engine).open()
    require_supplied([ranker], engine.abilities | EXECUTED)
    asked = _asked(prompt, entry_point, engine)
    view = _view(asked, given)
    stop = EarlyStop(until) if callable(until) else until
    if by_examples := stop is not None and stop.until is passed:
        _expect_examples(view)
    settled = (params or SamplingParams()).settled()
    with ProgramRunner(judge or (lambda: open_judge(RunOptions())), _ID) as runner:
        if by_examples or ranker.needs & EXECUTED:
            runner.open()  # too little isolation is told of before anything is sampled
        context = _context(view, settled.seed, runner, stub=_stub(asked, given))
        drawn: list[Candidate] = []
        good: Sequence[Candidate] = ()
        while len(drawn) < n and not good:
            upto = n if stop is None else min(n, len(drawn) + stop.every)
            fresh = _drawn(engine, asked, range(len(drawn), upto), settled, program)
            drawn += fresh
            with _handing_over(drawn):
                good = _good_enough(stop, view, fresh, context)
        with _handing_over(drawn):
            scores = ranker.score(view, _of_programs(drawn), context)
    return replace(_chosen(drawn, scores, good or drawn, n), failures=tuple(runner.failures))


def _asked(prompt: PromptLike, entry_point: str | None, engine: Engine) -> AskedPrompt:
    asked = AskedPrompt.of(prompt, entry_point)
    if not isinstance(asked.prompt, str) and "chat" not in engine.abilities:
        raise ParameterError(f"engine {engine.name!r} takes no messages; give a text to continue")
    return asked


def _drawn(
    engine: Engine,
    asked: AskedPrompt,
    indices: range,
    params: SamplingParams,
    program: Callable[[str], str] | None,
) -> list[Candidate]:
    """Draw candidates, each with its program, in the order of their indices."""
    came = delivered(engine, [Request(_ID, asked.prompt, tuple(indices))], params)
    return sorted((asked.with_program(each, program) for each in came), key=_index)


def _context(view: PublicView, seed: int, runner: ProgramRunner, *, stub: str) -> Context:
    return Context(view, seed=seed, checks=runner, outputs=runner, stub=stub)


def _stub(asked: AskedPrompt, examples: Sequence[Example] | None) -> str:
    """Return what names in examples mean that the prompt imports; nobody vouches for the rest of it.

    Examples that it shows itself name nothing but the function.
    """
    return "" if examples is None else plain_imports(asked.code, asked.entry_point)


def _good_enough(
    stop: EarlyStop | None, view: PublicView, fresh: Sequence[Candidate], context: Context
) -> list[Candidate]:
    if stop is None:
        return []
    said = stop.until(view, _of_programs(fresh), context)
    return [each for each, yes in zip(fresh, said, strict=True) if yes]


def _of_programs(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Return candidates with the tokens alone that their programs were made of."""
    return [each.within(each.spans) for each in candidates]


def _index(candidate: Candidate) -> int:
    return candidate.index


def _examples(given: Sequence[Example | tuple[str, str]] | None) -> tuple[Example, ...] | None:
    """Make examples of pairs of texts; raises ParameterError for what is neither."""
    if given is None:
        return None
    made = []
    for each in given:
        pair = tuple(each) if isinstance(each, tuple | list) else ()
        if isinstance(each, Example):
            made.append(each)
        elif len(pair) == 2 and all(isinstance(part, str) for part in pair):
            made.append(CallExample(*pair))
        else:
            raise ParameterError(
                f"examples: {each!r}: expected a call and its value as two texts, such as "
                "('f(1)', '2'), or an Example"
            )
    return tuple(made)


def _view(asked: AskedPrompt, examples: Sequence[Example] | None) -> PublicView:
    if examples is None:
        examples = prompt_examples(asked.text, asked.entry_point) if asked.entry_point else ()
    for flaw in filter(None, map(flaw_of, examples)):
        raise ParameterError(f"examples: {flaw}")
    return PublicView(_ID, _ID, asked.text, asked.text, asked.entry_point, tuple(examples))


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
