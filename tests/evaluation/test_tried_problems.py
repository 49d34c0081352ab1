"""What rerankers under trial are given: problems of a run drawn at random, a model, tests of the problem."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from codesample.errors import RerankerError, UnknownNameError
from codesample.evaluation.scoring import Pool
from codesample.evaluation.tried_problems import (
    TriedWith,
    expect_kept,
    opened_models,
    sampled_pools,
    stores_in_memory,
)
from codesample.records import Candidate, CodeTests, Problem, PublicView, SamplingParams, Status, Verdict
from codesample.rerankers.registry import load_reranker
from codesample.testing.stand_in_model import StandInModel

VIEW = PublicView("t", "t/0", "def f(x):\n", "", "f", ())


def pool(name: str, size: int, **known: Any) -> Pool:
    candidates = tuple(Candidate(name, at, "return 1", **known) for at in range(size))
    verdicts = tuple(Verdict(name, at, Status.PASSED) for at in range(size))
    return Pool(Problem(name, "def f(x):\n", CodeTests(source="pass")), candidates, verdicts)


def test_problems_are_drawn_by_the_seed_and_stay_in_order() -> None:
    run: Any = SimpleNamespace(pools=[pool(f"t/{at}", 20) for at in range(30)])
    drawn = [each.problem.task_id for each, _ in sampled_pools(run, problems=6)]
    assert drawn == sorted(drawn, key=lambda name: int(name[2:]))
    assert len(set(drawn)) == 6
    assert drawn == [each.problem.task_id for each, _ in sampled_pools(run, problems=6)]
    assert drawn != [each.problem.task_id for each, _ in sampled_pools(run, problems=6, seed=1)]
    assert {len(candidates) for _, candidates in sampled_pools(run, problems=6)} == {16}
    assert len(sampled_pools(run, problems=99)) == 30


def test_candidates_are_shown_as_rerankers_see_them() -> None:
    known = {"token_ids": (1, 2), "logprobs": (-1.0, -2.0), "token_ends": (6, 8), "spans": ((7, 8),)}
    run: Any = SimpleNamespace(pools=[pool("t/0", 1, **known)])
    ((_, (shown,)),) = sampled_pools(run, problems=1)
    assert shown.logprobs == (-2.0,)


def test_what_a_run_did_not_keep_is_refused_by_name() -> None:
    bare, full = pool("t/0", 2), pool("t/1", 2, logprobs=(-1.0,))
    expect_kept([load_reranker("public_examples")], [bare.candidates], where="runs/a")
    expect_kept([load_reranker("mean_logprob")], [full.candidates], where="runs/a")
    with pytest.raises(RerankerError, match=r"'mean_logprob' needs 'logprobs' .*: runs/a kept none"):
        expect_kept([load_reranker("mean_logprob")], [full.candidates, bare.candidates], where="runs/a")
    with pytest.raises(RerankerError, match=r"'self_certainty' needs 'confidence'"):
        expect_kept([load_reranker("self_certainty")], [full.candidates], where="runs/a")


def test_without_a_judge_nothing_is_run() -> None:
    given = TriedWith(None, StandInModel, StandInModel(), stores_in_memory())
    assert given.runner("t/0") is None
    assert given.behaviour(VIEW, runner=None, asked=None, stub="") is None


def test_stores_are_one_for_each_kind() -> None:
    stores = stores_in_memory()
    stores("tests").put("key", 1)
    assert (stores("tests").get("key"), stores("outputs").get("key")) == (1, None)


def test_a_model_is_loaded_when_it_is_asked_and_closed_behind_the_block() -> None:
    params = SamplingParams(temperature=0.0, max_new_tokens=4)
    with opened_models("tiny", stores_in_memory()) as models:
        (drawn,) = models(None).generate("def f(x):\n", n=1, params=params, key="t/0//")
        (again,) = models("tiny").generate("def f(x):\n", n=1, params=params, key="t/0//")
        (read,) = models(None).logprobs([("def f(x):\n", "    return x\n")])
    assert drawn == again
    assert 0 < len(drawn.token_ids or ()) <= 4
    assert all(each <= 0 for each in read)
    with (
        pytest.raises(UnknownNameError, match="unknown engine"),
        opened_models("nothing:x", stores_in_memory()),
    ):
        pass
