"""A page in a browser shows hostile and odd texts and runs none of them."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from codesample.evaluation.run_contents import RunContents
from codesample.evaluation.scoring import Pool
from codesample.records import CodeTests, Origin, Problem, Status
from codesample.reports.html import write_page

PASSED, WRONG = Status.PASSED, Status.WRONG

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


def numbered(text: str) -> str:
    """What a reader sees: for what has no look of its own, its number."""
    return "".join(
        f"<U+{ord(char):04X}>" if char not in " \t\n" and unicodedata.category(char)[0] in "CZ" else char
        for char in text
    )


def test_hostile_texts_are_shown_and_never_run(
    problem: Callable[..., Problem],
    pool: Callable[..., Pool],
    run_of: Callable[..., RunContents],
    show: Callable[..., Any],
    tmp_path: Path,
) -> None:
    pools = []
    for number, text in enumerate(HOSTILE):
        # shown, never run
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
        shown.follow(link, numbered(ids[number]))
        for name in opened if number == 0 else ():
            shown.open_part(tab.get_by_text(name))
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
