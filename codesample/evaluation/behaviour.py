"""Tests of each problem and what its programs do: made once for all rerankers, and kept in the run."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property, partial
from hashlib import sha256
from time import monotonic
from typing import Any, NamedTuple, Protocol

from codesample.evaluation.assert_reading import literal_value, modules_in
from codesample.evaluation.inputs import Input, made_inputs
from codesample.evaluation.kept_rows import InMemory, KeptRows, Store
from codesample.evaluation.test_options import TestOptions
from codesample.evaluation.test_prompts import VERSION, Asking, asking_for_tests
from codesample.evaluation.test_writing import plain_tests, read_tests, restored_tests
from codesample.execution.program_runner import (
    ProgramRunner,
    canonical,
    kept_text,
    printed_alike,
    printed_text,
)
from codesample.execution.questions import Did, Questions
from codesample.records import Candidate, Prompt, PublicView, SamplingParams
from codesample.rerankers.made_once import Assert, Cost, GeneratedTests, Outputs, Passes
from codesample.runs.artefacts import artefact_key

__all__ = [
    "BulkModel",
    "InMemory",
    "Made",
    "ProblemBehaviour",
    "Store",
    "behaviour_of",
    "needs_tests",
    "write_tests",
]


class BulkModel(Protocol):
    """A model that continues many prompts in one stream of requests."""

    @property
    def name(self) -> str:
        """Which model it is, with whatever makes it another one."""
        ...

    def generate_all(
        self,
        asked: Sequence[tuple[str, Prompt]],
        *,
        n: int,
        params: SamplingParams,
        finished: Callable[[int], None] | None = None,
    ) -> Sequence[Sequence[Candidate]]:
        """Return n continuations of each prompt, in their order; equal calls give equal ones.

        Args:
            asked: A key, as in `TextModel.generate`, with its prompt.
            finished: Told how many of the prompts have all of theirs.
        """
        ...


@dataclass(frozen=True, slots=True)
class Made:
    """What the behaviour of all problems of one call has in common.

    Attributes:
        stores: Gives the store of a kind, "tests", "outputs" or "passes": `RunFolder.artefacts` of a run.
        options: How much is made.
        seed: The run's; see `TestOptions.test_seed`.
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
) -> ProblemBehaviour:
    """Return the tests and outputs of one problem; nothing is made before it is asked for.

    Args:
        view: The problem.
        made: What all problems have in common.
        runner: Runs programs of this problem.
        asked: What the model was given for it. Default: the view's prompt.
        stub: Trusted definitions that stand before the program; as in `CodeTests`.
    """
    return ProblemBehaviour(view, made, runner, view.prompt if asked is None else asked, stub)


def needs_tests(needs: Collection[str], made: Made) -> bool:
    """Whether a reranker of these needs has tests written: for themselves, or for the inputs in them."""
    return made.model is not None and (
        "tests" in needs or ("outputs" in needs and "tests" in made.options.inputs)
    )


def write_tests(
    views: Sequence[PublicView],
    asked: Sequence[Prompt],
    made: Made,
    *,
    written: Callable[[int], None] = lambda done: None,
) -> None:
    """Let the model write the tests of all problems that the store lacks, in one stream of requests.

    To be called before scoring, where a reranker needs "tests", or "outputs" where `made` has a model; what
    it draws is then in the store "tests".

    Args:
        views: The problems.
        asked: What the model was given for each.
        made: With a model; without one nothing is done.
        written: Told for how many of the problems tests are drawn, where some are to be.

    Raises:
        ParameterError, ModelError: as `Engine.stream`.
    """
    if made.model is None:
        return
    store = made.stores("tests")
    keys = [_key_of_tests(view, prompt, made) for view, prompt in zip(views, asked, strict=True)]
    lacking = [at for at, key in enumerate(keys) if store.get(key) is None]
    done = len(views) - len(lacking)
    if lacking:
        written(done)
    for wordings in _alike([(at, _asking(views[at], asked[at], made)) for at in lacking]):
        first = wordings[0][1]
        params = made.options.params(max_new_tokens=first.max_new_tokens, stop=first.stop, seed=made.seed)
        begun = monotonic()
        drawn = made.model.generate_all(
            [(f"{views[at].task_id}/tests", asking.prompt) for at, asking in wordings],
            n=made.options.test_samples,
            params=params,
            finished=partial(_count_on, written, done),
        )
        done += len(wordings)
        seconds = (monotonic() - begun) / len(wordings)
        for (at, asking), answers in zip(wordings, drawn, strict=True):
            tests = read_tests(
                (asking.begun + answer.completion for answer in answers), views[at], made.options
            )
            tokens = sum(len(answer.token_ids or ()) for answer in answers)
            known = getattr(answers, "cost", None) or Cost(tokens_drawn=tokens, seconds=seconds)
            store.put(keys[at], plain_tests(replace(tests, cost=known)))


def _count_on(written: Callable[[int], None], before: int, finished: int) -> None:
    written(before + finished)


class ProblemBehaviour:
    """The `Behaviour` of one problem; what is made stays in the stores of `Made`.

    Args: as `behaviour_of`.
    """

    def __init__(self, view: PublicView, made: Made, runner: ProgramRunner, asked: Prompt, stub: str) -> None:
        self._view, self._made, self._runner, self._asked = view, made, runner, asked
        self._stub = stub

    def tests(self) -> GeneratedTests:
        """Return what the model wrote; nothing where there is no model."""
        if self._made.model is None:
            return GeneratedTests()
        return self._tests

    def inputs(self) -> tuple[Input, ...]:
        """Return the columns of `outputs`, each with its source."""
        return self._inputs

    def outputs(self, programs: Sequence[str]) -> Outputs:
        """Return what programs return on the problem's inputs, one row each."""
        asked = self._for_outputs
        columns = [asked.places[each.text] for each in self._inputs]
        did, cost = self._did(programs, asked)
        rows = tuple(None if each is None else tuple(each.values[at] for at in columns) for each in did)
        from_tests = any(each.source == "tests" for each in self._inputs)
        written = self.tests().cost if from_tests else Cost()
        return Outputs(tuple(each.text for each in self._inputs), rows, cost, written)

    def passes(self, programs: Sequence[str]) -> Passes:
        """Return which of the asserts of `tests` hold for programs, one row each.

        One that compares a call with a literal holds where the canonical texts of both are equal, so as
        Python's == says it: 1, 1.0 and True are equal, floats are compared exactly, a list is no tuple. Any
        other statement is carried out beside the program. What a script prints is compared as its examples
        are.
        """
        asserts = self.tests().asserts
        if not asserts:
            return Passes((), ((),) * len(programs))
        asked = self._for_passes
        did, cost = self._did(programs, asked)
        holds = [self._judging(each, asked) for each in asserts]
        rows = tuple(None if each is None else tuple(hold(each) for hold in holds) for each in did)
        return Passes(asserts, rows, cost)

    @cached_property
    def _tests(self) -> GeneratedTests:
        store = self._made.stores("tests")
        key = _key_of_tests(self._view, self._asked, self._made)
        if store.get(key) is None:
            write_tests([self._view], [self._asked], self._made)
        return restored_tests(store.get(key))

    @cached_property
    def _inputs(self) -> tuple[Input, ...]:
        made = made_inputs(self._view, self._made.options, _seed(self._made))
        if "tests" in self._made.options.inputs:
            there = {each.text for each in made}
            made += [Input(text, "tests") for text in self.tests().inputs if text not in there]
        return tuple(made)

    @cached_property
    def _for_outputs(self) -> _Asked:
        """What is asked for outputs, with the asserts where their calls are inputs: one process does both."""
        asserts = self.tests().asserts if "tests" in self._made.options.inputs else ()
        return _Asked.of(self._view, self._inputs, asserts, self._stub)

    @cached_property
    def _for_passes(self) -> _Asked:
        if "tests" in self._made.options.inputs:
            return self._for_outputs
        return _Asked.of(self._view, (), self.tests().asserts, self._stub)

    def _judging(self, each: Assert, asked: _Asked) -> Callable[[Did], bool]:
        """Return what says of a program whether an assert holds for it."""
        if each.call is None or each.expected is None:
            at = asked.questions.statements.index(each.statement)
            return lambda did: did.held[at]
        at, expected = asked.places[each.call], each.expected
        if self._view.entry_point is None:
            atol, rtol = self._view.atol, self._view.rtol
            wanted = kept_text(printed_text(expected))
            return lambda did: (
                (got := did.values[at]) is not None
                and (got == wanted or printed_alike(got, expected, atol=atol, rtol=rtol))
            )
        text = kept_text(canonical(literal_value(expected)))
        return lambda did: did.values[at] == text

    def _did(self, programs: Sequence[str], asked: _Asked) -> tuple[list[Did | None], Cost]:
        """Return what each program does, run now where the store does not hold it."""
        if not asked.questions.asked:
            return [Did((), ())] * len(programs), Cost()
        hashes = {each: sha256(each.encode(errors="surrogatepass")).hexdigest() for each in programs}
        store = self._made.stores("outputs")
        base = (VERSION, *_problem(self._view, self._made), asdict(asked.questions))
        known = KeptRows(store, base)
        lacking = [source for source, name in hashes.items() if name not in known.rows]
        if lacking:
            begun = monotonic()
            found = self._runner.answers(lacking, asked.questions)
            seconds = (monotonic() - begun) / len(lacking)
            known.add({hashes[source]: did for source, did in zip(lacking, found, strict=True)}, seconds)
        rows = {source: known.rows.get(name) for source, name in hashes.items()}
        spent = sum(known.seconds.get(name, 0.0) for name in hashes.values())
        return [rows[each] for each in programs], Cost(executions=len(rows), seconds=spent)


class _Asked(NamedTuple):
    """What every program of a problem is asked, and where each answer stands."""

    questions: Questions
    places: dict[str, int]

    @classmethod
    def of(cls, view: PublicView, inputs: Sequence[Input], asserts: Sequence[Assert], stub: str) -> _Asked:
        """Ask for the inputs, what asserts compare, and the other statements; the likeliest to end first."""
        texts = tuple(
            dict.fromkeys([*(each.text for each in inputs), *(each.call for each in asserts if each.call)])
        )
        places = {text: at for at, text in enumerate(texts)}
        if view.entry_point is None:
            return cls(Questions(inputs=texts), places)
        statements = tuple(each.statement for each in asserts if each.call is None)
        return cls(
            Questions(
                expressions=texts,
                statements=statements,
                stub=stub,
                entry_point=view.entry_point,
                modules=modules_in((*texts, *statements)),
            ),
            places,
        )


def _problem(view: PublicView, made: Made) -> tuple[Any, ...]:
    return view.task, view.task_id, made.data_hash


def _seed(made: Made) -> int:
    return made.seed if made.options.test_seed is None else made.options.test_seed


def _asking(view: PublicView, asked: Prompt, made: Made) -> Asking:
    chat = not isinstance(asked, str)
    return asking_for_tests(view, chat=chat, count=made.options.asserts_per_sample)


def _key_of_tests(view: PublicView, asked: Prompt, made: Made) -> str:
    """Return what tests are kept under: all that settles them."""
    asking = _asking(view, asked, made)
    turns = asking.prompt if isinstance(asking.prompt, str) else [asdict(each) for each in asking.prompt]
    options = {**asdict(made.options), "test_seed": _seed(made), "inputs": None, "max_inputs": None}
    name = made.model.name if made.model else None
    return artefact_key(VERSION, *_problem(view, made), turns, list(asking.stop), options, name)


def _alike(asked: Sequence[tuple[int, Asking]]) -> list[list[tuple[int, Asking]]]:
    """Group requests that are sampled alike, since one stream has one set of parameters."""
    groups: dict[tuple[tuple[str, ...], int], list[tuple[int, Asking]]] = {}
    for at, asking in asked:
        groups.setdefault((asking.stop, asking.max_new_tokens), []).append((at, asking))
    return list(groups.values())
