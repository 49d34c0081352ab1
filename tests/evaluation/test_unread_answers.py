"""Texts that are run as programs and look like answers."""

from __future__ import annotations

import pytest

from codesample.evaluation.problem_set import ProblemSet
from codesample.evaluation.unread_answers import notice_unread_answers
from codesample.records import Candidate
from codesample.tasks.contract import Task

FENCED = "Sure!\n\n```python\ndef add(x):\n    return x + 1\n```\n"
BODY = "    return x + 1\n"


def notices(adding: Task, *texts: str) -> list[str]:
    chosen = ProblemSet(adding, tuple(adding.problems()))
    return notice_unread_answers(chosen, [Candidate("adding/1", at, text) for at, text in enumerate(texts)])


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (FENCED, "Markdown fences"),
        (f"  ~~~py\n{BODY}~~~", "Markdown fences"),
        (f"<think>hm</think>\n{BODY}", "thinking parts"),
        (f"{BODY}<|endoftext|>", "a model's end-of-text mark behind the code"),
        (f"{BODY}<|im_end|>\n", "a model's end-of-text mark behind the code"),
        (f"{BODY}</s>", "a model's end-of-text mark behind the code"),
    ],
)
def test_they_are_counted_and_the_way_out_is_named(adding: Task, text: str, kind: str) -> None:
    (notice,) = notices(adding, text, text, BODY)
    assert notice == (
        f"2 of 3 samples hold {kind}, and 2 of them are no Python as they are; "
        "to read programs out of answers: --extract"
    )


def test_what_parses_is_left_alone(adding: Task) -> None:
    fenced_in_a_text = '    """\n    ```\n    x\n    ```\n    """\n    return x + 1\n'
    assert notices(adding, BODY, fenced_in_a_text) == []


def test_a_single_one_among_many_is_no_matter(adding: Task) -> None:
    assert notices(adding, FENCED, *[BODY] * 20) == []
    assert len(notices(adding, FENCED, *[BODY] * 18)) == 1


def test_of_very_many_some_are_looked_at(adding: Task) -> None:
    (notice,) = notices(adding, *[FENCED] * 1_000)
    assert notice.startswith("1000 of 1000 samples hold Markdown fences, and 334 of 334 looked at are no")


def test_a_programs_own_fences_do_not_count(adding: Task) -> None:
    chosen = ProblemSet(adding, tuple(adding.problems()))
    read = Candidate("adding/1", 0, FENCED, program="def add(x):\n    return x + 1\n")
    assert notice_unread_answers(chosen, [read]) == []
