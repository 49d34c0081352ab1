"""What a person types for a problem, a candidate or a reranker of a run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from codesample.errors import ParameterError, UnknownNameError
from codesample.evaluation.run_contents import read_run
from codesample.evaluation.run_lookup import find_candidate, find_pool, find_reranker


@pytest.mark.parametrize("item", ["mine/30", "MINE/30", "30", "e/3", "mine/mine/30"])
def test_a_problem_is_found_by_id_number_or_part(judged_run: Path, item: str) -> None:
    assert find_pool(read_run(judged_run), item).problem.task_id == "mine/30"


@pytest.mark.parametrize(
    ("item", "said"),
    [
        ("mine/31", r"did you mean 'mine/1'\?"),
        ("ine", "means 3 problems"),
        ("3", "not among the 3"),
        ("", "expected"),
    ],
)
def test_no_problem_or_several_are_refused(judged_run: Path, item: str, said: str) -> None:
    with pytest.raises(ParameterError, match=said):
        find_pool(read_run(judged_run), item)


def test_a_problem_without_a_verdict_says_so(judged_run: Path) -> None:
    contents = read_run(judged_run)
    waiting = replace(contents, pools=contents.pools[1:])
    with pytest.raises(ParameterError, match="mine/1: none of its candidates has a verdict"):
        find_pool(waiting, "1")


def test_a_candidate_is_found_by_its_index_or_those_there_are_named(judged_run: Path) -> None:
    pool = find_pool(read_run(judged_run), "1")
    assert find_candidate(pool, 3) == 3
    keep = (0, 1, 3)
    gappy = replace(
        pool,
        candidates=tuple(pool.candidates[at] for at in keep),
        verdicts=tuple(pool.verdicts[at] for at in keep),
    )
    assert find_candidate(gappy, 3) == 2
    with pytest.raises(ParameterError, match=r"mine/1 has no candidate 2 with a verdict; it has 0-1, 3$"):
        find_candidate(gappy, 2)


def test_a_reranker_is_found_by_its_name_or_a_part_of_it(judged_run: Path) -> None:
    contents = read_run(judged_run)
    assert find_reranker(contents, "near") == "near"
    assert find_reranker(contents, "MORE") == "even,more"
    assert find_reranker(contents, "even > more") == "even,more"
    with pytest.raises(ParameterError, match="may be 'even,more' or 'near'"):
        find_reranker(contents, "e")
    with pytest.raises(UnknownNameError, match=r"did you mean 'near'\? .* was scored by: even,more, near;"):
        find_reranker(contents, "nearr")
