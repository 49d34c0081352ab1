"""Which problems are meant by a limit, a range, numbers, ids and patterns."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codesample.errors import ParameterError
from codesample.evaluation.problem_choice import choose_problem, choose_problems, parse_limit
from codesample.records import CodeTests, Problem


def problems(*names: str) -> list[Problem]:
    return [Problem(name, "def f():\n", CodeTests(source="assert f()")) for name in names]


TEN = problems(*(f"Ten/{number}" for number in range(10)))


def chosen(*, of: list[Problem] = TEN, **asked: object) -> list[str]:
    found = choose_problems(of, task="ten", **asked)  # type: ignore[arg-type]
    return [each.task_id for each in found]


@pytest.mark.parametrize(
    ("limit", "places"),
    [
        (None, range(10)),
        (3, range(3)),
        ("3", range(3)),
        (99, range(10)),
        ("2-4", [1, 2, 3]),
        ("9-20", [8, 9]),
    ],
)
def test_a_limit_counts_places_from_one(limit: object, places: list[int]) -> None:
    assert chosen(limit=limit) == [f"Ten/{place}" for place in places]


@pytest.mark.parametrize("limit", [0, -1, "0", "x", "", "3-", "-3", "4-2", "0-3", 1.5, True, "1,2"])
def test_a_limit_that_is_none_is_refused_with_what_one_is(limit: object) -> None:
    with pytest.raises(ParameterError, match=r"limit = .*: expected at least 1 problem, such as 20"):
        chosen(limit=limit)


def test_a_range_behind_the_last_problem_says_how_many_there_are() -> None:
    with pytest.raises(ParameterError, match="limit = '11-12': leaves no problem; there are 10 of ten"):
        chosen(limit="11-12")


@pytest.mark.parametrize(
    ("ids", "numbers"),
    [
        ("3", [3]),
        (3, [3]),
        ("Ten/3", [3]),
        ("ten/3", [3]),
        ("7, 3 ,5-6", [3, 5, 6, 7]),
        ("8-20", [8, 9]),
        ([7, "Ten/2", "4-5"], [2, 4, 5, 7]),
        (range(2, 4), [2, 3]),
        ("Ten/*", range(10)),
        ("ten/[12]", [1, 2]),
        ("3,3,Ten/3", [3]),
    ],
)
def test_ids_are_found_by_what_people_call_them_in_the_order_of_the_task(
    ids: object, numbers: list[int]
) -> None:
    given = [ids] if isinstance(ids, int) else ids
    assert chosen(ids=given) == [f"Ten/{number}" for number in numbers]


def test_a_limit_is_counted_among_the_ids() -> None:
    assert chosen(ids="2-8", limit="2-3") == ["Ten/3", "Ten/4"]
    with pytest.raises(ParameterError, match="there are 2 of ten"):
        chosen(ids="2,3", limit="3-4")


def test_every_unknown_id_is_named_with_a_near_one() -> None:
    with pytest.raises(
        ParameterError, match=r"ids 'Ten/33' \(did you mean 'Ten/3'\?\), 'zzz': not among the 10"
    ):
        chosen(ids=["Ten/33", "Ten/4", "zzz"])


@pytest.mark.parametrize("ids", ["", " , ", [], ()])
def test_no_id_at_all_is_refused(ids: object) -> None:
    with pytest.raises(ParameterError, match="expected at least one"):
        chosen(ids=ids)


@pytest.mark.parametrize("ids", ["12", "20-30", "Ten/4x", "-3", "5-", "Eleven/*"])
def test_what_finds_nothing_is_refused(ids: str) -> None:
    with pytest.raises(ParameterError, match="which go from 'Ten/0' to 'Ten/9'"):
        chosen(ids=ids)


def test_ids_of_any_shape_have_numbers() -> None:
    mixed = problems("ClassEval_0", "abc301_a", "problem-007", "11", "a,b", "1-2")
    for part, name in (("0", "ClassEval_0"), ("7", "problem-007"), ("11", "11"), ("ABC301_A", "abc301_a")):
        assert chosen(of=mixed, ids=part) == [name]
    # the whole is an id before it is several or a range
    assert chosen(of=mixed, ids="a,b") == ["a,b"]
    assert chosen(of=mixed, ids=["1-2"]) == ["1-2"]


def test_a_number_that_several_ids_end_in_is_to_be_named_whole() -> None:
    twice = problems("train/1", "test/1", "test/2")
    for ids in ("1", "1-2"):
        with pytest.raises(ParameterError, match="may be 'train/1' or 'test/1'; name it whole"):
            chosen(of=twice, ids=ids)
    assert chosen(of=twice, ids="test/1,2") == ["test/1", "test/2"]


def test_a_task_without_problems_is_said_to_have_none() -> None:
    with pytest.raises(ParameterError, match="ten has no problems"):
        chosen(of=[], ids="3")


@given(st.lists(st.integers(0, 9), min_size=1))
def test_ids_that_were_found_find_the_same_again(numbers: list[int]) -> None:
    found = chosen(ids=numbers)
    assert found == [f"Ten/{number}" for number in sorted(set(numbers))]
    assert chosen(ids=found) == chosen(ids=",".join(found)) == found


@given(st.integers(1, 30), st.integers(0, 30))
def test_a_range_is_the_places_between(first: int, more: int) -> None:
    assert parse_limit(f"{first}-{first + more}") == (first, first + more)


@given(st.text(max_size=12))
def test_no_text_breaks_it(text: str) -> None:
    for asked in ({"limit": text}, {"ids": text}):
        with suppress(ParameterError):
            assert chosen(**asked)


ODD = problems("1575_A. Sorting", "1575_B. Building", "9_a. Die Straße")


@pytest.mark.parametrize(
    ("of", "item", "expected"),
    [
        (TEN, "Ten/3", "Ten/3"),
        (TEN, "ten/3", "Ten/3"),
        (TEN, "3", "Ten/3"),
        (TEN, "N/3", "Ten/3"),
        (ODD, "1", "1575_B. Building"),
        (ODD, "1575_a", "1575_A. Sorting"),
        (ODD, "STRASSE", "9_a. Die Straße"),
        (ODD, "9", "9_a. Die Straße"),
    ],
)
def test_one_problem_is_found_by_what_people_call_it(of: list[Problem], item: str, expected: str) -> None:
    assert choose_problem(of, item, task="t").task_id == expected


@pytest.mark.parametrize(
    ("of", "item", "said"),
    [
        (TEN, "Ten/33", "did you mean 'Ten/3'"),
        (TEN, "33", "not among the 10 problems"),
        (TEN, "9" * 5000, "not among the 10 problems"),
        (TEN, " ", "expected at least one"),
        (TEN, "en/", "means 10 problems of t; name one of them: 'Ten/0', 'Ten/1', 'Ten/2', ..."),
        (ODD, "1575", "means 2 problems of t; name one of them: '1575_A. Sorting', '1575_B. Building'$"),
    ],
)
def test_no_problem_or_several_are_refused(of: list[Problem], item: str, said: str) -> None:
    with pytest.raises(ParameterError, match=said):
        choose_problem(of, item, task="t")
