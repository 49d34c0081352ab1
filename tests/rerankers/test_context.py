from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from codesample.errors import RerankerError
from codesample.records import Candidate, CodeTests, PublicView, ScriptExample, ScriptTests, Tests
from codesample.rerankers.compose import then
from codesample.rerankers.context import Context
from codesample.rerankers.contract import reranker
from codesample.testing.rerankers import TrustedChecks

STATEMENTS = ("assert f(1) == 2", "assert f(3) == 4")


class Outputs:
    """Returns the length of each program for each input."""

    def __init__(self) -> None:
        self.programs: list[str] = []

    def outputs(
        self, programs: Sequence[str], entry_point: str, inputs: Sequence[tuple[Any, ...]]
    ) -> list[tuple[str | None, ...] | None]:
        self.programs += programs
        return [tuple(f"{entry_point}{args}{len(program)}" for args in inputs) for program in programs]


def test_each_statement_is_judged_on_its_own(ctx: Context, candidates: Sequence[Candidate]) -> None:
    held = ctx.check(candidates, STATEMENTS)
    assert held == [(True, True), (True, True), (True, False), (False, False), (False, False)]


def test_equal_programs_run_once(
    ctx: Context, checks: TrustedChecks, candidates: Sequence[Candidate]
) -> None:
    ctx.check(candidates, STATEMENTS)
    assert len(checks.runs) == 4


def test_what_one_reranker_ran_the_next_one_knows(
    ctx: Context, checks: TrustedChecks, candidates: Sequence[Candidate]
) -> None:
    first = ctx.bind("a", frozenset({"public_examples"})).check(candidates, STATEMENTS)
    assert ctx.bind("b", frozenset({"run"})).check(candidates[::-1], STATEMENTS) == first[::-1]
    assert len(checks.runs) == 4
    ctx.check(candidates, STATEMENTS[:1])
    assert len(checks.runs) == 8


def test_statements_that_were_never_reached_do_not_hold(
    view: PublicView, candidates: Sequence[Candidate]
) -> None:
    class Short:
        def check(self, programs: Sequence[str], tests: Tests) -> list[tuple[bool, ...] | None]:
            return [(True,), (), None, (True, True, True)]

    assert Context(view, checks=Short()).check(candidates, STATEMENTS) == [
        (True, False),
        (True, False),
        (False, False),
        None,
        (True, True),
    ]


@pytest.mark.parametrize(("trusted", "mode"), [(True, "split"), (False, "in_process")])
def test_statements_of_a_model_run_beside_the_program_not_in_the_grader(
    view: PublicView, candidates: Sequence[Candidate], trusted: bool, mode: str
) -> None:
    seen = []

    class Recording(TrustedChecks):
        def check(self, programs: Sequence[str], tests: Tests) -> list[tuple[bool, ...] | None]:
            assert isinstance(tests, CodeTests)
            seen.append(tests.mode)
            return super().check(programs, tests)

    Context(view, checks=Recording()).check(candidates, STATEMENTS, trusted=trusted)
    assert seen == [mode]


def test_scripts_are_compared_with_the_tolerance_that_the_view_tells(
    view: PublicView, candidates: Sequence[Candidate]
) -> None:
    seen = []

    class Recording(TrustedChecks):
        def check(self, programs: Sequence[str], tests: Tests) -> list[tuple[bool, ...] | None]:
            seen.append(tests)
            return super().check(programs, tests)

    cases = (ScriptExample("1", "2"),)
    tolerant = replace(view, atol=1e-6, rtol=0.5)
    for each in (view, tolerant):
        Context(each, checks=Recording()).check_scripts(candidates, cases)
    assert seen == [ScriptTests(cases=cases), ScriptTests(cases=cases, atol=1e-6, rtol=0.5)]


def test_no_statements_run_nothing(
    ctx: Context, checks: TrustedChecks, candidates: Sequence[Candidate]
) -> None:
    assert ctx.check(candidates, []) == [()] * 5
    assert ctx.check([], STATEMENTS) == []
    assert ctx.check_scripts(candidates, []) == [()] * 5
    assert checks.runs == []


def test_an_undeclared_ability_is_refused(ctx: Context, candidates: Sequence[Candidate]) -> None:
    bound = ctx.bind("r", frozenset({"logprobs"}))
    with pytest.raises(RerankerError, match="does not declare: 'public_examples' or 'run'"):
        bound.check(candidates, STATEMENTS)
    with pytest.raises(RerankerError, match="does not declare: 'public_examples' or 'run'"):
        bound.check_scripts(candidates, [ScriptExample("1", "2")])
    with pytest.raises(RerankerError, match="does not declare: 'run'"):
        bound.run(candidates, [(1,)])


def test_an_ability_is_never_widened_by_binding_again(ctx: Context, candidates: Sequence[Candidate]) -> None:
    narrow = ctx.bind("a", frozenset()).bind("b", frozenset({"public_examples"}))
    with pytest.raises(RerankerError, match="does not declare"):
        narrow.check(candidates, STATEMENTS)


def test_a_run_without_execution_says_so(view: PublicView, candidates: Sequence[Candidate]) -> None:
    with pytest.raises(RerankerError, match="executes no programs"):
        Context(view).check(candidates, STATEMENTS)
    with pytest.raises(RerankerError, match="cannot call candidates on inputs"):
        Context(view).run(candidates, [(1,)])


def test_a_candidate_without_a_program_is_named(ctx: Context, candidates: Sequence[Candidate]) -> None:
    with pytest.raises(RerankerError, match="candidate 2 has no program"):
        ctx.check([*candidates[:2], replace(candidates[2], program=None)], STATEMENTS)


def test_outputs_are_called_once_per_distinct_program(
    view: PublicView, candidates: Sequence[Candidate]
) -> None:
    runner = Outputs()
    ctx = Context(view, outputs=runner)
    rows = ctx.run(candidates, [(1,), (2,)])
    assert len(runner.programs) == 4
    length = len(candidates[0].program or "")
    assert rows[0] == rows[1] == (f"f(1,){length}", f"f(2,){length}")


def test_random_numbers_depend_on_seed_problem_and_reranker_alone(view: PublicView) -> None:
    def draw(seed: int, task_id: str, user: str) -> float:
        return Context(replace(view, task_id=task_id), seed=seed).bind(user, frozenset()).rng.random()

    base = draw(0, "t/0", "a")
    assert draw(0, "t/0", "a") == base
    others = {draw(1, "t/0", "a"), draw(0, "t/1", "a"), draw(0, "t/0", "b")}
    assert len(others | {base}) == 4


def test_statements_are_judged_with_the_stub_and_known_without_it(
    view: PublicView, candidates: Sequence[Candidate]
) -> None:
    seen: list[Tests] = []

    class Noting:
        def check(self, programs: Sequence[str], tests: Tests) -> list[tuple[bool, ...] | None]:
            seen.append(tests)
            return [(True,)] * len(programs)

    ctx = Context(view, checks=Noting(), stub="from math import *\n")
    assert ctx.bind("a", frozenset({"run"})).check(candidates[:1], STATEMENTS[:1]) == [(True,)]
    assert ctx.bind("b", frozenset({"run"})).check(candidates[:1], STATEMENTS[:1], trusted=True)
    assert [tests.stub for tests in seen if isinstance(tests, CodeTests)] == ["from math import *\n"] * 2
    ctx.check_scripts(candidates[:1], [ScriptExample("1", "2")])
    assert len(seen) == 3


def test_what_is_noted_reaches_the_outermost_context_with_the_name(ctx: Context) -> None:
    outer = ctx.bind("chain", frozenset())
    inner = outer.bind("judge", frozenset())
    for _ in range(2):
        inner.note("an answer without a grade")
    assert inner.notes == outer.notes == ctx.notes == {"judge: an answer without a grade": 2}
    ctx.notes.clear()
    assert ctx.notes.total() == 2


def test_who_asks_rerankers_sees_what_each_of_them_gave(
    ctx: Context, view: PublicView, candidates: Sequence[Candidate]
) -> None:
    @reranker
    def by_length(view: PublicView, candidates: Sequence[Candidate], ctx: Context) -> list[float | None]:
        return [float(len(each.completion)) for each in candidates]

    @reranker
    def silent(view: PublicView, candidates: Sequence[Candidate], ctx: Context) -> list[float | None]:
        assert ctx.given == {}
        return [None for _ in candidates]

    chain = then(silent, by_length)
    chain.score(view, candidates[1:], ctx)
    assert list(ctx.given) == ["silent", "by_length", chain.name]
    assert ctx.given["by_length"] == {each.index: float(len(each.completion)) for each in candidates[1:]}
    assert set(ctx.given["silent"].values()) == {None}
    # one that asks others sees those alone
    outer = ctx.bind("outer", frozenset())
    by_length.score(view, candidates, outer)
    assert list(outer.given) == ["by_length"]
    assert len(ctx.given["by_length"]) == len(candidates)
