"""The page of a run in a browser: filtered, walked by keys, read by everyone, safe from what it shows."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from codesample.evaluation.run_contents import RunContents
from codesample.evaluation.scoring import Pool
from codesample.records import CodeTests, Origin, Problem, Status
from codesample.reports.html import write_page

PASSED, WRONG, ERROR, LATE = Status.PASSED, Status.WRONG, Status.ERROR, Status.CPU_TIMEOUT
ACCESSIBILITY = (Path(__file__).with_name("accessibility.js")).read_text(encoding="utf-8")
HEADINGS = re.compile(r"\s+")

HOSTILE = (
    "</script><script>window.hurt = 1; alert(1)</script>",
    "<!-- <script> --><img src=x onerror='window.hurt = 1'>",
    '"><svg onload="window.hurt = 1">',
    "javascript:window.hurt=1",
    "{{ 7 * 7 }}${window.hurt=1}`${window.hurt=1}`",
    "nul \x00, bell \x07, escape \x1b[31m",
    "half \ud800, other half \udc00 x, whole \U0001f600",
    "back \u202e to front \u2066 hidden \u200b",
    "</textarea></title></style><style>* { display: none }</style>",
    "\u2028line\u2029paragraph\x85\ufeff",
    "é e\u0301 " * 3 + "\U000e0041",
)


@pytest.fixture(scope="module")
def small(
    problem: Callable[..., Problem], pool: Callable[..., Pool], run_of: Callable[..., RunContents]
) -> RunContents:
    """Three problems: good loses the first and wins the second; nothing passes in the third."""
    one, two, three = problem("Made/1"), problem("Made/2", text="Say needle."), problem("other/3")
    right, wrong = "    return x + 1\n", "    return x - 1\n"
    pools = [
        pool(one, [wrong, right, wrong, right], [WRONG, PASSED, WRONG, PASSED]),
        pool(two, [right, "    return haystack\n"], [PASSED, ERROR], details=["", "NameError: haystack"]),
        pool(three, [wrong, "    while x: pass\n"], [WRONG, LATE]),
    ]
    good: dict[str, list[float | None]] = {
        "Made/1": [0.9, 0.5, 0.8, None],
        "Made/2": [1.0, 0.0],
        "other/3": [0.0, 0.0],
    }
    tied: dict[str, list[float | None]] = {
        "Made/1": [1.0, 1.0, 0.0, 0.0],
        "Made/2": [0.0, 1.0],
        "other/3": [None, None],
    }
    return run_of(pools, {"good": good, "tied": tied})


@pytest.fixture(scope="module")
def page(small: RunContents, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_page(small, tmp_path_factory.mktemp("page") / "page.html")


def follow(tab: Any, link: str, name: str) -> None:
    """Follow a link of the page to a problem."""
    tab.evaluate("link => { location.hash = link; }", link)
    tab.wait_for_function(
        """name => document.querySelector("#problem-name").textContent === name
               && document.querySelector("#problem-body").checkVisibility()""",
        arg=name,
    )


def numbered(text: str) -> str:
    """What a reader sees: for what has no look of its own, its number."""
    return "".join(
        f"<U+{ord(char):04X}>" if char not in " \t\n" and unicodedata.category(char)[0] in "CZ" else char
        for char in text
    )


def rows(tab: Any) -> list[str]:
    return list(tab.locator("#problem-rows tr th a").all_inner_texts())


@pytest.mark.parametrize("place", ["", "Made/1", "Made/1/2", "figures"])
@pytest.mark.parametrize(("dark", "phone"), [(False, False), (True, False), (False, True)])
def test_opens_quietly_and_fits_its_window(
    show: Callable[..., Any], page: Path, place: str, dark: bool, phone: bool
) -> None:
    shown = show(page, place, dark=dark, phone=phone)
    assert (shown.said, shown.asked) == ([], [])
    assert shown.too_wide() <= 0


def test_says_at_once_which_problems_are_lost_and_why(show: Callable[..., Any], page: Path) -> None:
    tab = show(page).tab
    assert tab.locator("#lost-told").inner_text() == (
        "2 of 3 problems have a candidate that passes. It picks a failing one in 1. "
        "In the other 1 nothing passes, so no choice could help."
    )
    lost = tab.locator("#lost-rows details.lost")
    assert lost.count() == 1
    pair = lost.locator(".pane")
    pair.nth(1).wait_for()
    summary = lost.locator("> summary").inner_text()
    assert "AssertionError" in summary
    assert "pick 0.9, best passing 0.5, in place 3" in summary
    assert "candidate 0" in pair.nth(0).inner_text()
    assert "assert add(-1) == 0" in pair.nth(0).inner_text()
    assert "candidate 1" in pair.nth(1).inner_text()
    assert pair.nth(0).locator(".line.gone").text_content() == "differs:     return x - 1"
    assert pair.nth(1).locator(".line.new").text_content() == "differs:     return x + 1"


def test_another_reranker_changes_all_that_shows_one(show: Callable[..., Any], page: Path) -> None:
    tab = show(page).tab
    assert tab.locator("#lost-heading").inner_text() == "Problems that good loses"
    assert tab.locator("#problem-rows .badge").all_inner_texts() == [
        "✗ lost",
        "✓ picks a pass",
        "– none passes",
    ]
    tab.select_option("#reranker", label="tied")
    assert tab.locator("#lost-heading").inner_text() == "Problems that tied loses"
    assert tab.locator("#problem-rows .badge").all_inner_texts() == ["◐ tie, 50 %", "✗ lost", "– none passes"]
    assert tab.locator("#lost-rows .lost-id").all_inner_texts() == ["Made/2", "Made/1"]
    assert tab.locator("figure[data-reranker]:visible").count() == 2


@pytest.mark.parametrize(
    ("control", "value", "left"),
    [
        ("filter-outcome", "lost", ["Made/1"]),
        ("filter-outcome", "won", ["Made/2"]),
        ("filter-outcome", "mixed", ["Made/1", "Made/2"]),
        ("filter-outcome", "none", ["other/3"]),
        ("filter-outcome", "every", []),
        ("filter-outcome", "ungraded", []),
        ("filter-status", "t", ["other/3"]),
        ("filter-status", "e", ["Made/2"]),
        ("order", "fewest", ["other/3", "Made/1", "Made/2"]),
        ("order", "lost", ["Made/1", "Made/2", "other/3"]),
    ],
)
def test_problems_are_filtered_and_sorted(
    show: Callable[..., Any], page: Path, control: str, value: str, left: Sequence[str]
) -> None:
    tab = show(page).tab
    tab.select_option(f"#{control}", value)
    assert rows(tab) == left
    expected = f"{len(left)} of 3 problems shown" if left else "No problem fits these filters."
    assert tab.locator("#problem-count").inner_text() == expected
    tab.click("#clear-filters")
    assert rows(tab) == ["Made/1", "Made/2", "other/3"]


@pytest.mark.parametrize(
    ("words", "where", "left"),
    [
        ("made/", "names", ["Made/1", "Made/2"]),
        ("NEEDLE", "texts", ["Made/2"]),
        ("haystack", "texts", ["Made/2"]),
        ("haystack", "names", []),
        ("while x", "texts", ["other/3"]),
        ("<b>.*", "texts", []),
    ],
)
def test_problems_are_searched(
    show: Callable[..., Any], page: Path, words: str, where: str, left: Sequence[str]
) -> None:
    tab = show(page).tab
    tab.select_option("#search-where", where)
    tab.keyboard.press("/")
    tab.wait_for_selector("#search:focus")
    tab.keyboard.type(words)
    tab.wait_for_function(
        "left => document.querySelectorAll('#problem-rows tr').length === left", arg=len(left)
    )
    assert rows(tab) == left


def test_a_problem_shows_everything_of_its_candidates(show: Callable[..., Any], page: Path) -> None:
    tab = show(page, "Made/1").tab
    assert tab.title() == "Made/1 · made by scripted"
    assert "2 of 4 candidates pass · 2 distinct programs" in tab.locator("#problem-facts").inner_text()
    assert "Return x plus one." in tab.locator("#asked").inner_text()
    assert "add(0) == 1" in tab.locator("#asked").inner_text()
    picks = tab.locator("#pick-rows tr").all_inner_texts()
    assert [HEADINGS.sub(" ", text) for text in picks] == [
        "good 0 ✗ wrong 0.9 1, 0.5, place 3",
        "tied 0 and 1 tied tie: 50 % pass 1 1, 1, place 1",
    ]
    # the pick of the chosen reranker is what one sees first, its equals told with it
    assert tab.locator("#candidate-name").inner_text() == "Candidate 0"
    assert "the same program: 2" in tab.locator("#candidate").inner_text()
    tab.get_by_text("Answer as the model wrote it").click()
    answer = tab.locator("pre[aria-label='Answer of candidate 0']")
    answer.wait_for()
    assert "    return x - 1" in answer.inner_text()
    tab.get_by_text("Scores by every reranker").click()
    scores = tab.locator("#candidate table tbody tr").all_inner_texts()
    assert [HEADINGS.sub(" ", text) for text in scores] == ["good 0.9 1 of 4", "tied 1 1 of 4, 1 tied"]


def test_tokens_tell_their_log_probability(show: Callable[..., Any], page: Path) -> None:
    tab = show(page, "Made/1/1").tab
    tab.get_by_text("Tokens by log-probability").click()
    tokens = tab.locator(".tokens .token")
    tokens.first.wait_for()
    assert tokens.all_text_contents() == ["    ", "retu", "rn x", " + 1\n"]
    steps = [
        each.split("token-")[1] for each in tokens.evaluate_all("all => all.map(each => each.className)")
    ]
    assert steps == ["1", "3", "4", "5"]
    tokens.nth(1).hover()
    assert tab.locator("#candidate .told").inner_text() == (
        'token 2 of 4, "retu": log-probability −0.70, chance 50 %'
    )
    tab.locator(".tokens").focus()
    tab.keyboard.press("ArrowRight")
    assert "token 3 of 4" in tab.locator("#candidate .told").inner_text()
    tab.keyboard.press("ArrowLeft")
    tab.keyboard.press("ArrowLeft")
    assert tab.locator("#candidate .told").inner_text() == (
        'token 1 of 4, "    ": log-probability −0.01, chance 99 %'
    )
    assert tab.locator("#candidate-name").inner_text() == "Candidate 1"


def test_links_lead_to_problems_and_candidates_and_back(show: Callable[..., Any], page: Path) -> None:
    tab = show(page).tab
    tab.locator("#problem-rows a").nth(1).click()
    tab.wait_for_selector("#problem-body:visible")
    assert tab.url.endswith("#Made/2")
    tab.locator("#group-rows a").nth(1).click()
    tab.wait_for_function("() => document.querySelector('#candidate-name').textContent === 'Candidate 1'")
    assert tab.url.endswith("#Made/2/1")
    tab.go_back()
    tab.go_back()
    tab.wait_for_selector("#overview:visible")
    tab.goto(page.as_uri() + "#Made/9/1")
    tab.wait_for_selector("#missing:visible")
    assert "There is no “Made/9/1” on this page." in tab.locator("#missing").inner_text()


@pytest.mark.parametrize(
    "names",
    [["figures", "lost", "top"], ["a", "a/1", "a/1/2"], [":x", "x/0"], ["a b%2F#ü?", "é/𝒳", "../..", "%"]],
)
def test_every_id_has_links_of_its_own(
    names: Sequence[str],
    problem: Callable[..., Problem],
    pool: Callable[..., Pool],
    run_of: Callable[..., RunContents],
    show: Callable[..., Any],
    tmp_path: Path,
) -> None:
    run = run_of([pool(problem(name), ["    return 1\n"] * 3, [PASSED, WRONG, WRONG]) for name in names])
    shown = show(write_page(run, tmp_path / "page.html"))
    links = shown.tab.locator("#problem-rows a").evaluate_all(
        "all => all.map(each => each.getAttribute('href'))"
    )
    for name, link in zip(names, links, strict=True):
        follow(shown.tab, link, name)
        shown.tab.locator("#group-rows a:not([aria-current])").click()
        shown.tab.wait_for_function(
            "() => document.querySelector('#candidate-name').textContent === 'Candidate 1'"
        )
        assert shown.tab.locator("#problem-name").text_content() == name
        shown.open(shown.tab.evaluate("location.hash").removeprefix("#"))
        assert shown.tab.locator("#problem-name").text_content() == name
        assert shown.tab.locator("#candidate-name").inner_text() == "Candidate 1"
    assert shown.said == []


def test_keys_walk_through_problems_and_candidates(show: Callable[..., Any], page: Path) -> None:
    tab = show(page).tab
    tab.keyboard.press("j")
    tab.keyboard.press("j")
    assert tab.evaluate("document.activeElement.textContent") == "Made/2"
    tab.keyboard.press("k")
    tab.keyboard.press("Enter")
    tab.wait_for_selector("#problem-body:visible")
    assert tab.locator("#problem-name").inner_text() == "Made/1"
    assert tab.evaluate("document.activeElement.id") == "problem-name"
    tab.keyboard.press("j")
    tab.wait_for_function("() => document.querySelector('#candidate-name').textContent === 'Candidate 1'")
    assert tab.locator("#live").inner_text() == "Candidate 1, passed"
    tab.keyboard.press("ArrowUp")
    tab.wait_for_function("() => document.querySelector('#candidate-name').textContent === 'Candidate 0'")
    tab.keyboard.press("n")
    tab.wait_for_function("() => document.querySelector('#problem-name').textContent === 'Made/2'")
    tab.keyboard.press("Escape")
    tab.wait_for_selector("#overview:visible")
    assert tab.evaluate("document.activeElement.textContent") == "Made/2"
    tab.keyboard.press("?")
    assert tab.locator("#help").is_visible()
    tab.locator("#keys").uncheck()
    tab.keyboard.press("Escape")
    tab.keyboard.press("?")
    assert not tab.locator("#help").is_visible()


def test_a_letter_typed_into_a_field_is_a_letter(show: Callable[..., Any], page: Path) -> None:
    tab = show(page).tab
    tab.focus("#search")
    tab.keyboard.type("jk?/n")
    assert tab.input_value("#search") == "jk?/n"
    assert not tab.locator("#help").is_visible()


def test_the_map_is_walked_by_keys_and_opened_by_a_click(show: Callable[..., Any], page: Path) -> None:
    tab = show(page).tab
    tab.focus("#heat-map")
    tab.keyboard.press("ArrowDown")
    tab.keyboard.press("ArrowRight")
    assert tab.locator("#heat-told").inner_text() == "Made/2, candidate 1: error"
    tab.keyboard.press("Enter")
    tab.wait_for_selector("#problem-body:visible")
    assert tab.url.endswith("#Made/2/1")
    tab.keyboard.press("Escape")
    tab.wait_for_selector("#overview:visible")
    tab.select_option("#heat-order", "score")
    tab.wait_for_function("() => document.querySelector('#heat-frame').clientHeight > 20")
    tab.locator("#heat-map").click(position={"x": 125, "y": 5})
    tab.wait_for_selector("#problem-body:visible")
    assert tab.url.endswith("#Made/1/0")


def test_the_map_shows_verdicts_in_the_palettes_colours(show: Callable[..., Any], page: Path) -> None:
    tab = show(page).tab
    tab.wait_for_timeout(100)
    colours = tab.evaluate(
        """() => {
          const pen = document.querySelector("#heat-map").getContext("2d");
          const ratio = window.devicePixelRatio;
          const at = (cell) => pen.getImageData((120 + 26 * cell + 2) * ratio, 2 * ratio, 1, 1).data;
          return [0, 1].map((cell) => [...at(cell).slice(0, 3)]);
        }"""
    )
    wanted = tab.evaluate(
        "names => { const style = getComputedStyle(document.documentElement);"
        " return names.map(name => style.getPropertyValue('--' + name).trim()); }",
        ["cell-fail", "cell-pass"],
    )
    assert colours == [[int(colour[at : at + 2], 16) for at in (1, 3, 5)] for colour in wanted]


def test_light_and_dark_follow_the_system_or_the_choice(show: Callable[..., Any], page: Path) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    light, dark = show(page).tab.evaluate(ground), show(page, dark=True).tab.evaluate(ground)
    assert (light, dark) == ("rgb(255, 255, 255)", "rgb(16, 21, 28)")
    shown = show(page)
    shown.tab.select_option("#theme", "dark")
    assert shown.tab.evaluate(ground) == dark
    assert shown.open().tab.evaluate(ground) == dark


@pytest.mark.parametrize("place", ["", "Made/1/2", "other/3"])
@pytest.mark.parametrize("phone", [False, True])
def test_everyone_can_read_it(show: Callable[..., Any], page: Path, place: str, phone: bool) -> None:
    tab = show(page, place, phone=phone).tab
    for summary in tab.locator("summary:visible").all():
        if summary.locator("..").get_attribute("open") is None:
            summary.click()
    tab.wait_for_timeout(50)
    assert tab.evaluate(ACCESSIBILITY) == []


def test_the_check_of_what_everyone_can_read_finds_faults(show: Callable[..., Any], page: Path) -> None:
    tab = show(page).tab
    tab.evaluate(
        """() => {
          const make = (tag) => document.querySelector("#overview").appendChild(document.createElement(tag));
          make("button");
          make("select");
          make("h1").textContent = "another";
          make("h5").textContent = "too deep";
          make("p").id = "live";
          const row = make("table").insertRow();
          row.insertCell().textContent = "no heads";
        }"""
    )
    said = " ".join(tab.evaluate(ACCESSIBILITY))
    for fault in (
        "no name",
        "no label",
        "skips from 1 to 5",
        "exactly one heading",
        "called live",
        "no heads",
        "no head of row",
    ):
        assert fault in said, fault


def test_first_stop_of_the_keyboard_is_the_way_past_the_bar(show: Callable[..., Any], page: Path) -> None:
    tab = show(page).tab
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.id") == "skip"
    assert tab.locator("#skip").is_visible()


def test_prints_without_what_only_a_screen_needs(show: Callable[..., Any], page: Path) -> None:
    tab = show(page, dark=True).tab
    tab.emulate_media(media="print")
    assert not tab.locator("header.bar").is_visible()
    assert not tab.locator("#heat-map").is_visible()
    assert tab.locator(".figures").is_visible()
    assert tab.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"


def test_charts_tell_their_marks(show: Callable[..., Any], page: Path) -> None:
    tab = show(page).tab
    point = tab.locator("figure svg [aria-label^='good: n = 4: ']")
    point.hover()
    assert re.fullmatch(r"good: n = 4: 0\.\d{3} \(0\.\d{3} to \d\.\d{3}\)", tab.locator("#tip").inner_text())
    button = tab.locator(".series-legend button", has_text="good")
    button.click()
    assert not point.is_visible()
    assert button.get_attribute("aria-pressed") == "false"


def test_hostile_texts_are_shown_and_never_run(
    problem: Callable[..., Problem],
    pool: Callable[..., Pool],
    run_of: Callable[..., RunContents],
    show: Callable[..., Any],
    tmp_path: Path,
) -> None:
    pools = []
    for number, text in enumerate(HOSTILE):
        tests = CodeTests(source=text, checks=("assert True", text))
        asked = replace(problem(f"{number} {text}", tests=tests, text=text), entry_point=text)
        statuses, details = [WRONG, PASSED], [f"Error: {text}", ""]
        pools.append(pool(asked, [text, f"{text} passes"], statuses, details=details))
    ids = [each.problem.task_id for each in pools]
    scores = {f"r {text}"[:60]: {name: [1.0, 0.0] for name in ids} for text in HOSTILE[:5]}
    run = run_of(pools, scores)
    run = replace(
        run,
        manifest=replace(run.manifest, model=HOSTILE[0], task=HOSTILE[6]),
        origins={(name, 0): Origin(name, 0, said=name) for name in ids},
    )
    shown = show(write_page(run, tmp_path / "page.html"))
    tab = shown.tab
    assert tab.locator("#lost-rows details.lost").count() == len(HOSTILE)
    links = tab.locator("#problem-rows a").evaluate_all("all => all.map(each => each.getAttribute('href'))")
    opened = ("Answer as the model wrote it", "Tokens by log-probability", "Scores by every reranker")
    for number, (text, link) in enumerate(zip(HOSTILE, links, strict=True)):
        follow(tab, link, numbered(ids[number]))
        for name in opened if number == 0 else ():
            tab.get_by_text(name).click()
        answer = tab.locator("pre[aria-label='Answer of candidate 0']")
        answer.wait_for()
        assert answer.text_content() == numbered(text)
        assert "".join(tab.locator(".tokens .token").all_text_contents()) == numbered(text)
    assert tab.evaluate("window.hurt") is None
    assert (shown.said, shown.asked) == ([], [])
    tab.evaluate("location.hash = '#<img src=x onerror=window.hurt=1>'")
    tab.wait_for_selector("#missing:visible")
    assert tab.evaluate("window.hurt") is None


def test_what_cannot_be_seen_stands_as_its_number(
    problem: Callable[..., Problem],
    pool: Callable[..., Pool],
    run_of: Callable[..., RunContents],
    show: Callable[..., Any],
    tmp_path: Path,
) -> None:
    text = "a\x00b\u202ec\ud800d\u200be\u00a0f\tg \U0001f600\n"
    run = run_of([pool(problem("p"), [text], [WRONG])])
    tab = show(write_page(run, tmp_path / "page.html"), "p/0").tab
    tab.get_by_text("Answer as the model wrote it").click()
    answer = tab.locator("pre[aria-label='Answer of candidate 0']")
    answer.wait_for()
    assert answer.text_content() == ("a<U+0000>b<U+202E>c<U+D800>d<U+200B>e<U+00A0>f\tg \U0001f600\n")


def test_a_text_of_a_million_characters_is_shown_by_its_ends(
    problem: Callable[..., Problem],
    pool: Callable[..., Pool],
    run_of: Callable[..., RunContents],
    show: Callable[..., Any],
    tmp_path: Path,
) -> None:
    text = "    begin\n" + "    x = '" * 120_000 + "\n    end\n"
    run = run_of([pool(problem("p"), [text, "    return 1\n"], [WRONG, PASSED])])
    file = write_page(run, tmp_path / "page.html")
    assert file.stat().st_size < 1_000_000
    shown = show(file, "p/0")
    code = shown.tab.locator("#candidate pre.code").first
    assert "begin" in code.inner_text()
    shown.tab.locator("#candidate button.more").first.click()
    assert "characters left out of this page" in code.inner_text()
    assert code.inner_text().rstrip().endswith("end")
    assert shown.said == []


def test_nothing_can_be_fetched_and_no_other_script_runs(show: Callable[..., Any], page: Path) -> None:
    shown = show(page)
    tab = shown.tab
    refused = "fetch('https://example.org/').then(() => 'came', () => 'refused')"
    assert tab.evaluate(refused) == "refused"
    tab.evaluate(
        """() => {
          const script = document.createElement("script");
          try { script.textContent = "window.hurt = 1"; } catch (error) { window.stopped = error.name; }
          document.body.append(script);
          const image = new Image();
          image.src = "https://example.org/x.png";
        }"""
    )
    tab.wait_for_timeout(100)
    assert tab.evaluate("window.hurt") is None
    assert (
        tab.evaluate("try { document.body.innerHTML = '<b>x</b>'; 'made' } catch (error) { error.name }")
        == "TypeError"
    )
    assert any("Content Security Policy" in line for line in shown.said)


@pytest.mark.parametrize(
    "kind", ["no scores", "no grades", "one candidate", "uneven", "no log-probabilities"]
)
def test_runs_of_every_kind_open(
    kind: str,
    problem: Callable[..., Problem],
    pool: Callable[..., Pool],
    run_of: Callable[..., RunContents],
    show: Callable[..., Any],
    tmp_path: Path,
) -> None:
    statuses = [Status.HARNESS_ERROR] * 3 if kind == "no grades" else [PASSED, WRONG, Status.MEMORY]
    sizes = {"one candidate": [1, 1], "uneven": [3, 1]}.get(kind, [3, 3])
    pools = [
        pool(problem(f"p/{at}"), ["    return 1\n", "", "    x"][:size], statuses[:size])
        for at, size in enumerate(sizes)
    ]
    if kind == "no log-probabilities":
        pools = [
            replace(
                each,
                candidates=tuple(replace(one, logprobs=None, token_ends=None) for one in each.candidates),
            )
            for each in pools
        ]
    scores = {"r": {f"p/{at}": [None] * size for at, size in enumerate(sizes)}}
    run = run_of(pools, {} if kind == "no scores" else scores)
    shown = show(write_page(run, tmp_path / "page.html"))
    assert rows(shown.tab) == ["p/0", "p/1"]
    for at, size in enumerate(sizes):
        shown.open(f"p/{at}/{size - 1}")
        assert shown.tab.locator("#candidate-name").inner_text() == f"Candidate {size - 1}"
    assert (shown.said, shown.asked) == ([], [])


def test_long_names_do_not_widen_a_phone(
    problem: Callable[..., Problem],
    pool: Callable[..., Pool],
    run_of: Callable[..., RunContents],
    show: Callable[..., Any],
    tmp_path: Path,
) -> None:
    name = "a_task_with_a_name_that_no_phone_is_wide_enough_for/" + "x" * 60
    made = pool(
        problem(name, text="word" * 40), ["    return '" + "y" * 300 + "'\n", "    z\n"], [WRONG, PASSED]
    )
    scores = {"executable > codet > mean_logprob_of_a_model_with_a_long_name" * 2: {name: [1.0, 0.0]}}
    run = run_of([made], scores)
    shown = show(write_page(run, tmp_path / "page.html"), phone=True)
    assert shown.too_wide() <= 0
    shown.tab.locator("#problem-rows a").click()
    shown.tab.wait_for_selector("#problem-body:visible")
    for summary in shown.tab.locator("#problem-view summary:visible").all():
        summary.click()
    assert shown.too_wide() <= 0


@pytest.mark.slow
def test_thirty_thousand_candidates_open_in_seconds(
    large_run: Callable[..., RunContents], show: Callable[..., Any], tmp_path: Path
) -> None:
    file = write_page(large_run(164, 200), tmp_path / "page.html")
    assert file.stat().st_size < 16_000_000
    shown = show(file)
    # two seconds is the aim, on a machine that does nothing else
    assert int(shown.tab.get_attribute("html", "data-milliseconds")) < 10_000
    assert len(rows(shown.tab)) == 164
    shown.tab.fill("#search", "member of x")
    shown.tab.wait_for_function("() => document.querySelector('#search-state').textContent === ''")
    assert len(rows(shown.tab)) == 164
    shown.open("Made/163/199")
    assert shown.tab.locator("#candidate-name").inner_text() == "Candidate 199"
    assert shown.said == []
