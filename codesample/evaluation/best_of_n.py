"""Best-of-n as one call: sample, score, choose; with `until`, stop as soon as one candidate will do."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from inspect import unwrap
from pathlib import Path

from codesample.engines.contract import Engine
from codesample.engines.delivery import delivered
from codesample.engines.model_options import ModelOptions
from codesample.errors import CodesampleError, ParameterError, RerankerError
from codesample.evaluation.asked_prompt import AskedPrompt
from codesample.evaluation.behaviour import InMemory, Made
from codesample.evaluation.given_examples import examples_of, expect_examples, view_of
from codesample.evaluation.named_models import expect_named_models
from codesample.evaluation.notebook_html import best_of_n_html
from codesample.evaluation.options import RunOptions, expect_drawable
from codesample.evaluation.plan import model_source
from codesample.evaluation.program_tokens import of_programs
from codesample.evaluation.reasons import Given, chosen, partly_abstaining, scores_as_given
from codesample.evaluation.resources import Resources, read_anew
from codesample.evaluation.sandbox import open_judge
from codesample.evaluation.scoring import EXECUTED
from codesample.evaluation.supply import supply_of
from codesample.evaluation.text_model import Models
from codesample.execution.judge import Judge
from codesample.execution.program_runner import ProgramRunner
from codesample.records import (
    Candidate,
    Example,
    PromptLike,
    PublicView,
    Request,
    SamplingParams,
)
from codesample.records.short import one_line
from codesample.records.validation import validated
from codesample.rerankers.context import Context
from codesample.rerankers.contract import Reranker
from codesample.rerankers.public_examples import examples_held, public_examples
from codesample.rerankers.registry import load_reranker
from codesample.stops import PYTHON_FUNCTION
from codesample.tasks.function_form import plain_imports

__all__ = ["BestOfN", "EarlyStop", "Until", "best_of_n", "passed"]

_ID = "prompt"
# characters
_NAME = 60

Until = Callable[[PublicView, Sequence[Candidate], Context], Sequence[bool]]
"""Says of each candidate whether it is good enough to stop at; list-wise, like a reranker."""


@validated
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

    __repr__ = one_line

    def __post_init__(self) -> None:
        if self.every < 1:
            raise ParameterError(f"every = {self.every}: expected at least 1 candidate per round")


@validated
@dataclass(frozen=True, slots=True)
class BestOfN:
    """What best-of-n drew and chose.

    Attributes:
        best: The candidate with the highest score; of equal ones, such as equal programs, the lowest index.
        why: Which rerankers told it from others, by which scores, and whom it ties with; a sentence.
        decided_by: Name of the reranker that was the last to tell candidates apart; None where none did.
        tied: Indices of the others that nothing tells from the best.
        examples_held: Which of the prompt's examples the best gets right; None where there are none, or they
            could not be run (`notes` then says why).
        candidates: All that were drawn, by index.
        scores: As given, by the name of each reranker that was asked, those inside of others too: one per
            candidate, None where it abstained or was not asked. What orders by several rerankers has ranks
            and no scores, and is left out.
        tokens: Tokens drawn, over all candidates.
        not_drawn: Candidates of the n that were needless, by an early stop or without any chance in drawing.
        tokens_saved: Estimate of the tokens these would have taken: `not_drawn` times the mean length drawn.
        failures: Why the harness failed on a program, for each on which it did: such candidates rank last.
        notes: What weakens the choice, one sentence each.
    """

    best: Candidate
    why: str
    decided_by: str | None
    tied: tuple[int, ...]
    examples_held: tuple[bool, ...] | None
    candidates: tuple[Candidate, ...]
    scores: Mapping[str, tuple[float | None, ...]]
    tokens: int
    not_drawn: int
    tokens_saved: int
    failures: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        by = f" by {_worded(self.decided_by)}" if self.decided_by else ""
        return f"BestOfN(candidate {self.best.index} of {len(self.candidates)}{by}: {self.best!r})"

    def _repr_html_(self) -> str:
        return best_of_n_html(self)

    @property
    def examples_passed(self) -> bool | None:
        """Whether the best gets every example right; None where that is not known."""
        return None if self.examples_held is None else all(self.examples_held)


@validated
def passed(view: PublicView, candidates: Sequence[Candidate], ctx: Context) -> list[bool]:
    """Say which candidates get every example right that the prompt shows; for `best_of_n(until=passed)`.

    Raises:
        RerankerError: the prompt shows no example, so nothing could ever stop the sampling.
    """
    expect_examples(view)
    return [held is not None and all(held) for held in examples_held(view, candidates, ctx)]


@validated
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
    stop: str | Sequence[str] | None = None,
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
        stop: In place of `params.stop`; () for nothing. Default, where that is empty: for Python that ends in
            a function, or with `entry_point`, `codesample.stops.PYTHON_FUNCTION` where the engine takes it.
        until: When to sample no further: a function as in `EarlyStop`, such as `passed`, or an `EarlyStop`.
        judge: Used where programs have to be run, such as an `Executor`. Default: one of this call's own.

    At temperature 0 one is drawn, for all would be equal. Threads may share engine and judge; in an event
    loop this belongs into `asyncio.to_thread`. Returns the winner with the reasons, and all that was drawn.

    Raises:
        ParameterError: n below 1, a bad prompt or example, or messages for an engine that takes none.
        RerankerError: the reranker lacks what it needs, or broke its contract; has what was drawn.
        IsolationError: a program has to be run, and this machine grants too little.
    """
    expect_drawable(n)
    ranker, given = load_reranker(reranker), examples_of(examples)
    expect_named_models([ranker], source := model_source(engine))
    opened = source.open()
    (supply := supply_of(opened.abilities, holder=opened.name, model=opened)).require([ranker])
    asked = _asked(prompt, entry_point, opened)
    view = view_of(asked, given, _ID)
    enough, by_examples = _enough(until, view)
    job = _Job(opened, asked, view, ranker, _settled(params, ranker, stop, asked, opened), n, enough, program)
    # what is made for the rerankers is gone with this call
    stores = defaultdict[str, InMemory](InMemory).__getitem__
    with (
        ProgramRunner(judge or (lambda: open_judge(RunOptions())), _ID) as runner,
        closing(Models(source, stores, opened=opened)) as models,
    ):
        if by_examples or ranker.needs & EXECUTED:
            runner.open()  # too little isolation is told of before anything is sampled
        made = Made(stores, seed=job.params.seed, model=models.own)
        resources = Resources(models=models, made=made, reads=supply.reads)
        drawn, good = job.draw(context := job.context(resources, runner, stub=_stub(asked, given)))
        return job.choose(drawn, job.readable(drawn, resources), good, context, runner.failures)


@dataclass(frozen=True, slots=True)
class _Job:
    """One call, checked.

    Attributes:
        engine, asked, view, ranker, params, stop, program: What it is about.
        n: Candidates asked for; `most` is how many could differ.
    """

    engine: Engine
    asked: AskedPrompt
    view: PublicView
    ranker: Reranker
    params: SamplingParams
    n: int
    stop: EarlyStop | None
    program: Callable[[str], str] | None

    @property
    def most(self) -> int:
        return 1 if self.params.temperature == 0 else self.n

    def context(self, resources: Resources, runner: ProgramRunner, *, stub: str) -> Context:
        return resources.context(self.view, self.asked.prompt, runner, seed=self.params.seed, stub=stub)

    def readable(self, drawn: Sequence[Candidate], resources: Resources) -> Sequence[Candidate]:
        """Return candidates with the numbers that the reranker needs, read where the engine gave none."""
        if not resources.reads & self.ranker.needs:
            return drawn
        with _handing_over(drawn):
            return read_anew(drawn, self.asked.prompt, resources)[0]

    def draw(self, context: Context) -> tuple[list[Candidate], list[Candidate]]:
        """Return what was drawn, and of it what was good enough to stop at."""
        drawn: list[Candidate] = []
        good: list[Candidate] = []
        while len(drawn) < self.most and not good:
            upto = self.most if self.stop is None else min(self.most, len(drawn) + self.stop.every)
            fresh = self._drawn(range(len(drawn), upto))
            drawn += fresh
            with _handing_over(drawn):
                good = _good_enough(self.stop, self.view, fresh, context)
        return drawn, good

    def _drawn(self, indices: range) -> list[Candidate]:
        """Draw candidates, each with its program, in the order of their indices."""
        came = delivered(self.engine, [Request(_ID, self.asked.prompt, tuple(indices))], self.params)
        return sorted((self.asked.with_program(each, self.program) for each in came), key=_index)

    def choose(
        self,
        drawn: Sequence[Candidate],
        readable: Sequence[Candidate],
        good: Sequence[Candidate],
        context: Context,
        failures: Sequence[str],
    ) -> BestOfN:
        """Score everything drawn, and choose among what was good enough to stop at, or else among all."""
        with _handing_over(drawn):
            scores = self.ranker.score(self.view, of_programs(readable), context)
        by_index = {each.index: score for each, score in zip(drawn, scores, strict=True)}
        among = {each.index: by_index[each.index] for each in good or drawn}
        choice = chosen(self.ranker, context.given, among)
        best = drawn[choice.index]
        held, fault = _held(self.view, best, context)
        tokens, spared = sum(each.tokens_drawn for each in drawn), self.n - len(drawn)
        return BestOfN(
            best=best,
            why=self._stopped(good, drawn) + choice.why,
            decided_by=choice.decided_by,
            tied=choice.tied,
            examples_held=held,
            candidates=tuple(drawn),
            scores=scores_as_given(self.ranker, context.given, list(by_index)),
            tokens=tokens,
            not_drawn=spared,
            tokens_saved=round(spared * tokens / len(drawn)),
            failures=tuple(failures),
            notes=tuple(filter(None, [*self._notes(good, context), fault])),
        )

    def _stopped(self, good: Sequence[Candidate], drawn: Sequence[Candidate]) -> str:
        if not good:
            return ""
        return f"{len(good)} of the first {len(drawn)} candidates, of {self.n}, were good enough to stop at; "

    def _notes(self, good: Sequence[Candidate], context: Context) -> Iterator[str]:
        if self.most < self.n:
            yield f"temperature 0 draws equal candidates: 1 was drawn instead of {self.n}"
        if self.stop is not None and not good:
            yield f"no candidate was good enough to stop at: all {self.most} were drawn"
        yield _none_right(self.view, context.given)
        yield from partly_abstaining(self.ranker, context.given)
        yield from (f"{what} ({count} times)" for what, count in context.notes.items())


def _enough(until: Until | EarlyStop | None, view: PublicView) -> tuple[EarlyStop | None, bool]:
    """Return when to stop sampling, and whether the prompt's examples say so."""
    enough = EarlyStop(until) if callable(until) else until
    by_examples = enough is not None and unwrap(enough.until) is unwrap(passed)
    if by_examples:
        expect_examples(view)
    return enough, by_examples


def _settled(
    params: SamplingParams | None,
    ranker: Reranker,
    stop: str | Sequence[str] | None,
    asked: AskedPrompt,
    engine: Engine,
) -> SamplingParams:
    """Return the parameters with nothing left open, and recording what the reranker looks at."""
    settled = (params or SamplingParams()).settled()
    if stop is not None:
        settled = replace(settled, stop=(stop,) if isinstance(stop, str) else tuple(stop))
    elif not settled.stop and asked.ends_in_function and "stop_words" in engine.abilities:
        settled = replace(settled, stop=(PYTHON_FUNCTION,))
    return replace(settled, confidence=True) if "confidence" in ranker.needs else settled


def _asked(prompt: PromptLike, entry_point: str | None, engine: Engine) -> AskedPrompt:
    asked = AskedPrompt.of(prompt, entry_point)
    if not isinstance(asked.prompt, str) and "chat" not in engine.abilities:
        raise ParameterError(f"engine {engine.name!r} takes no messages; give a text to continue")
    return asked


def _held(view: PublicView, best: Candidate, context: Context) -> tuple[tuple[bool, ...] | None, str]:
    """Say which examples the winner gets right, None where nobody knows; and why nobody does.

    By then the choice is made, and nothing that goes wrong here may cost it.
    """
    if not view.examples:
        return None, ""
    try:
        (held,) = examples_held(view, of_programs([best]), context)
    except CodesampleError as error:
        return None, f"the examples could not be run: {error}"
    return held, "" if held is not None else "the harness failed on the winner's examples"


def _none_right(view: PublicView, given: Given) -> str:
    """Say that no candidate gets all examples right, where the scores show it."""
    counts = [score for score in given.get(public_examples.name, {}).values() if score is not None]
    if not counts or max(counts) == len(view.examples):
        return ""
    return f"no candidate gets all of the {len(view.examples)} examples right: {max(counts):g} at most"


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
    said = stop.until(view, of_programs(fresh), context)
    return [each for each, yes in zip(fresh, said, strict=True) if yes]


def _worded(name: str) -> str:
    """Return the beginning of a reranker's name, which may be an expression, on one line."""
    words = " ".join(name.split())
    return words if len(words) <= _NAME else f"{words[:_NAME]}..."


def _index(candidate: Candidate) -> int:
    return candidate.index


@contextmanager
def _handing_over(drawn: Sequence[Candidate]) -> Iterator[None]:
    try:
        yield
    except RerankerError as error:
        error.candidates = tuple(drawn)
        raise
