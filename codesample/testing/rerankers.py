"""A conformance kit for rerankers: scores depend neither on hidden tests nor on where a candidate stands.

`check_reranker` tries everything; `codesample rerankers check` does so in the sandbox. In-process Python is
no wall: who looks for problems or verdicts in the usual places is found, who means to hide it is not.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

from codesample.errors import ParameterError, RerankerError
from codesample.records import Candidate, CodeTests, Problem, PublicView, ScriptExample, ScriptTests, Tests
from codesample.records.validation import validated
from codesample.rerankers.context import Context
from codesample.rerankers.contract import Reranker
from codesample.rerankers.registry import load_reranker
from codesample.testing.reranker_cases import Case, built_in_cases, garbled
from codesample.testing.reranker_checks import PROMISES, Trial, error_of
from codesample.testing.reranker_process import differences_elsewhere
from codesample.testing.stand_in_model import StandInBehaviour, StandInModel

__all__ = [
    "Conformance",
    "MakeContext",
    "Tried",
    "TrustedChecks",
    "check_blind",
    "check_order_free",
    "check_reranker",
]

MakeContext = Callable[[Problem, PublicView], Context]
"""Makes the context that a run would give; may use the problem, which is the point of `check_blind`."""


_UNSCORED = "its scores are not all there"


class TrustedChecks:
    """Judges in this very process, without any sandbox: for programs one wrote oneself."""

    def __init__(self) -> None:
        self.runs: list[str] = []

    def check(self, programs: Sequence[str], tests: Tests) -> list[tuple[bool, ...] | None]:
        """Run each program, then each statement, or the program on each case's input.

        A program that fails holds no statement.

        Raises:
            ParameterError: tests by inputs, or of a kind unknown here.
        """
        match tests:
            case CodeTests():
                return [self._statements(program, tests.checks) for program in programs]
            case ScriptTests():
                return [
                    tuple(self._script(program, case, tests.checker) for case in tests.cases)
                    for program in programs
                ]
        raise ParameterError(f"{type(tests).__name__} cannot be judged here; expected code or scripts")

    def outputs(
        self, programs: Sequence[str], entry_point: str, inputs: Sequence[tuple[Any, ...]]
    ) -> list[tuple[str | None, ...] | None]:
        """Call a function of each program on argument lists; None where it fails."""
        return [tuple(self._called(program, entry_point, each) for each in inputs) for program in programs]

    def _called(self, program: str, entry_point: str, arguments: tuple[Any, ...]) -> str | None:
        self.runs.append(program)
        names: dict[str, object] = {"__arguments": arguments}
        held = _runs(f"{program}\n__result = {entry_point}(*__arguments)", names)
        return repr(names["__result"]) if held else None

    def _script(self, program: str, case: ScriptExample, checker: str | None) -> bool:
        self.runs.append(program)
        printed = io.StringIO()
        kept, sys.stdin = sys.stdin, io.StringIO(case.input)
        try:
            with contextlib.redirect_stdout(printed):
                ran = _runs(program, {"__name__": "__main__"})
        finally:
            sys.stdin = kept
        if checker is None:
            return ran and printed.getvalue().split() == case.output.split()
        names: dict[str, Any] = {}
        exec(checker, names)
        return ran and bool(names["accept"](case.input, printed.getvalue(), case.output))

    def _statements(self, program: str, statements: Sequence[str]) -> tuple[bool, ...]:
        self.runs.append(program)
        names: dict[str, object] = {}
        if not _runs(program, names):
            return (False,) * len(statements)
        return tuple(_runs(statement, names) for statement in statements)


@dataclass(frozen=True, slots=True)
class Tried:
    """One promise, tried on a reranker.

    Attributes:
        name, text: Of the promise.
        broken: Where it is broken first; "" where it is kept.
        left_out: Why it was not tried; "" where it was.
    """

    name: str
    text: str
    broken: str = ""
    left_out: str = ""


@dataclass(frozen=True, slots=True)
class Conformance:
    """What came of trying a reranker.

    Attributes:
        reranker: Its name.
        tried: Every promise, in order.
        seconds: Wall time of scoring one problem, the mean over the cases, with what it asked for.
    """

    reranker: str
    tried: tuple[Tried, ...]
    seconds: float

    @property
    def conforms(self) -> bool:
        """Whether no promise is broken."""
        return not any(each.broken for each in self.tried)

    @classmethod
    def ended(cls, reranker: str, what: str) -> Conformance:
        """Return what came of a reranker that ended the process that tried it."""
        first, *others = PROMISES
        left = (Tried(each.name, each.text, left_out=_UNSCORED) for each in others)
        return cls(reranker, (Tried(first.name, first.text, what), *left), 0.0)

    def require(self) -> None:
        """Raise where a promise is broken, for tests.

        Raises:
            RerankerError: names each of them.
        """
        if not self.conforms:
            said = "; ".join(f"{each.name}: {each.broken}" for each in self.tried if each.broken)
            raise RerankerError(f"reranker {self.reranker!r}: {said}")

    def as_json(self) -> dict[str, Any]:
        """Return plain JSON data."""
        return asdict(self) | {"conforms": self.conforms}


@validated
def check_reranker(
    reranker: Reranker | str, cases: Sequence[Case] | None = None, *, seed: int = 0, elsewhere: bool = True
) -> Conformance:
    """Try everything that a reranker owes.

    Args:
        reranker: What is tried; by its name, as for `load_reranker`, it is also loaded in a process that
            knows no hidden test.
        cases: Problems with candidates. Default: some of the built-in problems, whose programs, all our own,
            are run in this process without a sandbox, and a model that writes what it can.
        seed: Of its random numbers.
        elsewhere: Whether to try it in another process too.

    Raises:
        CodesampleError: as `load_reranker`.
    """
    loaded = load_reranker(reranker)
    given = _trusted_cases() if cases is None else list(cases)
    trial = Trial(loaded, given, seed=seed)
    with _beside_verdicts(given):
        found, seconds = _tried(trial)
    found.append(_elsewhere(reranker, trial, seed, wanted=elsewhere))
    return Conformance(loaded.name, tuple(found), seconds)


def _tried(trial: Trial) -> tuple[list[Tried], float]:
    """Try everything in this process; return also the seconds that a problem took."""
    first, *others = PROMISES
    began = perf_counter()
    broken = error_of(trial, first)
    seconds = (perf_counter() - began) / max(1, len(trial.cases))
    found = [Tried(first.name, first.text, broken)]
    for each in others:
        unscored = _UNSCORED if len(trial.first) < len(trial.cases) else ""
        left_out = unscored or each.reason(trial)
        found.append(Tried(each.name, each.text, "" if left_out else error_of(trial, each), left_out))
    return found, round(seconds, 6)


@contextlib.contextmanager
def _beside_verdicts(cases: Sequence[Case]) -> Iterator[None]:
    """Work in a new folder that holds a run of these candidates, with verdicts, for who looks around."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory(prefix="codesample-") as folder:
        run = Path(folder, "runs", "tried")
        run.mkdir(parents=True)
        verdicts = [
            {"task_id": each.task_id, "index": each.index, "status": _status(case, each)}
            for case in cases
            for each in case.candidates
        ]
        for place in (run, Path(folder)):
            lines = "".join(json.dumps(each) + "\n" for each in verdicts)
            place.joinpath("verdicts.jsonl").write_text(lines, encoding="ascii")
        os.chdir(folder)
        try:
            yield
        finally:
            os.chdir(before)


def _status(case: Case, candidate: Candidate) -> str:
    right = candidate.completion == case.problem.reference
    return "passed" if right else "wrong"


def _elsewhere(reranker: Reranker | str, trial: Trial, seed: int, *, wanted: bool) -> Tried:
    name = "elsewhere"
    text = "a process without hidden tests, with other hashes, another time and folder, gives equal scores"
    if not wanted:
        return Tried(name, text, left_out="not asked for")
    if not isinstance(reranker, str):
        return Tried(name, text, left_out="an object cannot be loaded there; give its name or FILE.py:NAME")
    if len(trial.first) < len(trial.cases):
        return Tried(name, text, left_out=_UNSCORED)
    found = differences_elsewhere(reranker, trial.cases, trial.first, seed=seed)
    return Tried(name, text, found[0] if found else "")


def _trusted_cases() -> list[Case]:
    cases = built_in_cases()
    for case in cases:
        case.answers.checks = TrustedChecks()
        case.answers.outputs_of = TrustedChecks()
        case.answers.model = StandInModel
        case.answers.behaviour = StandInBehaviour(case.view, TrustedChecks(), TrustedChecks())
    return cases


@validated
def check_blind(
    reranker: Reranker,
    problem: Problem,
    candidates: Sequence[Candidate],
    *,
    make_context: MakeContext,
    task: str = "task",
) -> None:
    """Score the candidates with the hidden tests as they are and replaced by garbage; require equal scores.

    Args:
        make_context: Called for each variant of the problem, so that a context that leaks is found too.

    Raises:
        RerankerError: scores differ with the tests, or already between two equal calls; names the reranker,
            the problem and the first candidate concerned.
    """

    def score(variant: Problem) -> list[float | None]:
        view = PublicView.of(task, variant)
        return reranker.score(view, candidates, make_context(variant, view))

    expected = score(problem)
    _require_equal(expected, score(problem), reranker, problem, "two equal calls gave different scores")
    for _, variant in garbled(problem):
        complaint = "the score depends on the hidden tests, or on other facts that grade"
        _require_equal(expected, score(variant), reranker, problem, complaint)


@validated
def check_order_free(
    reranker: Reranker,
    problem: Problem,
    candidates: Sequence[Candidate],
    *,
    make_context: MakeContext,
    task: str = "task",
) -> None:
    """Score the candidates as they stand and reversed; require that each keeps its score.

    Raises:
        RerankerError: a score depends on the position; names the reranker, the problem and the candidate.
    """
    view = PublicView.of(task, problem)
    expected = reranker.score(view, candidates, make_context(problem, view))
    reversed_scores = reranker.score(view, candidates[::-1], make_context(problem, view))
    complaint = "the score depends on the candidate's position"
    _require_equal(expected, reversed_scores[::-1], reranker, problem, complaint)


def _require_equal(
    expected: Sequence[float | None],
    got: Sequence[float | None],
    reranker: Reranker,
    problem: Problem,
    complaint: str,
) -> None:
    for position, (first, second) in enumerate(zip(expected, got, strict=True)):
        if first != second:
            raise RerankerError(
                f"reranker {reranker.name!r}, problem {problem.task_id!r}, candidate {position}: {complaint} "
                f"({first} and {second})"
            )


def _runs(source: str, names: dict[str, object]) -> bool:
    try:
        exec(source, names)
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        return False
    return True
