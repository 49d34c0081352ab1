"""Two runs, or two rerankers, paired by problem."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from codesample.errors import MetricError, ParameterError, RerankerError, RunFolderError
from codesample.evaluation.comparison import compare_contents, compare_rerankers
from codesample.records import SamplingParams

FIRST = {1: "1100", 2: "0001", 3: "0000", 5: "1111"}
SECOND = {1: "10", 2: "11", 3: "00", 5: "10"}
UP = {1: [4.0, 3.0, 2.0, 1.0], 2: [4.0, 3.0, 2.0, 1.0], 3: [1.0] * 4, 5: [None] * 4}
DOWN = {1: [1.0, 2.0, 3.0, 4.0], 2: [1.0, 2.0, 3.0, 4.0], 3: [1.0] * 4, 5: [1.0] * 4}


@pytest.fixture
def first(made_contents):
    return made_contents(FIRST, {"up": UP, "down": DOWN}, path="first")


def by_name(compared):
    return {figure.name: figure for figure in compared.figures}


def test_runs_are_paired_by_problem(first, made_contents) -> None:
    scores = {"up": {each: [2.0, 1.0] for each in SECOND}, "other": {each: [0.0, 0.0] for each in SECOND}}
    second = made_contents(SECOND, scores, path="second", params=SamplingParams(temperature=0.2), n=2)
    compared = compare_contents(first, second)
    figures = by_name(compared)
    assert list(figures) == ["pass@1", "up", "oracle"]
    one = figures["pass@1"]
    assert (one.first.value, one.second.value) == (pytest.approx(7 / 16), pytest.approx(1 / 2))
    assert one.paired.difference.value == pytest.approx(1 / 2 - 7 / 16)
    assert (one.paired.won, one.paired.lost, one.paired.tied) == (1, 1, 2)
    assert [(each.task_id, each.first, each.second) for each in one.changes] == [
        ("adding/5", 1.0, 0.5),
        ("adding/2", 0.25, 1.0),
    ]
    assert compared.problems == 4
    settings = {each.name: (each.first, each.second) for each in compared.settings}
    assert settings["temperature"] == (SamplingParams().temperature, 0.2)
    assert settings["n"] == (3, 2)
    assert "model" not in settings
    assert "of a problem the first has 4, the second 2 candidates" in " ".join(compared.notices)


def test_the_other_way_about_everything_is_turned(first, made_contents) -> None:
    second = made_contents(SECOND, path="second")
    there, back = compare_contents(first, second), compare_contents(second, first)
    for one, other in zip(there.figures, back.figures, strict=True):
        assert one.paired.difference.value == pytest.approx(-other.paired.difference.value)
        assert one.paired.p == other.paired.p
        assert (one.paired.won, one.paired.lost) == (other.paired.lost, other.paired.won)
        assert {each.task_id for each in one.changes} == {each.task_id for each in other.changes}


def test_what_only_one_has_counts_nowhere_and_is_named(first, made_contents) -> None:
    second = made_contents({1: "10", 2: "--", 3: "0"}, path="second")
    compared = compare_contents(first, second)
    assert (compared.problems, compared.only_first, compared.only_second) == (2, ("adding/2", "adding/5"), ())
    turned = compare_contents(second, first)
    assert turned.only_second == ("adding/2", "adding/5")
    assert compared.figures[0].first.value == pytest.approx(1 / 4)


def test_a_named_k_is_compared_as_far_as_every_problem_reaches_it(first, made_contents) -> None:
    second = made_contents(SECOND, path="second")
    assert [each.name for each in compare_contents(first, second, k=(2,)).figures] == ["pass@2", "oracle"]
    with pytest.raises(MetricError, match="k = 3 with n = 2"):
        compare_contents(first, second, k=(3,))


def test_nothing_in_common_is_refused(first, made_contents) -> None:
    with pytest.raises(RunFolderError, match="no problem in common"):
        compare_contents(made_contents({1: "1"}), made_contents({2: "1"}, path="other"))
    with pytest.raises(RunFolderError, match="no problem in common"):
        compare_contents(first, made_contents({1: "--"}))


def test_other_data_with_the_same_ids_are_compared_with_a_word_of_it(first, made_contents) -> None:
    compared = compare_contents(first, made_contents(SECOND, data_hash="more tests"))
    assert "the data differ, and perhaps their tests; problems are paired by id" in compared.notices
    compared = compare_contents(first, made_contents(SECOND, data_hash="h", task="adding_plus"))
    assert "the tasks differ, and their tests with them; problems are paired by id" in compared.notices


def test_other_data_with_other_ids_are_refused(first, made_contents) -> None:
    other = made_contents(SECOND, data_hash="h", task="subtracting")
    problems = other.chosen.problems
    moved = (*problems[:3], replace(problems[3], task_id="subtracting/5"))
    fewer = replace(other, chosen=replace(other.chosen, problems=moved), pools=other.pools[:3])
    with pytest.raises(RunFolderError, match="first is of adding, run of subtracting: their data differ"):
        compare_contents(first, fewer)


def test_a_run_with_itself_is_refused(first) -> None:
    again = replace(first, path=first.path.absolute())
    with pytest.raises(ParameterError, match=r"first and /.*first are one run; name two, or two rerankers"):
        compare_contents(first, again)


def test_runs_that_differ_in_nothing_have_a_difference_of_nothing(first, made_contents) -> None:
    compared = compare_contents(first, made_contents(FIRST, {"up": UP, "down": DOWN}, path="second"))
    assert compared.settings == ()
    for figure in compared.figures:
        assert (figure.paired.difference.value, figure.paired.p, figure.changes) == (0.0, 1.0, ())


@pytest.mark.parametrize("names", [("up", "up"), ("random", "random"), ("up,down", "up > down")])
def test_a_reranker_with_itself_is_refused(names: tuple[str, str], made_contents) -> None:
    contents = made_contents(FIRST, {"up,down": UP, "up": UP})
    with pytest.raises(ParameterError, match=f"both are '{names[0]}'; name two rerankers that differ"):
        compare_rerankers(contents, *names)


def test_rerankers_are_compared_with_the_problems_that_each_wins(first) -> None:
    compared = compare_rerankers(first, "up", "down")
    (figure,) = compared.figures
    assert (compared.kind, compared.run, compared.problems) == ("rerankers", "first", 4)
    # up chooses right on adding/1, down on adding/2; on adding/5 whatever they choose is right
    assert [(each.task_id, each.difference) for each in figure.changes] == [
        ("adding/1", -1.0),
        ("adding/2", 1.0),
    ]
    assert (figure.paired.won, figure.paired.lost, figure.paired.p) == (1, 1, 1.0)


def test_random_and_oracle_are_names_too(first) -> None:
    (figure,) = compare_rerankers(first, "random", "oracle").figures
    assert figure.first.value == pytest.approx(7 / 16)
    assert figure.second.value == 3 / 4


def test_a_reranker_without_scores_says_how_to_make_them(first) -> None:
    with pytest.raises(
        RerankerError, match=r"no scores by 'codet'; it has: up, down, random, oracle; .* -r codet"
    ):
        compare_rerankers(first, "up", "codet")


def test_the_command_that_makes_them_can_be_pasted(first) -> None:
    with pytest.raises(RerankerError, match=r"-r 'executable > largest_cluster > mean_logprob'$"):
        compare_rerankers(first, "executable > largest_cluster > mean_logprob", "random")


def test_it_is_plain_data(first, made_contents) -> None:
    content = json.loads(json.dumps(compare_contents(first, made_contents(SECOND)).as_json()))
    assert content["figures"][0]["changes"][0] == {"task_id": "adding/5", "first": 1.0, "second": 0.5}


def test_rerankers_are_found_in_any_spelling(made_contents) -> None:
    contents = made_contents(FIRST, {"up,down": UP, "down": DOWN}, path="first")
    compared = compare_rerankers(contents, "up > down", "down")
    assert (compared.first, compared.second) == ("up,down", "down")
