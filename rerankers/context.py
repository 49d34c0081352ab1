"""What a reranker may do besides look: run programs, ask a model, draw random numbers, as declared."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from time import monotonic
from types import MappingProxyType
from typing import Any, Literal

from codesample.errors import RerankerError
from codesample.records import (
    Candidate,
    CodeTests,
    Prompt,
    PromptLike,
    PublicView,
    SamplingParams,
    ScriptExample,
    ScriptTests,
    Tests,
    prompt_from,
)
from codesample.records.validation import validated
from codesample.rerankers.abilities import ABILITIES, Behaviour, CheckRunner, OutputRunner, TextModel
from codesample.rerankers.made_once import Cost, GeneratedTests, Outputs, Passes
from codesample.rerankers.sealing import cost_of, padded, programs_of, prompts_of, sealed, with_stub

__all__ = ["ABILITIES", "Behaviour", "CheckRunner", "Context", "OutputRunner", "TextModel"]

_ACCEPTS_ANY = "def accept(input, output, expected):\n    return True\n"


@validated
class Context:
    """The abilities a reranker has on one problem. The evaluation makes one per problem and run.

    What runs programs knows hidden tests too; no attribute of a context, nor of what hangs on it, leads
    there.

    Args:
        view: The problem, as far as a reranker may know it.
        seed: With the problem's and the reranker's name it settles `rng`.
        checks: Judges programs by tests; None where this run executes nothing.
        outputs: Runs programs on inputs; None where this run cannot.
        stub: Trusted definitions that stand before the program in the prompt, for statements that use them;
            as in `CodeTests`.
        asked: What the model was given for the problem. Default: the view's prompt.
        model: By a model's name, or None for the one that the candidates came from, what writes and reads
            text; None where this run has no model.
        behaviour: The problem's tests and outputs; None where this run makes none.
    """

    def __init__(
        self,
        view: PublicView,
        *,
        seed: int = 0,
        checks: CheckRunner | None = None,
        outputs: OutputRunner | None = None,
        stub: str = "",
        asked: Prompt | None = None,
        model: Callable[[str | None], TextModel] | None = None,
        behaviour: Behaviour | None = None,
    ) -> None:
        self._view, self._seed = view, seed
        self.asked: Prompt = view.prompt if asked is None else asked
        self._model = None if model is None else sealed(model)
        self._make_tests = None if behaviour is None else sealed(behaviour.tests)
        self._make_outputs = None if behaviour is None else sealed(behaviour.outputs)
        self._make_passes = None if behaviour is None else sealed(behaviour.passes)
        self._spent, self._paid, self._shared_seconds = Cost(), set[Hashable](), 0.0
        self._notes: Counter[str] = Counter()
        self._given: dict[str, dict[int, float | None]] = {}
        self._outer: Context | None = None
        self._run_checks = None if checks is None else sealed(with_stub(checks, stub))
        self._run_inputs = None if outputs is None else sealed(outputs.outputs)
        self._user, self._declared = "", frozenset(ABILITIES)
        self._rng: random.Random | None = None
        # with the seconds that it took
        self._known: dict[tuple[str, Tests], tuple[tuple[bool, ...] | None, float]] = {}

    def bind(self, user: str, needs: frozenset[str]) -> Context:
        """Return this context narrowed to the abilities in `needs`; known results are shared."""
        bound = Context(self._view, seed=self._seed, asked=self.asked)
        bound._run_checks, bound._run_inputs, bound._model = self._run_checks, self._run_inputs, self._model
        bound._make_tests, bound._make_outputs = self._make_tests, self._make_outputs
        bound._make_passes, bound._known, bound._outer = self._make_passes, self._known, self
        bound._user, bound._declared = user, needs & self._declared
        return bound

    @property
    def rng(self) -> random.Random:
        """Random numbers that depend on the seed, the task, the problem and the reranker alone."""
        if self._rng is None:
            self._rng = random.Random(repr((self._seed, self._view.task, self._view.task_id, self._user)))
        return self._rng

    def check(
        self, candidates: Sequence[Candidate], statements: Sequence[str], *, trusted: bool = False
    ) -> list[tuple[bool, ...] | None]:
        """Run each program in the sandbox and judge each statement on its own, equal ones once for all.

        Needs "public_examples" or "run".

        Args:
            candidates: Their `program` must be set.
            statements: Python statements, such as "assert f(1) == 2".
            trusted: The statements come from the task, or do no more than call the program and compare.
                They then run apart from the program, which cannot tamper with them, and outside the
                sandbox; others, such as a model's, run beside it, inside.

        Returns: per candidate one bool for each statement, or None where the harness failed.

        Raises:
            RerankerError: the ability is undeclared or absent, or a candidate has no program.
        """
        mode: Literal["split", "in_process"] = "split" if trusted else "in_process"
        checks = tuple(statements)
        tests = CodeTests(checks=checks, entry_point=self._view.entry_point, mode=mode) if checks else None
        return self._check(candidates, tests)

    def check_scripts(
        self, candidates: Sequence[Candidate], cases: Sequence[ScriptExample], *, compare: bool = True
    ) -> list[tuple[bool, ...] | None]:
        """Run each candidate's program as a script on each case's input, and compare what it prints.

        How it must end and what must be equal is as in `ScriptTests`, with the view's tolerance of numbers.
        Needs "public_examples" or "run". Equal programs are run once, for all rerankers together.

        Args:
            candidates: Their `program` must be set.
            cases: Inputs with outputs.
            compare: Off, a program need only end as it must, whatever it prints.

        Returns: per candidate one bool for each case, or None where the harness failed.

        Raises:
            RerankerError: as `check`.
        """
        if not cases:
            return self._check(candidates, None)
        if compare:
            tests = ScriptTests(cases=tuple(cases), atol=self._view.atol, rtol=self._view.rtol)
        else:
            tests = ScriptTests(cases=tuple(cases), checker=_ACCEPTS_ANY)
        return self._check(candidates, tests)

    def _check(self, candidates: Sequence[Candidate], tests: Tests | None) -> list[tuple[bool, ...] | None]:
        """Judge each candidate's program by `tests`, where that is not known yet; None checks nothing."""
        self._need("public_examples", "run")
        if self._run_checks is None:
            raise RerankerError("this run executes no programs, so nothing can be checked")
        programs = programs_of(candidates)
        if tests is None:
            return [() for _ in programs]
        distinct = list(dict.fromkeys(programs))
        fresh = [each for each in distinct if (each, tests) not in self._known]
        if fresh:
            with self._sharing() as clock:
                results = self._run_checks(fresh, tests)
            for program, held in zip(fresh, results, strict=True):
                self._known[program, tests] = (padded(held, tests.check_count), clock() / len(fresh))
        for program in distinct:
            cost = Cost(executions=1, seconds=self._known[program, tests][1])
            self._charge(cost, "check", program, tests)
        return [self._known[program, tests][0] for program in programs]

    def run(
        self, candidates: Sequence[Candidate], inputs: Sequence[tuple[Any, ...]]
    ) -> list[tuple[str | None, ...] | None]:
        """Call the function asked for on each of `inputs`, for each candidate; needs "run".

        Equal programs are run once. Inputs are the reranker's own; hidden ones are out of its reach.

        Returns: per candidate the canonical text of each result (equal results have equal text; None
        where the call failed), or None where the harness failed.

        Raises:
            RerankerError: the ability is undeclared or absent, the problem names no function, or a
                candidate has no program.
        """
        self._need("run")
        if self._run_inputs is None or self._view.entry_point is None:
            raise RerankerError("this run cannot call candidates on inputs, or the problem names no function")
        programs = programs_of(candidates)
        distinct = list(dict.fromkeys(programs))
        rows = self._run_inputs(distinct, self._view.entry_point, inputs)
        # run anew each time, and no call is another one's
        self._charge(Cost(executions=len(distinct)), object())
        results = dict(zip(distinct, rows, strict=True))
        return [results[program] for program in programs]

    @property
    def tests(self) -> GeneratedTests:
        """Asserts and inputs that a model wrote for the problem, shared by all rerankers; needs "tests".

        Raises:
            RerankerError: the ability is undeclared or absent.
        """
        self._need("tests")
        if self._make_tests is None:
            raise RerankerError("this run makes no tests of its own")
        with self._sharing():
            made = self._make_tests()
        self._charge(made.cost, "tests")
        return made

    def outputs(self, candidates: Sequence[Candidate]) -> Outputs:
        """Return what the candidates return on the problem's inputs; needs "outputs".

        Inputs come from the prompt's examples, from variations of them, from the types that the function
        takes and from what a model wrote; never from hidden tests. The same matrix serves all rerankers, is
        kept in the run folder, and equal programs are run once.

        Raises:
            RerankerError: the ability is undeclared or absent, or a candidate has no program.
        """
        self._need("outputs")
        if self._make_outputs is None:
            raise RerankerError("this run makes no inputs of its own")
        programs = programs_of(candidates)
        with self._sharing():
            found = self._make_outputs(programs)
        self._charge(found.cost, "outputs", frozenset(programs))
        self._charge(found.written, "tests")
        return found

    def passes(self, candidates: Sequence[Candidate]) -> Passes:
        """Return which generated asserts hold for which candidates; needs "tests". As `outputs` otherwise."""
        self._need("tests")
        if self._make_passes is None:
            raise RerankerError("this run makes no tests of its own")
        programs = programs_of(candidates)
        with self._sharing():
            found = self._make_passes(programs)
        # whoever uses what holds pays for the asserts too
        _ = self.tests
        self._charge(found.cost, "passes", frozenset(programs))
        return found

    def generate(
        self,
        prompt: PromptLike,
        *,
        n: int = 1,
        params: SamplingParams | None = None,
        model: str | None = None,
        label: str = "",
    ) -> list[Candidate]:
        """Let a model continue a text or answer messages, n times; as `generate_all`."""
        return self.generate_all([prompt], n=n, params=params, model=model, label=label)[0]

    def generate_all(
        self,
        prompts: Sequence[PromptLike],
        *,
        n: int = 1,
        params: SamplingParams | None = None,
        model: str | None = None,
        label: str = "",
    ) -> list[list[Candidate]]:
        """Let a model continue texts together, each as if alone; needs "generate". Equal calls are made once.

        Args:
            prompts: Each as in `Request`.
            n: How many of each, at least 1.
            params: Default: greedy, up to 512 tokens.
            model: A model as for `evaluate`. Default: the one that the candidates came from.
            label: Tells calls with equal prompts apart.

        Raises:
            RerankerError: the ability is undeclared or absent.
            ParameterError, ModelError: one text in place of several; or as `Engine.stream`.
        """
        self._need("generate")
        key, asked = f"{self._view.task_id}/{self._user}/{label}", params or SamplingParams(temperature=0.0)
        put = prompts_of(prompts, n)
        with self._sharing() as clock:
            drawn = self._chosen_model(model).generate_all([(key, each) for each in put], n=n, params=asked)
        for prompt, texts in zip(put, drawn, strict=True):
            spent = Cost(sum(each.tokens_drawn for each in texts), seconds=clock() / len(put))
            self._charge(cost_of(texts, spent), "generate", model, prompt, n, asked, key)
        return [list(texts) for texts in drawn]

    def logprobs(
        self, given: Sequence[tuple[PromptLike, str]], *, model: str | None = None
    ) -> list[tuple[float, ...]]:
        """Return the log-probability of each token of texts behind their prompts; needs "prompt_logprobs".

        Args:
            given: Pairs of a prompt and the text that follows it.
            model: As for `generate`.

        Raises:
            RerankerError: the ability is undeclared or absent.
            ParameterError, ModelError: as `Reader.read`.
        """
        self._need("prompt_logprobs")
        pairs = [(prompt_from(prompt), text) for prompt, text in given]
        with self._sharing() as clock:
            found = self._chosen_model(model).logprobs(pairs)
        spent = Cost(tokens_read=sum(map(len, found)), seconds=clock())
        self._charge(cost_of(found, spent), "logprobs", model, tuple(pairs))
        return list(found)

    def logprob(self, prompt: PromptLike, text: str, *, model: str | None = None) -> float:
        """Return the log-probability of a text behind a prompt, in nats; as `logprobs`."""
        return math.fsum(self.logprobs([(prompt, text)], model=model)[0])

    @property
    def cost(self) -> Cost:
        """What this reranker has used so far, as if it were the only one.

        Seconds are those of what others may use too: tests, outputs, checks, what a model wrote or read.
        """
        return self._spent

    @property
    def shared_seconds(self) -> float:
        """Wall seconds that this reranker waited for what `cost` counts."""
        return self._shared_seconds

    def apart(self) -> Context:
        """Return a context with these abilities and what is known already, whose costs begin at nothing."""
        return self.bind("", frozenset(ABILITIES))

    @contextmanager
    def charging(self) -> Iterator[Callable[[Cost], None]]:
        """Give a function that charges what a block took, or would have; its time counts as nothing else."""
        with self._sharing():
            yield lambda cost: self._charge(cost, object())

    def _charge(self, cost: Cost, *what: Hashable) -> None:
        """Count what something took; what is asked for again costs nothing more."""
        if what not in self._paid:
            self._paid.add(what)
            self._spent += cost
        # a reranker made of rerankers pays for all of them
        if self._outer is not None:
            self._outer._charge(cost, *what)

    @contextmanager
    def _sharing(self) -> Iterator[Callable[[], float]]:
        """Measure the time that is spent in a block; gives a function that tells it behind the block."""
        began, took = monotonic(), [0.0]
        try:
            yield lambda: took[0]
        finally:
            took[0] = monotonic() - began
            each: Context | None = self
            while each is not None:
                each._shared_seconds += took[0]
                each = each._outer

    def keep(self, candidates: Sequence[Candidate], scores: Sequence[float | None]) -> None:
        """Keep what this reranker gave; the contract does so itself, behind every scoring."""
        self._keep(self._user, {each.index: score for each, score in zip(candidates, scores, strict=True)})

    @property
    def given(self) -> Mapping[str, Mapping[int, float | None]]:
        """What the rerankers inside of this one gave so far, as they gave it: by name and candidate's index.

        Names are in the order in which they were first done. A filter asks those behind it for what it keeps
        alone.
        """
        return MappingProxyType(self._given)

    def note(self, what: str) -> None:
        """Count something that weakens this reranker's scores; a run tells of it beside its figures."""
        self._noted(f"{self._user}: {what}")

    @property
    def notes(self) -> Counter[str]:
        """What was noted, with the name of who noted it, and how often."""
        return Counter(self._notes)

    def _keep(self, name: str, scores: Mapping[int, float | None]) -> None:
        # who asks sees what it asked for, and nobody what others asked for
        if self._outer is not None:
            self._outer._given.setdefault(name, {}).update(scores)
            self._outer._keep(name, scores)

    def _noted(self, text: str) -> None:
        self._notes[text] += 1
        if self._outer is not None:
            self._outer._noted(text)

    def _chosen_model(self, name: str | None) -> TextModel:
        if self._model is None:
            raise RerankerError("this run has no model at hand; name one: --model MODEL")
        return self._model(name)

    def _need(self, *abilities: str) -> None:
        if not self._declared.intersection(abilities):
            wanted = " or ".join(repr(ability) for ability in abilities)
            raise RerankerError(f"used an ability it does not declare: {wanted}; add it to needs={{...}}")
