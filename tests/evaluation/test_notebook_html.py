"""Results in a notebook: plain tables, safe whatever they hold, and one line where a line is asked for."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codesample.evaluation.best_of_n import BestOfN, best_of_n
from codesample.evaluation.intervals import Estimate
from codesample.evaluation.report import Report, Seconds, Selection
from codesample.evaluation.run_contents import read_run
from codesample.evaluation.run_table import RunTable, TableRow
from codesample.records import Candidate, SamplingParams

HALF = Estimate(0.5, 0.25, 0.75)
REPORT = Report(
    task="mini",
    model="<b>tiny</b>",
    problems=4,
    n=6,
    n_max=8,
    samples=24,
    pass_at_k={1: HALF},
    parts={"base": {1: HALF}, "plus": {1: HALF}},
    rerankers={"a > b": Selection(HALF, Estimate(0.5, 0.1, 0.9)), "none": Selection(HALF, None)},
    random=HALF,
    oracle=Estimate(1.0, 1.0, 1.0),
    seconds=Seconds(1.0, 1.0, 1.0),
    tokens=1,
    tokens_per_second=None,
    statuses={"passed": 20, "wrong": 4},
    isolation="confined",
    notices=("<script>alert(1)</script>",),
    run=Path("runs/x"),
)
BEST = Candidate("prompt", 1, "    return x < 1\n", (1, 2), program="def f(x):\n    return x < 1\n")
CHOSEN = BestOfN(
    best=BEST,
    why="highest by near",
    decided_by="near",
    tied=(),
    examples_held=(True, False),
    candidates=(Candidate("prompt", 0, "x"), BEST),
    scores={"near": (None, 0.25)},
    tokens=3,
    not_drawn=0,
    tokens_saved=0,
    notes=("a note",),
)


class Page(HTMLParser):
    """The elements of some HTML, and its text; every element has to be closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.opened: list[str] = []
        self.elements: set[str] = set()
        self.text = ""
        self.feed(html)
        self.close()
        assert not self.opened

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.opened.append(tag)
        self.elements.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.opened.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


PLAIN = {"div", "strong", "table", "thead", "tbody", "tr", "th", "td", "pre", "code"}


def test_a_report_is_a_table_of_its_figures() -> None:
    page = Page(REPORT._repr_html_())
    assert page.elements <= PLAIN
    for part in (
        "mini, <b>tiny</b>: 4 problems × 6 to 8",
        "pass@1 on base",
        "pass@1 on base + plus",
        "0.250 – 0.750",
        "by a > b",
        "50 %",
        "no gap",
        "<script>alert(1)</script>",
        "verdicts: 20 passed, 4 wrong",
        "runs/x",
    ):
        assert part in page.text
    assert "\n" not in repr(REPORT)
    assert repr(REPORT).startswith("Report(mini, <b>tiny</b>, 4 problems x 6: pass@1 0.500")


def test_a_table_of_runs_is_a_line_for_each() -> None:
    rows = (
        TableRow("mini", "tiny", 0.8, Path("t/a"), REPORT),
        TableRow("mini", "big", 0.8, Path("t/b"), error="<no memory>"),
    )
    table = RunTable(Path("t"), rows)
    page = Page(table._repr_html_())
    assert page.elements <= PLAIN
    assert "failed: <no memory>" in page.text
    assert "by a > b" in page.text
    assert repr(table) == "RunTable('t', 2 runs, 1 failed)"


def test_a_choice_shows_the_winners_program_and_why_it_won() -> None:
    page = Page(CHOSEN._repr_html_())
    assert page.elements <= PLAIN
    for part in (
        "candidate 1 of 2: highest by near",
        "return x < 1",
        "not all of",
        "note: a note",
        "0.25",
        "–",
    ):
        assert part in page.text
    assert repr(CHOSEN) == f"BestOfN(candidate 1 of 2 by near: {BEST!r})"


@given(st.text(st.characters(codec=None), max_size=30))
def test_nothing_of_any_text_becomes_markup_or_steers_what_is_shown(text: str) -> None:
    odd = replace(CHOSEN, best=replace(BEST, program=text), why=text, notes=(text,))
    for html in (odd._repr_html_(), replace(REPORT, task=text, notices=(text,))._repr_html_()):
        page = Page(html)
        assert page.elements <= PLAIN
        assert all(char == "\n" or char == "\t" or char.isprintable() for char in html)


def test_long_programs_are_cut() -> None:
    assert len(replace(CHOSEN, best=replace(BEST, program="x" * 10**6))._repr_html_()) < 30_000


def test_runs_and_their_parts_print_in_a_line(judged_run: Path) -> None:
    contents = read_run(judged_run)
    assert (
        repr(contents)
        == f"RunContents({str(judged_run)!r}: mine by a model, 3 problems, 12 candidates, 2 rerankers)"
    )
    assert repr(contents.pools[0]) == "Pool('mine/1', 4 candidates, 2 passed)"
    assert repr(contents.chosen) == "ProblemSet('mine', 3 problems)"
    from codesample.runs import RunFolder

    with RunFolder.open(judged_run) as run:
        assert repr(run) == f"RunFolder({str(judged_run)!r}: mine by a model, n = 4)"
    with RunFolder.open(judged_run, write=True) as run:
        assert repr(run).endswith("n = 4, open for writing)")


def test_a_sampler_and_what_it_chose_print_in_a_line() -> None:
    pytest.importorskip("torch")
    from codesample.sampling.sampler import Sampler

    sampler = Sampler("tiny", device="cpu")
    assert repr(sampler) == "Sampler('tiny': LlamaForCausalLM, float32 on cpu)"
    chosen = best_of_n(sampler, "def add(a, b):\n", n=2, params=SamplingParams(max_new_tokens=4))
    assert "\n" not in repr(chosen)
    assert "<pre" in chosen._repr_html_()
