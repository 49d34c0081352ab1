from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from codesample.errors import RerankerError
from codesample.records import CallExample, Candidate, Example, PublicView, ScriptExample, ScriptTests, Tests
from codesample.rerankers.context import Context
from codesample.rerankers.public_examples import examples_held, public_examples
from codesample.testing.rerankers import TrustedChecks


def test_the_score_is_how_many_examples_hold(
    view: PublicView, candidates: Sequence[Candidate], ctx: Context
) -> None:
    assert public_examples.score(view, candidates, ctx) == [2.0, 2.0, 1.0, 0.0, 0.0]


def test_without_examples_everyone_abstains_and_nothing_runs(
    view: PublicView, candidates: Sequence[Candidate], checks: TrustedChecks
) -> None:
    bare = replace(view, examples=())
    assert public_examples.score(bare, candidates, Context(bare, checks=checks)) == [None] * 5
    assert checks.runs == []


def test_calls_and_values_of_any_shape_stay_one_comparison(
    view: PublicView, candidates: Sequence[Candidate], checks: TrustedChecks
) -> None:
    odd = replace(view, examples=(CallExample("f(1) or 5", "2,\n"), CallExample("f(1)", "2 if True else 3")))
    assert public_examples.score(odd, candidates[:1], Context(odd, checks=checks)) == [1.0]


def as_script(candidate: Candidate, body: str) -> Candidate:
    return replace(candidate, program=f"n = int(input())\nprint({body})")


def test_scripts_are_run_on_the_inputs_that_the_prompt_shows(
    view: PublicView, candidates: Sequence[Candidate], checks: TrustedChecks
) -> None:
    shown = replace(view, examples=(ScriptExample("1\n", "2\n"), ScriptExample("3\n", "4\n")))
    bodies = ("n + 1", "n + 1", "n * 2", "1 / 0", "n +")
    scripts = [as_script(each, body) for each, body in zip(candidates, bodies, strict=True)]
    assert public_examples.score(shown, scripts, Context(shown, checks=checks)) == [2.0, 2.0, 1.0, 0.0, 0.0]
    # the first two are one program, and each of the four runs once for each example
    assert len(checks.runs) == 8


def test_calls_and_scripts_may_stand_in_one_prompt_in_any_order(
    view: PublicView, candidates: Sequence[Candidate], checks: TrustedChecks
) -> None:
    shown = (
        ScriptExample("1\n", "2"),
        CallExample("f(1)", "2"),
        CallExample("f(3)", "7"),
        ScriptExample("3\n", "5"),
        CallExample("f(3)", "4"),
    )
    mixed = replace(view, examples=shown)
    program = "def f(x):\n    return x + 1\nif __name__ == '__main__':\n    print(f(int(input())))"
    both, call_only = replace(candidates[0], program=program), candidates[1]
    held = examples_held(mixed, [both, call_only], Context(mixed, checks=checks))
    assert held == [(True, True, False, False, True), (False, True, False, False, True)]


def test_a_harness_that_fails_on_one_sort_of_examples_abstains(
    view: PublicView, candidates: Sequence[Candidate]
) -> None:
    class Failing(TrustedChecks):
        def check(self, programs: Sequence[str], tests: Tests) -> list[tuple[bool, ...] | None]:
            return (
                [None] * len(programs) if isinstance(tests, ScriptTests) else super().check(programs, tests)
            )

    mixed = replace(view, examples=(CallExample("f(1)", "2"), ScriptExample("1\n", "2")))
    assert public_examples.score(mixed, candidates, Context(mixed, checks=Failing())) == [None] * 5
    assert public_examples.score(view, candidates, Context(view, checks=Failing()))[0] == 2.0


def test_an_example_of_no_known_kind_is_an_error(
    view: PublicView, candidates: Sequence[Candidate], ctx: Context
) -> None:
    with pytest.raises(RerankerError, match=r"Example\(\) cannot be run; expected a CallExample"):
        public_examples.score(replace(view, examples=(Example(),)), candidates, ctx)


def test_a_run_that_executes_nothing_is_an_error(view: PublicView, candidates: Sequence[Candidate]) -> None:
    with pytest.raises(
        RerankerError, match="'public_examples', problem 't/0': this run executes no programs"
    ):
        public_examples.score(view, candidates, Context(view))
