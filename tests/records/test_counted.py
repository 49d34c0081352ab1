"""Numbers of things are written as people write them."""

import pytest

from codesample.records.counted import counted


@pytest.mark.parametrize(
    ("number", "rest", "text"),
    [
        (0, "", "0 problems"),
        (1, "", "1 problem"),
        (2, "", "2 problems"),
        (1055, "", "1,055 problems"),
        (1, "have", "1 problem has"),
        (3, "have", "3 problems have"),
        (1, "were", "1 problem was"),
        (0, "are", "0 problems are"),
    ],
)
def test_one_is_one_and_others_are_many(number: int, rest: str, text: str) -> None:
    assert counted(number, "problem", rest) == text
