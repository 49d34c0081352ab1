"""What a page says of choices in a browser: ties, silence, members of a composition, and what differs."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from codesample.evaluation.scoring import Pool
from codesample.records import Problem, Status
from codesample.reports.html import write_page

PASSED, WRONG = Status.PASSED, Status.WRONG
ASKED = "Return x plus one,\n    whatever x may be.\n    It is a number."
# the same words, with other line ends
REPEATED = '    """Return x plus one, whatever\n    x may be.\n    It is a number.\n    """\n'
AT = (
    "name => [...document.querySelectorAll('#reranker option')]"
    ".findIndex(each => each.textContent.replace(' (best)', '') === name)"
)
EQUAL = "".join(f"    y = {at}\n" for at in range(12))


@pytest.fixture(scope="module")
def chosen(
    problem: Callable[..., Problem],
    pool: Callable[..., Pool],
    run_of: Callable[..., Any],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """Programs that repeat their prompt; of the first three, the second passes."""
    wrong = f'    """{ASKED}\n    """\n    # too little\n{EQUAL}    return x - 1\n'
    right = f"{REPEATED}{EQUAL}    return x + 1\n"
    asked = problem("p", text=ASKED)
    asked = type(asked)(asked.task_id, asked.prompt, asked.tests, entry_point="add")
    made = pool(asked, [wrong, right, "    pass\n"], [WRONG, PASSED, WRONG])
    scores: dict[str, dict[str, list[float | None]]] = {
        "first,second": {"p": [2.0, 1.0, 0.0]},
        "first": {"p": [1.0, 1.0, 0.0]},
        "second": {"p": [0.75, 0.25, 9.0]},
        "public_examples": {"p": [None, None, None]},
        "a_name_that_no_column_of_a_table_is_wide_enough_for": {"p": [0.5, 0.5, 0.5]},
    }
    return write_page(run_of([made], scores), tmp_path_factory.mktemp("chosen") / "page.html")


def lost(show: Callable[..., Any], page: Path, reranker: str) -> Any:
    tab = show(page).tab
    # the best one is called so in the list
    tab.select_option("#reranker", str(tab.evaluate(AT, reranker)))
    tab.locator("#lost-rows .pane").nth(1).wait_for()
    return tab


@pytest.mark.parametrize(
    ("reranker", "summary", "heads"),
    [
        (
            "first,second",
            "1 of 3 pass; decided by second: 0.75 against 0.25; best passing one in place 2",
            [
                ("What it picks: candidate 0", "✗ wrong place 1 · first: 1 · second: 0.75"),
                (
                    "The best-scored one that passes: candidate 1",
                    "✓ passed place 2 · first: 1 · second: 0.25",
                ),
            ],
        ),
        (
            "first",
            "1 of 3 pass; 2 candidates share the top score, 50 % of them pass",
            [
                ("It leaves 2 to chance; one that fails: candidate 0", "✗ wrong score 1"),
                ("One of them that passes: candidate 1", "✓ passed score 1"),
            ],
        ),
        (
            "public_examples",
            "1 of 3 pass; no candidate has a score (its prompt shows no example that could be read): "
            "one at random, of which 33 % pass",
            [
                ("It prefers none; one that fails: candidate 0", "✗ wrong no score"),
                ("One that passes: candidate 1", "✓ passed no score"),
            ],
        ),
    ],
)
def test_a_lost_problem_says_what_decided_and_nothing_is_picked_where_nothing_did(
    show: Callable[..., Any], chosen: Path, reranker: str, summary: str, heads: list[tuple[str, str]]
) -> None:
    tab = lost(show, chosen, reranker)
    assert tab.locator("#lost-rows .numbers").inner_text() == summary
    panes = tab.locator("#lost-rows .pane")
    for pane, (head, words) in zip(panes.all(), heads, strict=True):
        assert pane.locator("h3").inner_text() == head
        assert pane.locator("> p").first.inner_text() == words


def test_what_ties_lose_is_told_as_an_expected_number(show: Callable[..., Any], chosen: Path) -> None:
    tab = lost(show, chosen, "first")
    assert tab.locator("#lost-told").inner_text() == (
        "1 of 1 problem has a candidate that passes. It leaves 1 to chance, between passing and failing "
        "ones: 0.5 are lost on average."
    )


def test_what_repeats_the_prompt_or_is_equal_is_folded_and_opens(
    show: Callable[..., Any], chosen: Path
) -> None:
    tab = lost(show, chosen, "first,second")
    one, other = tab.locator("#lost-rows .pane pre.code").all()
    assert one.locator(".fold").all_inner_texts() == ["⋯ 4 lines as in the prompt", "⋯ 6 lines equal in both"]
    assert one.locator(".line.gone").all_text_contents() == [
        "differs:     # too little",
        "differs:     return x - 1",
    ]
    # what is only said is marked, and pale
    assert one.locator(".line.gone.words").all_text_contents() == ["differs:     # too little"]
    assert other.locator(".line.new").all_text_contents() == ["differs:     return x + 1"]
    before = one.locator(".line").count()
    one.locator(".fold").first.focus()
    tab.keyboard.press("Enter")
    assert one.locator(".line").count() == before + 4
    assert one.locator(".fold").count() == 1
    assert tab.evaluate("document.activeElement.getAttribute('aria-label')") == "Program of candidate 0 of p"
    assert one.locator(".line").nth(1).text_content() == '    """Return x plus one,'
    numbers = one.locator(".line").evaluate_all("all => all.map(each => each.style.cssText.match(/\\d+/)[0])")
    assert numbers[:7] == ["1", "2", "3", "4", "5", "6", "7"]


@pytest.mark.parametrize("phone", [False, True])
def test_every_column_of_the_candidates_is_in_sight(
    show: Callable[..., Any], chosen: Path, phone: bool
) -> None:
    shown = show(chosen, "p", phone=phone)
    tab = shown.tab
    for name, head in (("first,second", "place"), (list_name(tab), "score")):
        tab.select_option("#reranker-in-problem", label=name)
        assert tab.locator("#group-score").inner_text() == head
        frame = tab.locator(".groups .scroll")
        assert frame.evaluate("frame => frame.scrollWidth - frame.clientWidth") <= 0
    assert tab.locator("#group-rows td:last-child").all_inner_texts() == ["0.5", "0.5", "0.5"]


def list_name(tab: Any) -> str:
    return str(tab.locator("#reranker-in-problem option").last.inner_text())


def test_the_pick_of_the_chosen_reranker_is_marked_apart_from_others(
    show: Callable[..., Any], chosen: Path
) -> None:
    tab = show(chosen, "p").tab
    tab.select_option("#reranker-in-problem", label="first,second")
    rows = tab.locator("#group-rows tr")
    assert [row.locator(".picked").all_inner_texts() for row in rows.all()] == [
        ["★ its pick"],
        [],
        ["picked by second"],
    ]
    tab.select_option("#reranker-in-problem", label="first")
    marks = [row.locator(".picked").all_inner_texts() for row in rows.all()]
    assert marks == [
        ["◐ one of a tie for its pick", "and by first,second"],
        ["◐ one of a tie for its pick"],
        ["picked by second"],
    ]


def test_a_long_text_ends_in_a_button_that_shows_all_of_it(
    problem: Callable[..., Problem],
    pool: Callable[..., Pool],
    run_of: Callable[..., Any],
    show: Callable[..., Any],
    tmp_path: Path,
) -> None:
    long = "".join(f"    x = {at}\n" for at in range(300))
    asked = problem("p", text="\n".join(f"Rule {at}." for at in range(90)))
    run = run_of([pool(asked, [long], [WRONG])])
    tab = show(write_page(run, tmp_path / "page.html"), "p/0").tab
    code = tab.locator("#candidate pre.code")
    assert code.locator(".line").count() == 120
    code.locator(".fold").click()
    assert code.locator(".line").count() == 301
    assert code.locator(".line").last.text_content() == "    x = 299"
    prompt = tab.locator("#asked pre").first
    assert "Rule 89." not in prompt.inner_text()
    tab.locator("#asked button", has_text="Show all 91 lines").click()
    assert "Rule 89." in prompt.inner_text()


@pytest.fixture(scope="module")
def kept_some(
    problem: Callable[..., Problem],
    pool: Callable[..., Pool],
    run_of: Callable[..., Any],
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, Path]:
    """A filter leaves two of three; over all, the member behind it prefers the one that passes."""
    body = "".join(f"    y = {at}\n" for at in range(12))
    wrong, right = f"{body}    return x\n", f"    if not x:\n        return 1\n{body}    return x\n"
    made = pool(
        problem("p"),
        [wrong, right, "    pass\n"],
        [WRONG, PASSED, WRONG],
        details=["AssertionError: Error", "", ""],
    )
    scores: dict[str, dict[str, list[float | None]]] = {
        "public_examples | mbr_exec": {"p": [1.0, 0.0, None]},
        "public_examples": {"p": [2.0, 2.0, 1.0]},
        "mbr_exec": {"p": [3.0, 4.0, 9.0]},
        "largest_cluster": {"p": [1.0, 0.0, 1.0]},
    }
    run = run_of([made], scores)
    gave = {"public_examples": {0: 2.0, 1: 2.0, 2: 1.0}, "mbr_exec": {0: 1.5, 1: None}}
    folder = tmp_path_factory.mktemp("kept")
    now = replace(run, members={"public_examples | mbr_exec": {"p": gave}})
    return {"old": write_page(run, folder / "old.html"), "now": write_page(now, folder / "now.html")}


FILTER = "public_examples | mbr_exec"


@pytest.mark.parametrize(
    ("age", "numbers", "words"),
    [
        (
            "now",
            "1 of 3 pass; decided by mbr_exec among the 2 of 3 that public_examples kept: "
            "1.5 against no score; best passing one in place 2",
            [
                "place 1 · public_examples: 2 · mbr_exec among the 2 kept: 1.5",
                "place 2 · public_examples: 2 · mbr_exec among the 2 kept: no score",
            ],
        ),
        (
            "old",
            "1 of 3 pass; decided by mbr_exec among the 2 of 3 that public_examples kept (its numbers among "
            "these are not kept; score again to see them); best passing one in place 2",
            [
                "place 1 · public_examples over all 3: 2 · mbr_exec over all 3: 3",
                "place 2 · public_examples over all 3: 2 · mbr_exec over all 3: 4",
            ],
        ),
    ],
)
def test_numbers_that_decided_are_those_among_what_a_filter_kept(
    show: Callable[..., Any], kept_some: dict[str, Path], age: str, numbers: str, words: list[str]
) -> None:
    tab = lost(show, kept_some[age], FILTER)
    assert tab.locator("#lost-rows .numbers").inner_text() == numbers
    for pane, said in zip(tab.locator("#lost-rows .pane").all(), words, strict=True):
        assert said in pane.locator("> p").first.inner_text()


def test_a_name_is_said_in_words_and_a_failure_without_its_statement_so(
    show: Callable[..., Any], kept_some: dict[str, Path]
) -> None:
    tab = lost(show, kept_some["now"], FILTER)
    assert tab.locator("#lost-words > div").all_inner_texts() == [
        f"{FILTER}: Keep those that are best by public_examples; only among these, order by mbr_exec. "
        "Scores behind a | are given among the kept alone, and may differ from those over all candidates. "
        "Who has no score comes last.",
        "public_examples: Score by how many of the prompt's examples the program gets right.",
        "mbr_exec: Score by how much of what it returns the candidates, itself included, return as well.",
    ]


def test_a_program_that_lacks_lines_is_marked_where_and_folds_as_the_other(
    show: Callable[..., Any], kept_some: dict[str, Path]
) -> None:
    tab = lost(show, kept_some["now"], FILTER)
    one, other = tab.locator("#lost-rows .pane pre.code").all()
    assert one.locator(".line.lacks").all_text_contents() == [
        "lines are missing behind this one: def add(x):"
    ]
    assert one.locator(".fold").count() == other.locator(".fold").count() == 1
    assert other.locator(".line.new").count() == 2


def test_a_tie_of_failing_ones_is_told_in_the_closed_row(
    show: Callable[..., Any], kept_some: dict[str, Path]
) -> None:
    tab = lost(show, kept_some["now"], "largest_cluster")
    assert (
        "one of 2 that tie, all of which fail; score 1, best"
        in tab.locator("#lost-rows .numbers").inner_text()
    )
    assert tab.locator("#lost-rows h3").first.inner_text() == "What it picks, one of 2 that tie: candidate 0"


def test_what_one_asks_for_is_shown_whatever_the_list_leaves_out(
    show: Callable[..., Any], kept_some: dict[str, Path]
) -> None:
    tab = show(kept_some["now"], "p/1").tab
    tab.select_option("#candidate-filter", "pass")
    tab.locator("#pick-rows a", has_text="0").first.click()
    tab.locator("#candidate-name", has_text="Candidate 0").wait_for()
    assert tab.locator("#candidate-filter").input_value() == "all"
    assert tab.evaluate("document.activeElement.closest('#pick-rows') !== null")
    box = tab.locator("#candidate").bounding_box()
    assert 0 <= box["y"] < 900


def test_a_candidate_that_was_left_out_is_said_to_be_so(
    show: Callable[..., Any], kept_some: dict[str, Path]
) -> None:
    shown = show(kept_some["now"], "p/2")
    shown.open_part(shown.tab.get_by_text("Scores by every reranker"))
    assert shown.tab.locator("#candidate table tbody tr").first.locator("td").all_inner_texts() == [
        "left out by public_examples",
        "3 of 3",
    ]
    told = shown.tab.locator("#candidate p.muted", has_text="over all 3 candidates")
    assert told.inner_text().endswith("behind a filter (a | b), b scores the kept ones anew.")
    shown.tab.select_option("#reranker-in-problem", label=FILTER)
    cells = shown.tab.locator("#group-rows td:last-child")
    assert cells.evaluate_all("all => all.every(each => each.scrollWidth <= each.clientWidth)")
    assert cells.all_inner_texts() == ["1", "2", "left out"]
    last = shown.tab.locator("#group-rows tr").last.locator(".picked")
    assert last.all_inner_texts()[-1] == "left out by public_examples"


def test_where_members_do_not_tell_a_candidate_without_a_score_is_not_said_to_be_left_out(
    show: Callable[..., Any], kept_some: dict[str, Path]
) -> None:
    tab = show(kept_some["old"], "p/2").tab
    tab.select_option("#reranker-in-problem", label=FILTER)
    assert tab.locator("#group-rows td:last-child").all_inner_texts() == ["1", "2", "no score"]


@pytest.mark.parametrize("way", ["Escape", "back"])
def test_the_way_back_from_a_lost_problem_leads_to_its_row(
    show: Callable[..., Any], kept_some: dict[str, Path], way: str
) -> None:
    tab = lost(show, kept_some["now"], FILTER)
    tab.locator("#lost-rows h3 a").first.click()
    tab.locator("#problem-body").wait_for()
    tab.keyboard.press("Escape") if way == "Escape" else tab.go_back()
    tab.locator("#overview").wait_for()
    tab.locator("details.lost summary:focus").wait_for()


def test_the_key_l_leads_to_the_lost_ones_every_time(
    show: Callable[..., Any], kept_some: dict[str, Path]
) -> None:
    tab = show(kept_some["now"]).tab
    for _ in range(2):
        tab.evaluate("document.activeElement.blur(); window.scrollTo(0, document.body.scrollHeight)")
        tab.keyboard.press("l")
        tab.locator("#lost-heading:focus").wait_for()
        assert abs(tab.locator("#lost").bounding_box()["y"]) < 200


def test_all_problems_from_a_direct_link_is_the_list(
    show: Callable[..., Any], kept_some: dict[str, Path]
) -> None:
    tab = show(kept_some["now"], "p/0").tab
    tab.get_by_text("← All problems").click()
    tab.locator("#overview").wait_for()
    assert abs(tab.locator("#problems").bounding_box()["y"]) < 200


def test_rows_of_the_map_have_names_on_a_phone(show: Callable[..., Any], kept_some: dict[str, Path]) -> None:
    tab = show(kept_some["now"], "heat", phone=True).tab
    dark = """() => { const map = document.querySelector("#heat-map"), pen = map.getContext("2d");
      const scale = map.width / map.clientWidth, data = pen.getImageData(0, 0, 38 * scale, map.height).data;
      return data.some((value, at) => at % 4 === 0 && value < 128); }"""
    tab.wait_for_function(dark)


def test_charts_name_places_and_what_has_no_bar(kept_some: dict[str, Path]) -> None:
    text = kept_some["now"].read_text()
    assert "place from the last, 0, up by public_examples | mbr_exec" in re.sub(
        r"</tspan><tspan[^>]*>", " ", text
    )
    assert "1 candidate left out or without a score counts as last; no bar shows them." in text
    assert "1 candidate has no score or was left out." in text
