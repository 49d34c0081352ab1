"""The kit for rerankers: every promise is broken by a faulty one, and kept by the built-in ones."""

from __future__ import annotations

import gc
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from codesample.errors import RerankerError
from codesample.rerankers.registry import load_reranker, reranker_names
from codesample.testing import reranker_cases
from codesample.testing.reranker_cases import HOSTILE, built_in_cases, made_pool
from codesample.testing.reranker_process import differences_elsewhere
from codesample.testing.rerankers import Conformance, check_reranker

FAULTY = Path(__file__).with_name("faulty_rerankers.py")


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture(autouse=True)
def little_in_memory() -> Iterator[None]:
    """Hide what other tests have left from the faulty ones that walk through all that lives."""
    reranker_cases._mini.cache_clear()
    gc.freeze()
    yield
    gc.unfreeze()


def tried(name: str, *, elsewhere: bool = True) -> Conformance:
    return check_reranker(f"{FAULTY}:{name}", elsewhere=elsewhere)


def broken(found: Conformance) -> dict[str, str]:
    return {each.name: each.broken for each in found.tried if each.broken}


# it needs a checkpoint, and its own tests have one
WITHOUT_WEIGHTS = sorted(set(reranker_names()) - {"reward_model"})


COMPOSED = "executable > codet > mean_logprob"


# a process of its own for each takes most of the time
@pytest.mark.parametrize(
    ("spec", "elsewhere"),
    [
        *((spec, False) for spec in WITHOUT_WEIGHTS),
        (COMPOSED, True),
        *(pytest.param(spec, True, marks=pytest.mark.slow) for spec in WITHOUT_WEIGHTS),
    ],
)
def test_built_ins_keep_every_promise(spec: str, elsewhere: bool) -> None:
    found = check_reranker(spec, elsewhere=elsewhere)
    assert broken(found) == {}
    assert found.conforms
    found.require()
    assert {each.name for each in found.tried if each.left_out} <= {
        "independent",
        "order",
        "names",
        "duplicates",
        *([] if elsewhere else ["elsewhere"]),
    }


def test_a_harmless_one_is_tried_on_everything() -> None:
    found = tried("harmless")
    assert (broken(found), [each for each in found.tried if each.left_out]) == ({}, [])
    assert 0 < found.seconds < 1


@pytest.mark.parametrize(
    ("name", "promise", "said"),
    [
        ("reads_view_tests", "scores", "has no attribute 'tests'"),
        ("reads_reference", "scores", "has no attribute 'reference'"),
        ("reads_metadata", "scores", "has no attribute 'metadata'"),
        ("by_order_of_data", "names", "under another name of the problem"),
        ("by_problem_name", "names", "under another name of the problem"),
        ("first_is_best", "order", "with the pool reversed"),
        ("lowest_index", "order", "with the pool reversed"),
        ("caches_by_index", "order", "with the pool"),
        ("caches_by_problem", "alone", "after other candidates of the problem"),
        ("counts_calls", "repeatable", "when it was scored again"),
        ("global_random", "repeatable", "when it was scored again"),
        ("own_random", "repeatable", "when it was scored again"),
        ("seeds_global_random", "untouched", "it changed the state of the global random numbers"),
        ("walks_frames", "blind", "with failing tests in place of the hidden ones"),
        ("reads_verdicts", "elsewhere", "in another process"),
        ("reads_the_task", "elsewhere", "reads the problems of a task, and with them the tests that grade"),
        ("reads_pools_in_memory", "verdicts", "beside verdicts in memory: it read them"),
        ("reads_pools_of_callers", "verdicts", "beside verdicts in memory: it read them"),
        ("reads_the_data", "elsewhere", "it opened "),
        ("walks_memory", "elsewhere", "in another process"),
        ("caches_by_text", "elsewhere", "in another process"),
        ("by_time_of_day", "elsewhere", "in another process"),
        ("by_hash", "elsewhere", "in another process"),
        ("by_set_order", "elsewhere", "in another process"),
        ("undeclared_logprobs", "scores", "an ability it does not declare; add 'logprobs'"),
        ("undeclared_run", "scores", "used an ability it does not declare: 'run'"),
        ("fails_without_logprobs", "lacking", "candidates without log-probabilities: "),
        ("parses", "hostile", "a candidate of a lone surrogate: "),
        ("gives_nan", "scores", "score 0 is nan"),
        ("gives_decimal_nan", "scores", "score 0 is "),
        ("gives_numpy_infinity", "scores", "score 0 is inf"),
        ("gives_one_more", "scores", "returned 13 scores for 12 candidates"),
        ("gives_texts", "scores", "score 0 is str"),
        ("divides_by_others", "scores", "ZeroDivisionError"),
        ("not_independent", "independent", "leave independent=True out"),
        ("favours_copies_by_place", "duplicates", "in an equal candidate of the same pool"),
        ("leaves_files", "untouched", "it changed files in the working directory"),
        ("sorts_in_place", "order", "with the pool reversed"),
    ],
)
def test_what_is_broken_is_named(name: str, promise: str, said: str) -> None:
    found = tried(name, elsewhere=promise == "elsewhere")
    assert said in broken(found)[promise]
    assert not found.conforms
    with pytest.raises(RerankerError, match=f"{promise}: "):
        found.require()


def test_where_scores_are_not_all_there_the_rest_is_left_out() -> None:
    found = tried("gives_nan")
    assert list(broken(found)) == ["scores"]
    assert {each.left_out for each in found.tried[1:]} == {"its scores are not all there"}


def test_what_draws_as_given_is_not_blamed_for_chance() -> None:
    found = tried("drawn_as_given")
    assert broken(found) == {}
    left = {each.name for each in found.tried if each.left_out == "it draws random numbers"}
    assert left == {"order", "names", "duplicates"}


def test_an_object_is_tried_in_this_process_alone() -> None:
    found = check_reranker(load_reranker("mean_logprob"))
    assert found.conforms
    assert "an object cannot be loaded there" in found.tried[-1].left_out


def test_the_kit_itself_leaves_random_numbers_and_folder_as_they_were(tmp_path: Path) -> None:
    random.seed(7)
    before = random.getstate()
    tried("harmless")
    assert random.getstate() == before
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["leaves_a_thread", "leaves_a_program"])
def test_nothing_that_is_left_keeps_the_other_process(name: str) -> None:
    cases = built_in_cases()[:1]
    expected = [[float(len(each.completion)) for each in cases[0].candidates]]
    assert differences_elsewhere(f"{FAULTY}:{name}", cases, expected) == []


def test_one_that_never_ends_in_the_other_process_is_broken() -> None:
    found = differences_elsewhere(f"{FAULTY}:never_ends", built_in_cases()[:1], [[]], limit=0.5)
    assert found == ["another process that loads it did not end within 0.5 s"]


def test_it_is_told_as_plain_data() -> None:
    found = tried("first_is_best", elsewhere=False).as_json()
    assert found["conforms"] is False
    assert [each["name"] for each in found["tried"]][:3] == ["scores", "repeatable", "blind"]


def test_pools_hold_right_wrong_and_equal_candidates() -> None:
    for case in built_in_cases():
        texts = [each.completion for each in case.candidates]
        assert case.problem.reference in texts
        assert len(set(texts)) < len(texts)
        assert len(texts) >= 8
        assert made_pool(case.problem) == case.candidates != made_pool(case.problem, seed=1)
    kinds = {(type(case.problem.tests), bool(case.problem.examples)) for case in built_in_cases()}
    assert len(kinds) == 3
    assert any(case.problem.entry_point is None for case in built_in_cases())
    assert any(len(text) >= 100_000 for text in HOSTILE.values())
