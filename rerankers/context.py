"""What a reranker may do besides look: run programs and draw random numbers, as declared."""

from __future__ import annotations

import functools
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Literal, Protocol, TypeVar

from codesample.errors import RerankerError
from codesample.records import Candidate, CodeTests, PublicView, ScriptExample, ScriptTests, Tests

__all__ = ["ABILITIES", "CheckRunner", "Context", "OutputRunner"]

ABILITIES: Mapping[str, str] = MappingProxyType(
    {
        "logprobs": "log-probabilities of the sampled tokens",
        "public_examples": "running programs on the examples that the prompt shows",
        "outputs": "running programs on inputs and comparing what they return",
        "generate": "sampling further text from the model",
        "prompt_logprobs": "log-probabilities of given text under the model",
        "logits": "the model's whole distribution at every token",
    }
)


_CallableT = TypeVar("_CallableT", bound=Callable[..., Any])


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
    """

    def __init__(
        self,
        view: PublicView,
        *,
        seed: int = 0,
        checks: CheckRunner | None = None,
        outputs: OutputRunner | None = None,
        stub: str = "",
    ) -> None:
        self._view, self._seed = view, seed
        self._run_checks = None if checks is None else _sealed(_with_stub(checks, stub))
        self._run_inputs = None if outputs is None else _sealed(outputs.outputs)
        self._user, self._declared = "", frozenset(ABILITIES)
        self._rng: random.Random | None = None
        self._known: dict[tuple[str, Tests], tuple[bool, ...] | None] = {}

    def bind(self, user: str, needs: frozenset[str]) -> Context:
        """Return this context narrowed to the abilities in `needs`; known results are shared."""
        bound = Context(self._view, seed=self._seed)
        bound._run_checks, bound._run_inputs = self._run_checks, self._run_inputs
        bound._known = self._known
        bound._user, bound._declared = user, needs & self._declared
        return bound

    @property
    def rng(self) -> random.Random:
        """Random numbers that depend on the seed, the task, the problem and the reranker alone."""
        if self._rng is None:
            key = (self._seed, self._view.task, self._view.task_id, self._user)
            self._rng = random.Random(repr(key))
        return self._rng

    def check(
        self, candidates: Sequence[Candidate], statements: Sequence[str], *, trusted: bool = False
    ) -> list[tuple[bool, ...] | None]:
        """Run each candidate's program in the sandbox and judge each statement on its own.

        Needs "public_examples" or "outputs". Equal programs are run once, for all rerankers together.

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
        self, candidates: Sequence[Candidate], cases: Sequence[ScriptExample]
    ) -> list[tuple[bool, ...] | None]:
        """Run each candidate's program as a script on each case's input, and compare what it prints.

        How it must end and what must be equal is as in `ScriptTests`, with the view's tolerance of numbers.
        Needs "public_examples" or "outputs". Equal programs are run once, for all rerankers together.

        Returns: per candidate one bool for each case, or None where the harness failed.

        Raises:
            RerankerError: as `check`.
        """
        if not cases:
            return self._check(candidates, None)
        tests = ScriptTests(cases=tuple(cases), atol=self._view.atol, rtol=self._view.rtol)
        return self._check(candidates, tests)

    def _check(self, candidates: Sequence[Candidate], tests: Tests | None) -> list[tuple[bool, ...] | None]:
        """Judge each candidate's program by `tests`, where that is not known yet; None checks nothing."""
        self._need("public_examples", "outputs")
        if self._run_checks is None:
            raise RerankerError("this run executes no programs, so nothing can be checked")
        programs = self._programs(candidates)
        if tests is None:
            return [() for _ in programs]
        fresh = [each for each in dict.fromkeys(programs) if (each, tests) not in self._known]
        if fresh:
            for program, held in zip(fresh, self._run_checks(fresh, tests), strict=True):
                self._known[program, tests] = _padded(held, tests.check_count)
        return [self._known[program, tests] for program in programs]

    def run(
        self, candidates: Sequence[Candidate], inputs: Sequence[tuple[Any, ...]]
    ) -> list[tuple[str | None, ...] | None]:
        """Call the function asked for on each of `inputs`, for each candidate; needs "outputs".

        Equal programs are run once. Inputs are the reranker's own; hidden ones are out of its reach.

        Returns: per candidate the canonical text of each result (equal results have equal text; None
        where the call failed), or None where the harness failed.

        Raises:
            RerankerError: the ability is undeclared or absent, the problem names no function, or a
                candidate has no program.
        """
        self._need("outputs")
        if self._run_inputs is None or self._view.entry_point is None:
            raise RerankerError("this run cannot call candidates on inputs, or the problem names no function")
        programs = self._programs(candidates)
        distinct = list(dict.fromkeys(programs))
        rows = self._run_inputs(distinct, self._view.entry_point, inputs)
        results = dict(zip(distinct, rows, strict=True))
        return [results[program] for program in programs]

    def _need(self, *abilities: str) -> None:
        if not self._declared.intersection(abilities):
            wanted = " or ".join(repr(ability) for ability in abilities)
            raise RerankerError(f"used an ability it does not declare: {wanted}; add it to needs={{...}}")

    def _programs(self, candidates: Sequence[Candidate]) -> list[str]:
        programs = [candidate.program for candidate in candidates]
        if None in programs:
            raise RerankerError(f"candidate {candidates[programs.index(None)].index} has no program to run")
        return [program for program in programs if program is not None]


def _sealed(function: _CallableT) -> _CallableT:
    """Return a callable that calls `function` and has no attribute that leads to it, as a closure has."""
    sealed: Any = functools.lru_cache(maxsize=0)(function)
    vars(sealed).clear()
    return sealed  # type: ignore[no-any-return]


def _with_stub(
    checks: CheckRunner, stub: str
) -> Callable[[Sequence[str], Tests], Sequence[tuple[bool, ...] | None]]:
    """Return a function that judges as `checks`, with the stub before statements."""

    def check(programs: Sequence[str], tests: Tests) -> Sequence[tuple[bool, ...] | None]:
        return checks.check(programs, replace(tests, stub=stub) if isinstance(tests, CodeTests) else tests)

    return check


def _padded(result: tuple[bool, ...] | None, length: int) -> tuple[bool, ...] | None:
    """Count checks that a program never reached as not holding."""
    return None if result is None else (*result, *[False] * (length - len(result)))[:length]
