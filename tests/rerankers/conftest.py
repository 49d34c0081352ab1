from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from codesample.records import CallExample, Candidate, CodeTests, Problem, PublicView
from codesample.rerankers.context import Context
from codesample.testing.rerankers import TrustedChecks

BODIES = ("x + 1", "x + 1", "x * 2", "1 / 0", "x +")


@pytest.fixture
def problem() -> Problem:
    prompt = "def f(x):\n    '''f(1) == 2, f(3) == 4'''\n"
    return Problem(
        task_id="t/0",
        prompt=prompt,
        tests=CodeTests(source="assert f(10) == 11", entry_point="f"),
        entry_point="f",
        examples=(CallExample("f(1)", "2"), CallExample("f(3)", "4")),
        reference="    return x + 1",
    )


@pytest.fixture
def view(problem: Problem) -> PublicView:
    return PublicView.of("t", problem)


@pytest.fixture
def candidates(problem: Problem) -> tuple[Candidate, ...]:
    logprobs: Sequence[tuple[float, ...]] = ((-1.0, -3.0), (-1.0,), (-0.5, -0.5), (-4.0,), ())
    return tuple(
        Candidate(
            task_id="t/0",
            index=index,
            completion=f"    return {body}",
            logprobs=logprobs[index],
            program=f"{problem.prompt}    return {body}",
        )
        for index, body in enumerate(BODIES)
    )


@pytest.fixture
def checks() -> TrustedChecks:
    return TrustedChecks()


@pytest.fixture
def make_context(checks: TrustedChecks) -> Callable[[Problem, PublicView], Context]:
    return lambda problem, view: Context(view, checks=checks)


@pytest.fixture
def ctx(view: PublicView, checks: TrustedChecks) -> Context:
    return Context(view, checks=checks)
