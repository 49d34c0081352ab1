"""A conformance kit for rerankers: scores depend neither on hidden tests nor on where a candidate stands."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from codesample.errors import ParameterError, RerankerError
from codesample.records import Candidate, CodeTests, Problem, PublicView, ScriptExample, ScriptTests, Tests
from codesample.rerankers.context import Context
from codesample.rerankers.contract import Reranker

__all__ = ["MakeContext", "TrustedChecks", "check_blind", "check_order_free"]

MakeContext = Callable[[Problem, PublicView], Context]
"""Makes the context that a run would give; may use the problem, which is the point of `check_blind`."""


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
    for variant in _garbled(problem):
        complaint = "the score depends on the hidden tests, or on other facts that grade"
        _require_equal(expected, score(variant), reranker, problem, complaint)


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


def _garbled(problem: Problem) -> Iterator[Problem]:
    """Yield the problem with tests that fail, that pass, and that are noise, its reference taken away."""
    # the prompt shows it, and examples may use it
    stub = problem.tests.stub if isinstance(problem.tests, CodeTests) else ""
    for source in ("raise AssertionError('garbage')", "pass", "assert garbage(garbage) == 'garbage'"):
        tests: Tests = CodeTests(source=source, checks=(source,), entry_point=problem.entry_point, stub=stub)
        if isinstance(problem.tests, ScriptTests):
            # how numbers are compared is no secret, and stands in the view
            tests = replace(problem.tests, cases=(ScriptExample("", source),), checker=None)
        yield replace(problem, tests=tests, reference=None, metadata={})


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
