"""What the rerankers of one call can act with, and the context that each problem's come to."""

from __future__ import annotations

import hashlib
from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property

from codesample.errors import ParameterError
from codesample.evaluation.behaviour import Made, behaviour_of
from codesample.evaluation.problem_set import ProblemSet
from codesample.evaluation.program_tokens import of_programs
from codesample.evaluation.supply import Supply, needed
from codesample.evaluation.test_options import TestOptions
from codesample.evaluation.text_model import Models
from codesample.execution.judge import Judge
from codesample.execution.program_runner import ProgramRunner
from codesample.records import Candidate, GivenText, Problem, Prompt, PublicView, Reading
from codesample.records.short import spelt
from codesample.rerankers.context import Context
from codesample.rerankers.contract import Reranker
from codesample.rerankers.made_once import Cost
from codesample.runs import RunFolder
from codesample.runs.artefacts import artefact_key
from codesample.tasks.function_form import stub_of

__all__ = ["ReadyPool", "Resources", "read_anew", "resources_for"]


@dataclass(frozen=True, slots=True)
class Resources:
    """What the rerankers of one call can act with, besides looking.

    Attributes:
        judge: Runs programs; None where none of them needs it.
        models: Write and read text; None where there is none.
        made: What the behaviour of all problems has in common; None where no reranker asks for it.
        reads: Of the numbers of tokens that a candidate may lack, those that the model reads anew.
        recorded: Whether the candidates come from elsewhere, so that their tokens are not the model's.
    """

    judge: Judge | None = None
    models: Models | None = None
    made: Made | None = None
    reads: frozenset[str] = frozenset()
    recorded: bool = False

    def identity(self, reranker: Reranker) -> list[str]:
        """Return what a reranker's scores depend on besides its candidates, as far as it is known here."""
        model = self.models.own.name if self.models and self.models.own else ""
        uses_model = reranker.needs & {"generate", "prompt_logprobs", "tests", "outputs", *self.reads}
        uses_made = self.made is not None and reranker.needs & {"tests", "outputs"}
        return [model if uses_model else "", spelt(self.made.options) if uses_made and self.made else ""]

    def context(
        self, view: PublicView, asked: Prompt, runner: ProgramRunner | None, *, seed: int, stub: str
    ) -> Context:
        """Return the context of one problem; see `Context` for the arguments."""
        behaviour = None
        if self.made is not None and runner is not None:
            behaviour = behaviour_of(view, self.made, runner=runner, asked=asked, stub=stub)
        return Context(
            view,
            seed=seed,
            checks=runner,
            outputs=runner,
            stub=stub,
            asked=asked,
            model=self.models,
            behaviour=behaviour,
        )


class ReadyPool:
    """One problem with its candidates, and what rerankers are given to score them.

    Args:
        chosen: The task, and how its problems were put to the model.
        problem, candidates: Whose candidates these are, each with its program.
        resources: What rerankers can act with.
        seed: For those that draw random numbers.

    Attributes:
        view: What rerankers may know of the problem.
        asked: What the model was given; of recorded samples, what it would be given here.
    """

    def __init__(
        self,
        chosen: ProblemSet,
        problem: Problem,
        candidates: Sequence[Candidate],
        resources: Resources,
        *,
        seed: int,
    ) -> None:
        self.view = PublicView.of(chosen.task.name, problem)
        self.asked = _asked(chosen, problem)
        self._candidates, self._resources, self._seed = candidates, resources, seed
        judge = resources.judge
        self._runner = None if judge is None else ProgramRunner(judge, problem.task_id)
        self._context = resources.context(
            self.view, self.asked, self._runner, seed=seed, stub=stub_of(problem)
        )
        self._read: tuple[Sequence[Candidate], Cost] | None = None

    @property
    def failures(self) -> list[str]:
        """Why the harness failed on a program, for each on which it did."""
        return [] if self._runner is None else self._runner.failures

    @property
    def notes(self) -> Counter[str]:
        """What rerankers noted of their scores, and how often."""
        return self._context.notes

    def shown(self, reranker: Reranker) -> tuple[list[Candidate], Context]:
        """Return what a reranker is to score, and a context of its own.

        Tokens, and what is known of them, are those of the program. Numbers that candidates lack and the
        reranker needs are read now, where the model reads them; whoever needs them pays for that.

        Raises:
            CodesampleError: as `read_anew`.
        """
        ctx = self._context.apart()
        candidates: Sequence[Candidate] = self._candidates
        if self._resources.reads & reranker.needs:
            with ctx.charging() as charge:
                if self._read is None:
                    self._read = read_anew(candidates, self.asked, self._resources)
                candidates, cost = self._read
                charge(cost)
        return of_programs(candidates), ctx

    def statements(self) -> list[str]:
        """Return what a model wrote to test the problem; written now where it is not yet."""
        return [each.statement for each in self._context.apart().tests.asserts]

    def key(self, reranker: Reranker) -> str:
        """Return what scores of this problem are kept under: they hold as long as nothing of it changes."""
        return artefact_key(reranker.fingerprint, *self._identity, self._resources.identity(reranker))

    @cached_property
    def _identity(self) -> tuple[str, ...]:
        given = spelt((self._seed, self.view, self.asked))
        return hash_of(given), *(candidate_hash(each) for each in self._candidates)


def resources_for(
    rerankers: Sequence[Reranker],
    run: RunFolder,
    *,
    judge: Judge | None,
    models: Models,
    supply: Supply,
    recorded: bool = False,
    tests: TestOptions | None = None,
) -> Resources:
    """Return what the rerankers of a run can act with; what they make is kept in its folder.

    Args:
        rerankers: All that are going to score.
        run: Open for writing.
        judge, models, recorded: See `Resources`.
        supply: Says what is to be read anew.
        tests: How much is made of tests and inputs. Default: as the run's last call that said so.
    """
    made = None
    if needed(rerankers, "tests", "outputs"):
        manifest = run.manifest
        made = Made(
            run.artefacts,
            tests or _tests_of(run),
            seed=manifest.params.seed,
            data_hash=manifest.data_hash,
            model=models.own,
        )
    return Resources(judge, models, made, supply.reads, recorded)


def _tests_of(run: RunFolder) -> TestOptions:
    """Return what a run's last call that said so was to make of tests and inputs."""
    said = [each.get("settings", {}).get("tests") for each in run.manifest.sessions]
    return next((TestOptions.from_json(each) for each in reversed(said) if each), TestOptions())


def _asked(chosen: ProblemSet, problem: Problem) -> Prompt:
    try:
        return chosen.prompt_form.ask(problem)
    except ParameterError:
        # recorded samples of a problem that has no such form
        return problem.prompt


def candidate_hash(candidate: Candidate) -> str:
    """Return a short text that differs between candidates that differ in anything."""
    digest = hashlib.sha256()
    for each in fields(candidate):
        value = getattr(candidate, each.name)
        plain = isinstance(value, tuple) and value and isinstance(value[0], float)
        digest.update(array("d", value).tobytes() if plain else repr(value).encode("utf-8", "surrogatepass"))
        digest.update(b"\0")
    return digest.hexdigest()[:16]


def hash_of(text: str) -> str:
    """Return a short text that differs between texts."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def read_anew(
    candidates: Sequence[Candidate], asked: Prompt, resources: Resources
) -> tuple[list[Candidate], Cost]:
    """Return candidates with the numbers that the model reads of their tokens, and what that took.

    Candidates of the model keep the tokens and log-probabilities that they were drawn with; recorded ones
    are tokenised as the model does it, and then every number of theirs is the model's.

    Raises:
        CodesampleError: as `EngineText.readings`.
    """
    assert resources.models is not None
    model = resources.models(None)
    if resources.recorded:
        texts = [GivenText(asked, _text_of(each, asked)) for each in candidates]
        readings = model.readings(texts)
        read = [
            _as_read(each, found, before=len(each.completion) - len(text.text))
            for each, text, found in zip(candidates, texts, readings, strict=True)
        ]
        return read, readings.cost
    lacking = [each for each in candidates if each.certainties is None or each.logprobs is None]
    readings = model.readings([GivenText(asked, each.completion, each.token_ids) for each in lacking])
    found = {each.index: _with(each, reading) for each, reading in zip(lacking, readings, strict=True)}
    return [found.get(each.index, each) for each in candidates], readings.cost


def _text_of(candidate: Candidate, asked: Prompt) -> str:
    """Return what follows the prompt, for some tools record it with the prompt before it."""
    text = candidate.completion or candidate.program or ""
    return text.removeprefix(asked) if isinstance(asked, str) else text


def _with(candidate: Candidate, reading: Reading) -> Candidate:
    if candidate.token_ids is None or candidate.logprobs is None:
        return _as_read(candidate, reading)
    return replace(candidate, certainties=reading.certainties, confidences=reading.confidences)


def _as_read(candidate: Candidate, reading: Reading, before: int = 0) -> Candidate:
    """Return a candidate with the tokens of a reading, whose text begins `before` characters into its own."""
    return replace(
        candidate,
        token_ids=reading.token_ids,
        token_ends=tuple(end + max(0, before) for end in reading.token_ends),
        logprobs=reading.logprobs,
        sampled_logprobs=None,
        certainties=reading.certainties,
        confidences=reading.confidences,
    )
