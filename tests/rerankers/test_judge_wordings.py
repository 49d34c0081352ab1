from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codesample.records import Message
from codesample.rerankers.judge_wordings import (
    ask_best,
    ask_grade,
    ask_ranking,
    read_better,
    read_grade,
    read_ranking,
)

GRADES = [
    ("It fails on 0.\nScore: 3", 3.0),
    ("**Score: 7.5**", 7.5),
    ("Score: **10**", 10.0),
    ("score = 0", 0.0),
    ("Score: 8/10.", 8.0),
    ("Score: 2 at first, but\nScore: 9", 9.0),
    ("8", 8.0),
    (" 8/10.\n", 8.0),
    ("Score - 4", 4.0),
    ("Score: 11", None),
    ("Score: -3", None),
    ("Score: 80/100", None),
    ("Score: N", None),
    ("It is right.", None),
    ("On 7 inputs it is right.", None),
    ("", None),
]


@pytest.mark.parametrize(("answer", "grade"), GRADES)
def test_a_grade_is_read_from_the_last_line_that_gives_one_or_not_at_all(
    answer: str, grade: float | None
) -> None:
    assert read_grade(answer, chat=True) == grade


@pytest.mark.parametrize(
    ("answer", "grade"),
    [(" 7", 7.0), (" 10/10, since", 10.0), (" 9.5\n", 9.5), (" maybe 7", None), (" 12", None), ("", None)],
)
def test_a_grade_that_continues_a_text_stands_at_its_beginning(answer: str, grade: float | None) -> None:
    assert read_grade(answer, chat=False) == grade


@pytest.mark.parametrize(
    ("answer", "ranking"),
    [
        ("B is wrong.\nRanking: C > A > B", [["C"], ["A"], ["B"]]),
        ("**Ranking:** C > A > B", [["C"], ["A"], ["B"]]),
        ("Ranking: `B, C, A`.", [["B"], ["C"], ["A"]]),
        ("Ranking: A = C > B", [["A", "C"], ["B"]]),
        ("Ranking: A > B\nRanking: B > A > C", [["B"], ["A"], ["C"]]),
        ("Ranking: [C] > [A]", [["C"], ["A"]]),
        ("ranking: C", [["C"]]),
        ("I think so.\nC > B > A", [["C"], ["B"], ["A"]]),
        ("Ranking: C > C > A", [["C"], ["A"]]),
        ("Ranking: C > D > A", [["C"]]),
        ("Ranking: D > A", None),
        ("They are all right.", None),
        ("All are right", None),
        ("", None),
    ],
)
def test_a_ranking_is_read_as_far_as_it_goes(answer: str, ranking: list[list[str]] | None) -> None:
    assert read_ranking(answer, "ABC", chat=True) == ranking


def test_a_ranking_that_continues_a_text_stands_at_its_beginning() -> None:
    assert read_ranking(" B > A\nC", "ABC", chat=False) == [["B"], ["A"]]
    assert read_ranking(" the first", "ABC", chat=False) is None


@pytest.mark.parametrize(
    ("answer", "better"),
    [
        ("A fails on [].\nBetter: B", "B"),
        ("**Better: A**", "A"),
        ("better: Tie", "tie"),
        ("Better: A at first.\nBetter: b.", "B"),
        ("A", "A"),
        ("tie.", "tie"),
        ("Better: both", None),
        ("Neither is better.", None),
        ("A is fine", None),
        ("", None),
    ],
)
def test_a_preference_is_read_from_the_last_line_that_says_one(answer: str, better: str | None) -> None:
    assert read_better(answer, chat=True) == better


def test_a_preference_that_continues_a_text_stands_at_its_beginning() -> None:
    assert [read_better(text, chat=False) for text in (" A", " tie", " both", "")] == ["A", "tie", None, None]


@given(st.text(max_size=60) | st.text("ABC>=,: Scorebetanking0123/\n*", max_size=60), st.booleans())
def test_any_answer_is_read_or_left(answer: str, chat: bool) -> None:
    grade = read_grade(answer, chat=chat)
    assert grade is None or 0 <= grade <= 10
    assert read_better(answer, chat=chat) in ("A", "B", "tie", None)
    ranking = read_ranking(answer, "ABC", chat=chat)
    named = [letter for group in ranking or [] for letter in group]
    assert len(named) == len(set(named))
    assert set(named) <= set("ABC")


def test_questions_show_the_task_and_the_programs_and_end_where_the_answer_begins() -> None:
    for chat in (False, True):
        for asked in (
            ask_grade("Add one.", "def f(x):\n    return x + 1\n", chat=chat),
            ask_ranking("Add one.", {"A": "def f(x):\n    return x + 1\n", "B": "pass"}, chat=chat),
            ask_best("Add one.", "def f(x):\n    return x + 1\n", "pass", chat=chat),
        ):
            text = asked if isinstance(asked, str) else asked[0].content
            assert isinstance(asked, str) != chat
            assert "Task:\nAdd one.\n" in text
            assert "def f(x):\n    return x + 1\n" in text
            assert text.endswith(":") != chat
    assert ask_best("t", "[1]", "[2]", chat=True) == (Message("user", _best("[1]", "[2]")),)


def _best(first: str, second: str) -> str:
    asked = ask_best("t", second, first, chat=True)
    assert not isinstance(asked, str)
    # the same question but for the places of the two
    return asked[0].content.replace(first, "#").replace(second, first).replace("#", second)
