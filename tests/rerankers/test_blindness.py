from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from codesample.errors import RerankerError
from codesample.records import Candidate, CodeTests, Problem, PublicView, Tests
from codesample.rerankers.context import Context
from codesample.rerankers.contract import Reranker
from codesample.rerankers.registry import load_reranker, reranker_names
from codesample.testing.rerankers import MakeContext, TrustedChecks, check_blind, check_order_free

# what a model or the problem's behaviour is asked for is tested where those are made
SUPPLIED = {"logprobs", "confidence", "public_examples", "run"}
SPECS = [
    *(name for name in reranker_names() if load_reranker(name).needs <= SUPPLIED and name != "reward_model"),
    "public_examples,mean_logprob",
]


@pytest.mark.parametrize("spec", SPECS)
def test_no_built_in_depends_on_hidden_tests_or_position(
    spec: str, problem: Problem, candidates: Sequence[Candidate], make_context: MakeContext
) -> None:
    each = load_reranker(spec)
    check_blind(each, problem, candidates, make_context=make_context)
    check_order_free(each, problem, candidates, make_context=make_context)


def test_a_context_that_runs_hidden_tests_is_found(
    problem: Problem, candidates: Sequence[Candidate], checks: TrustedChecks
) -> None:
    class Leaking:
        def __init__(self, hidden: Tests) -> None:
            self.hidden = hidden

        def check(self, programs: Sequence[str], tests: Tests) -> list[tuple[bool, ...] | None]:
            assert isinstance(self.hidden, CodeTests)
            grading = CodeTests(checks=(self.hidden.source,) * tests.check_count)
            return checks.check(programs, grading)

    with pytest.raises(RerankerError, match=r"'public_examples', problem 't/0', candidate .*hidden tests"):
        check_blind(
            load_reranker("public_examples"),
            problem,
            candidates,
            make_context=lambda each, view: Context(view, checks=Leaking(each.tests)),
        )


def test_a_scorer_that_reads_the_reference_is_found(
    problem: Problem, candidates: Sequence[Candidate]
) -> None:
    current: list[Problem] = []

    def make_context(each: Problem, view: PublicView) -> Context:
        current[:] = [each]
        return Context(view)

    def cheat(view: PublicView, candidates: Sequence[Candidate], ctx: Context) -> list[float | None]:
        return [float(each.completion == current[0].reference) for each in candidates]

    with pytest.raises(RerankerError, match="candidate 0: the score depends on the hidden tests"):
        check_blind(Reranker("cheat", cheat), problem, candidates, make_context=make_context)


def test_a_scorer_that_is_not_repeatable_is_found(
    problem: Problem, candidates: Sequence[Candidate], make_context: MakeContext
) -> None:
    source = random.Random(0)
    noise = Reranker("noise", lambda view, candidates, ctx: [source.random() for _ in candidates])
    with pytest.raises(RerankerError, match="two equal calls gave different scores"):
        check_blind(noise, problem, candidates, make_context=make_context)


def test_a_scorer_by_position_is_found(
    problem: Problem, candidates: Sequence[Candidate], make_context: MakeContext
) -> None:
    first = Reranker("first", lambda view, candidates, ctx: [-float(at) for at in range(len(candidates))])
    check_blind(first, problem, candidates, make_context=make_context)
    with pytest.raises(RerankerError, match="depends on the candidate's position"):
        check_order_free(first, problem, candidates, make_context=make_context)
