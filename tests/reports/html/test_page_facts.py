"""What a page says in figures and words, without a browser."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from codesample.evaluation.leaks import HiddenOnly
from codesample.evaluation.picks import pick_of
from codesample.evaluation.scoring import Pool
from codesample.records import CodeTests, Problem, Status
from codesample.reports.html import page_of, page_tables
from codesample.reports.html.page_facts import first_reranker
from codesample.reports.html.page_index import title_of

NOW = datetime(2030, 1, 2, tzinfo=UTC)
RIGHT, WRONG = [1.0, 0.0], [0.0, 1.0]


@pytest.fixture
def pools(problem: Callable[..., Problem], pool: Callable[..., Pool]) -> list[Pool]:
    return [pool(problem(name), ["a", "b"], [Status.PASSED, Status.WRONG]) for name in "pq"]


def tiles_of(page: str) -> list[str]:
    found = re.findall(r'<li class="tile[^"]*">(.*?)</li>', page)
    return [" ".join(re.sub(r"<[^>]*>", " ", each).split()) for each in found]


def test_the_reranker_shown_first_is_the_one_whose_choices_pass_most_often(
    pools: list[Pool], run_of: Callable[..., object]
) -> None:
    scores = {
        "half": {"p": RIGHT, "q": WRONG},
        "all": {"p": RIGHT, "q": RIGHT},
        "same": {"p": RIGHT, "q": RIGHT},
    }
    run = run_of(pools, scores)
    picks = {
        name: [pick_of(pool, column[pool.problem.task_id]) for pool in pools]
        for name, column in scores.items()
    }
    assert first_reranker(run, picks) == "all"
    assert first_reranker(run, {}) is None
    page = page_of(run, now=NOW)
    assert re.fullmatch(r"best reranker 100\.0 % \d+\.\d to 100\.0 %, all", tiles_of(page)[1])
    assert "all (best)</option>" in page


@pytest.mark.parametrize("scores", [{"p": RIGHT, "q": WRONG}, {"p": [None, None], "q": [0.5, 0.5]}])
def test_what_is_not_above_random_is_not_called_best(
    pools: list[Pool], run_of: Callable[..., object], scores: dict[str, list[float | None]]
) -> None:
    page = page_of(run_of(pools, {"mine": scores}), now=NOW)
    tiles = tiles_of(page)
    assert tiles[2] == "rerankers no gain none is above random, mine comes nearest"
    assert tiles[3].startswith("problems that one loses 1 of 2 that it could win")
    assert "best reranker" not in page
    assert "(best)" not in page
    assert '<tr class="chosen">' not in page


def test_where_everything_passes_there_is_nothing_to_gain(
    problem: Callable[..., Problem], pool: Callable[..., Pool], run_of: Callable[..., object]
) -> None:
    run = run_of([pool(problem("p"), ["a"], [Status.PASSED])], {"mine": {"p": [1.0]}})
    page = page_of(run, now=NOW)
    assert tiles_of(page)[2] == "rerankers no gain a random choice passes wherever one could"
    assert "1 problem × 1 candidate<" in page.replace(" ·", "<")


@pytest.mark.parametrize(
    ("hidden", "said"),
    [
        (HiddenOnly(3, 1), "over 3 problems. Left out: 1 problem whose prompt shows all checks."),
        (HiddenOnly(3, 2, 1), "2 problems whose prompt shows all checks. Left out: 1 problem whose verdicts"),
        (HiddenOnly(3, 0), "over 3 problems."),
    ],
)
def test_problems_that_are_left_out_are_counted_in_words(
    hidden: HiddenOnly,
    said: str,
    pools: list[Pool],
    run_of: Callable[..., object],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(page_tables, "hidden_only", lambda *_: hidden)
    (table,) = page_tables.page_tables(run_of(pools))
    assert said in table.note


@pytest.mark.parametrize(
    ("prompt", "entry_point", "title"),
    [
        ('def is_it(x):\n    """Help."""\n\n\ndef make(x):\n    """Make it."""\n', "make", "Make it."),
        ('def make(x):\n    """Make it."""\n', None, "Make it."),
        # four quotes open the text of some published prompts
        ('def make(x):\n    """"Make it." of stone\n    """\n', "make", 'Make it." of stone'),
        ("Make it\nof stone.", "make", "Make it of stone."),
    ],
)
def test_a_title_is_of_what_is_asked_for_not_of_a_helper_before_it(
    prompt: str, entry_point: str | None, title: str
) -> None:
    assert title_of(Problem("p", prompt, CodeTests(source="x"), entry_point=entry_point)) == title
