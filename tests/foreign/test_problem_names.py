"""How files call problems."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codesample.foreign.problem_names import ProblemNames, data_set_of

TASKS = ["bigcodebench", "humaneval", "humaneval_plus", "mbpp", "mbpp_plus", "mbpp_sanitized", "mini"]


@pytest.mark.parametrize("name", [11, "11", "MBPP/11", "Mbpp/11", "mbpp/11", "Mbpp_11", "mbpp_11"])
def test_a_problem_of_mbpp_is_called_in_many_ways(name: str | int) -> None:
    assert ProblemNames(["Mbpp/11", "Mbpp/12", "Mbpp/111"]).find(name) == "Mbpp/11"


@pytest.mark.parametrize("name", [0, "0", "HumanEval/0", "HumanEval_0", "humaneval_0"])
def test_and_so_is_one_of_humaneval(name: str | int) -> None:
    assert ProblemNames([f"HumanEval/{at}" for at in range(164)]).find(name) == "HumanEval/0"


@pytest.mark.parametrize("name", ["HumanEval/01", "Mbpp/0", 164, "", "HumanEval", "/0", "0/0"])
def test_what_only_looks_alike_is_no_name(name: str | int) -> None:
    assert ProblemNames([f"HumanEval/{at}" for at in range(164)]).find(name) is None


def test_a_number_alone_says_nothing_where_problems_are_of_several_sets() -> None:
    names = ProblemNames(["a/1", "b/1", "b/2"])
    assert [names.find(each) for each in (1, 2, "b/2", "B_2")] == [None, None, "b/2", "b/2"]


def test_a_spelling_that_fits_two_problems_fits_none() -> None:
    names = ProblemNames(["x_1", "x/1", "X/2"])
    assert [names.find(each) for each in ("x_1", "x/1", "X_1", "x_2", 2)] == [
        "x_1",
        "x/1",
        None,
        "X/2",
        "X/2",
    ]


@given(st.lists(st.text(), unique=True), st.lists(st.text(), unique=True))
def test_every_problem_is_found_by_its_own_name(ids: list[str], outside: list[str]) -> None:
    outside = [each for each in outside if each not in ids]
    names = ProblemNames(ids, outside)
    for each in [*ids, *outside]:
        assert names.find(each) == each
        assert names.is_outside(each) == (each in outside)


@pytest.mark.parametrize(
    ("name", "size", "expected"),
    [
        ("HumanEval/3", None, "these are samples of HumanEval: --task humaneval or humaneval_plus"),
        (11, None, "these are samples of MBPP: --task mbpp, mbpp_plus or mbpp_sanitized"),
        ("MBPP/11", None, "these are samples of MBPP: --task mbpp, mbpp_plus or mbpp_sanitized"),
        ("sample_5", None, "these are samples of CRUXEval"),
        (None, 164, "these are samples of HumanEval: --task humaneval or humaneval_plus"),
        (None, 165, ""),
        ("mine/1", None, ""),
    ],
)
def test_the_data_set_is_told_by_a_name_or_by_its_size(name: str | int, size: int, expected: str) -> None:
    assert data_set_of(name, size, TASKS) == expected
