"""What a reranker asks for, answered once and then from memory: the same in every trial and process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from codesample.errors import RerankerError
from codesample.records import Candidate, Prompt, PublicView, SamplingParams, Tests
from codesample.records.short import spelt
from codesample.rerankers.context import Behaviour, CheckRunner, Context, OutputRunner, TextModel
from codesample.rerankers.made_once import GeneratedTests, Outputs, Passes

__all__ = ["Answers", "WatchedContext"]


class WatchedContext(Context):
    """A context that knows whether random numbers were drawn in it, or in those that came of it."""

    def __init__(self, view: PublicView, **more: Any) -> None:
        super().__init__(view, **more)
        self._watched: list[Context] = [self]

    def bind(self, user: str, needs: frozenset[str]) -> Context:
        """Return this context narrowed to some abilities, and watch it too."""
        return self._watch(super().bind(user, needs))

    @property
    def drew(self) -> bool:
        """Whether random numbers were drawn."""
        return any(each._rng is not None for each in self._watched)

    def _watch(self, bound: Context) -> Context:
        self._watched.append(bound)
        narrowed = bound.bind
        # an instance's own: a reranker made of others binds what it is given
        bound.bind = lambda user, needs: self._watch(narrowed(user, needs))  # type: ignore[method-assign]
        return bound


@dataclass(slots=True)
class Answers:
    """Everything that the rerankers of one problem can ask for; what is pickled answers from memory alone.

    Attributes:
        checks, outputs_of, model, behaviour: As in `Context`; None where there is no such ability.
        stub, asked: As in `Context`.
        known: What was asked for, with the answers.
        replayed: Whether nothing but what is known is answered.
    """

    checks: CheckRunner | None = None
    outputs_of: OutputRunner | None = None
    model: Callable[[str | None], TextModel] | None = None
    behaviour: Behaviour | None = None
    stub: str = ""
    asked: Prompt | None = None
    known: dict[Any, Any] = field(default_factory=dict)
    replayed: bool = False

    def context(self, view: PublicView, *, seed: int = 0) -> WatchedContext:
        """Return a new context for the problem, or for a variant of it."""
        may = self.known.get("may") if self.replayed else self._abilities()
        assert may is not None
        return WatchedContext(
            view,
            seed=seed,
            checks=_Checks(self) if "checks" in may else None,
            outputs=_Calls(self) if "outputs" in may else None,
            stub=self.stub,
            asked=self.asked,
            model=(lambda name: _Model(self, name)) if "model" in may else None,
            behaviour=_Behaviour(self) if "behaviour" in may else None,
        )

    def __getstate__(self) -> dict[str, Any]:
        known = self.known if self.replayed else {**self.known, "may": self._abilities()}
        return {"stub": self.stub, "asked": self.asked, "known": known}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state, replayed=True)  # type: ignore[misc]

    def each(self, kind: Any, keys: Sequence[Any], ask: Callable[[list[Any]], Sequence[Any]]) -> list[Any]:
        """Return the answer for each key; `ask` is given those that are not known, each once."""
        fresh = [key for key in dict.fromkeys(keys) if (kind, key) not in self.known]
        if fresh and self.replayed:
            raise RerankerError("asked for something else than in the process that it was tried in first")
        if fresh:
            for key, answer in zip(fresh, ask(fresh), strict=True):
                self.known[kind, key] = answer
        return [self.known[kind, key] for key in keys]

    def _abilities(self) -> frozenset[str]:
        given = {
            "checks": self.checks,
            "outputs": self.outputs_of,
            "model": self.model,
            "behaviour": self.behaviour,
        }
        return frozenset(name for name, each in given.items() if each is not None)


@dataclass(frozen=True, slots=True)
class _Checks:
    answers: Answers

    def check(self, programs: Sequence[str], tests: Tests) -> list[tuple[bool, ...] | None]:
        def ask(fresh: list[Any]) -> Sequence[Any]:
            assert self.answers.checks is not None
            return self.answers.checks.check(fresh, tests)

        return self.answers.each(("check", tests), programs, ask)


@dataclass(frozen=True, slots=True)
class _Calls:
    answers: Answers

    def outputs(
        self, programs: Sequence[str], entry_point: str, inputs: Sequence[tuple[Any, ...]]
    ) -> list[tuple[str | None, ...] | None]:
        def ask(fresh: list[Any]) -> Sequence[Any]:
            assert self.answers.outputs_of is not None
            return self.answers.outputs_of.outputs(fresh, entry_point, inputs)

        return self.answers.each(("run", entry_point, repr(list(inputs))), programs, ask)


@dataclass(frozen=True, slots=True)
class _Model:
    answers: Answers
    name: str | None

    def generate_all(
        self, asked: Sequence[tuple[str, Prompt]], *, n: int, params: SamplingParams
    ) -> Sequence[Sequence[Candidate]]:
        # whatever the problem is called: a trial calls it otherwise
        keys = {(key.partition("/")[2].rpartition("/")[2], prompt): key for key, prompt in asked}

        def ask(fresh: list[Any]) -> Sequence[Any]:
            put = [(keys[each], each[1]) for each in fresh]
            return self._asked().generate_all(put, n=n, params=params)

        labelled = [(key.partition("/")[2].rpartition("/")[2], prompt) for key, prompt in asked]
        found = self.answers.each(("generate", self.name, n, spelt(params)), labelled, ask)
        return [list(drawn) for drawn in found]

    def logprobs(self, given: Sequence[tuple[Prompt, str]]) -> Sequence[tuple[float, ...]]:
        return self.answers.each(("logprobs", self.name), given, lambda fresh: self._asked().logprobs(fresh))

    def _asked(self) -> TextModel:
        assert self.answers.model is not None
        return self.answers.model(self.name)


@dataclass(frozen=True, slots=True)
class _Behaviour:
    answers: Answers

    def tests(self) -> GeneratedTests:
        (made,) = self.answers.each("tests", [None], lambda _: [self._source().tests()])
        assert isinstance(made, GeneratedTests)
        return made

    def outputs(self, programs: Sequence[str]) -> Outputs:
        def ask(fresh: list[Any]) -> Sequence[Any]:
            found = self._source().outputs(fresh)
            return [(found.inputs, row) for row in found.rows]

        rows = self.answers.each("outputs", programs, ask)
        return Outputs(rows[0][0] if rows else (), tuple(row for _, row in rows))

    def passes(self, programs: Sequence[str]) -> Passes:
        def ask(fresh: list[Any]) -> Sequence[Any]:
            found = self._source().passes(fresh)
            return [(found.asserts, row) for row in found.rows]

        rows = self.answers.each("passes", programs, ask)
        return Passes(rows[0][0] if rows else (), tuple(row for _, row in rows))

    def _source(self) -> Behaviour:
        assert self.answers.behaviour is not None
        return self.answers.behaviour
