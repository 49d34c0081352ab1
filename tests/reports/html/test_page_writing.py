"""Writing a page: where it goes, what it replaces, and what it says without a browser."""

from __future__ import annotations

import base64
import hashlib
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from codesample.errors import ParameterError
from codesample.evaluation.run_contents import RunContents
from codesample.evaluation.scoring import Pool
from codesample.records import Problem, Status
from codesample.reports.html import page_of, write_page
from codesample.reports.html.drawing import ENDS_ONLY, series_of
from codesample.reports.html.figure_charts import cost_chart

NOW = datetime(2030, 1, 2, 3, 4, tzinfo=UTC)


@pytest.fixture(scope="module")
def run(
    problem: Callable[..., Problem], pool: Callable[..., Pool], run_of: Callable[..., RunContents]
) -> RunContents:
    made = pool(problem("p"), ["    return x + 1\n", "    return x\n"], [Status.PASSED, Status.WRONG])
    return run_of([made], {"good": {"p": [1.0, 0.0]}})


def test_the_same_run_gives_the_same_page(run: RunContents) -> None:
    assert page_of(run, now=NOW) == page_of(run, now=NOW)


def test_the_policy_names_the_only_script_and_style(run: RunContents) -> None:
    page = page_of(run, now=NOW)
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)[1].replace("&#39;", "'")
    (style,) = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    (script,) = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    for kind, text in (("script", script), ("style", style)):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy


def test_nothing_in_a_page_leads_elsewhere(run: RunContents) -> None:
    page = page_of(run, now=NOW)
    found = re.findall(r"""(?:src|href|action|data)\s*=\s*["']([^"'#][^"']*)""", page)
    assert found == ["data:,"]
    assert set(re.findall(r"https?://[^\"'\s<)]+", page)) <= {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",
    }


def test_figures_and_charts_need_no_script(run: RunContents) -> None:
    page = page_of(run, now=NOW)
    assert page.count("<svg xmlns=") == 5
    assert "2030-01-02 03:04 UTC" in page
    assert "1 problem × 2 candidates" in page
    assert "NaN" not in page


def test_a_page_replaces_a_page_and_nothing_else(run: RunContents, tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    assert write_page(run, file) == file
    first = file.read_bytes()
    assert write_page(run, file) == file
    assert len(file.read_bytes()) == len(first)
    file.write_text("<!doctype html><p>mine")
    with pytest.raises(ParameterError, match="is there and is no page of codesample; choose another file"):
        write_page(run, file)
    assert file.read_text() == "<!doctype html><p>mine"
    assert [each.name for each in tmp_path.iterdir()] == ["page.html"]


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        (".", "cannot be written: Is a directory"),
        ("none/page.html", "there is no folder .*none; make it first"),
    ],
)
def test_a_place_that_takes_no_page_is_refused_before_it_is_made(
    run: RunContents, tmp_path: Path, name: str, complaint: str
) -> None:
    unread = replace(run, pools=[])
    with pytest.raises(ParameterError, match=complaint):
        write_page(unread, tmp_path / name)


@pytest.mark.parametrize("library", ["jinja2", "vl_convert"])
def test_a_missing_library_is_named_with_the_extra(
    run: RunContents, tmp_path: Path, library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ParameterError, match=rf"{library}.*pip install 'codesample\[html\]'"):
        write_page(run, tmp_path / "page.html")
    assert not list(tmp_path.iterdir())


def test_tokens_of_candidates_beyond_the_room_are_left_out_but_not_those_of_picks(
    problem: Callable[..., Problem], pool: Callable[..., Pool]
) -> None:
    from codesample.reports.html.problem_parts import fitting, problem_part

    texts = ["    a\n", "    bb\n", "    ccc\n", "    a\n"]
    made = pool(problem("p"), texts, [Status.PASSED] * 4)
    sizes = [len(each.logprobs) for each in made.candidates]
    assert fitting(made, sum(sizes), ()) == {0, 1, 2, 3}
    # the last one equals the first, and takes no room of its own
    assert fitting(made, sizes[2] + sizes[0], (2,)) == {0, 2, 3}
    assert fitting(made, 0, (2,)) == set()
    part = problem_part(made, "ask", {}, with_tokens={0, 3})
    assert [row["tokens"] for row in part["candidates"]] == [0, None, None, 0]
    assert part["tokens"] == [((4, 2), (1, 70))]
    assert part["texts"][part["candidates"][3]["answer"]] == "    a\n"


def test_one_look_is_one_reranker_in_every_chart_and_only_ends_are_dotted() -> None:
    looks = series_of([f"r{number}" for number in range(24)])
    assert len({(each.colour, each.shape) for each in looks}) == len(looks)
    assert all(not each.dash or min(each.dash[::2]) > ENDS_ONLY[0] for each in looks)
    chart = cost_chart({"r3": (2.0, 0.5)}, [looks[3]])
    assert looks[3].colour in chart
    assert looks[0].colour not in chart
