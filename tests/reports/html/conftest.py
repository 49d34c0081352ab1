"""Made runs for pages, and a browser that shows them; without Chromium, its tests are skipped."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from codesample.evaluation.problem_set import ProblemSet
from codesample.evaluation.run_contents import RunContents
from codesample.evaluation.scoring import Pool
from codesample.records import (
    CallExample,
    Candidate,
    CodeTests,
    FinishReason,
    Problem,
    SamplingParams,
    Status,
    Tests,
    Verdict,
)
from codesample.reports.html import write_page
from codesample.runs import Manifest
from codesample.tasks.contract import Task

MADE = Path("runs") / "made"


def make_problem(task_id: str, *, tests: Tests | None = None, text: str = "Return x plus one.") -> Problem:
    prompt = f'def add(x):\n    """{text}"""\n'
    return Problem(
        task_id,
        prompt,
        tests or CodeTests(source="", checks=("assert add(1) == 2", "assert add(-1) == 0")),
        description=prompt,
        entry_point="add",
        examples=(CallExample("add(0)", "1"),),
    )


def make_candidate(
    task_id: str, index: int, text: str, *, logprobs: Sequence[float] | None = None
) -> Candidate:
    """A candidate whose tokens are four characters each, where it has log-probabilities."""
    ends = None if logprobs is None else tuple(min(len(text), 4 * (at + 1)) for at in range(len(logprobs)))
    if ends:
        ends = (*ends[:-1], len(text))
    return Candidate(
        task_id,
        index,
        text,
        token_ids=None if logprobs is None else tuple(range(len(logprobs))),
        logprobs=None if logprobs is None else tuple(logprobs),
        token_ends=ends,
        finish_reason=FinishReason.EOS,
        program=f"def add(x):\n{text}",
        rule="continuation",
    )


def make_pool(
    problem: Problem, texts: Sequence[str], statuses: Sequence[Status], *, details: Sequence[str] = ()
) -> Pool:
    """A pool of texts with verdicts; a failing one fails the second of two checks."""
    verdicts = [
        Verdict(
            problem.task_id,
            index,
            status,
            cpu_seconds=0.01,
            peak_memory=12_000_000,
            detail=details[index] if details else "" if status is Status.PASSED else "AssertionError: ",
            checks=() if status is Status.HARNESS_ERROR else (True, status is Status.PASSED),
        )
        for index, status in enumerate(statuses)
    ]
    candidates = [
        make_candidate(problem.task_id, index, text, logprobs=[-0.01, -0.7, -2.0, -5.0][: 1 + len(text) // 4])
        for index, text in enumerate(texts)
    ]
    return Pool(problem, tuple(candidates), tuple(verdicts))


def make_run(
    pools: Sequence[Pool], scores: dict[str, dict[str, list[float | None]]] | None = None
) -> RunContents:
    """A run of pools with scores by reranker and problem, without a folder and without a report."""
    problems = tuple(pool.problem for pool in pools)
    task = Task("made", "1", "made for tests", (), 16, lambda: list(problems))
    n = max(len(pool.candidates) for pool in pools)
    return RunContents(
        path=MADE,
        manifest=Manifest("made", "1", "0" * 64, "scripted", SamplingParams(), n),
        chosen=ProblemSet(task, problems),
        pools=list(pools),
        scores=scores or {},
        report=None,
        origins={},
    )


def make_large_run(problems: int, n: int, *, tokens: int = 120, seed: int = 0) -> RunContents:
    """A run of many candidates that differ, each with log-probabilities, scored by three rerankers."""
    rng = random.Random(seed)
    names = [f"value_{number}" for number in range(40)]
    pools, scores = [], {name: {} for name in ("chance", "mean_logprob", "good")}
    for number in range(problems):
        problem = make_problem(f"Made/{number}", text=f"Add {number} to every member of x that is even.")
        ease = rng.betavariate(0.5, 0.7)
        texts, statuses, logprobs = [], [], []
        for _ in range(n):
            lines = [
                f"    {rng.choice(names)} = x + {rng.randrange(900)}" for _ in range(rng.randrange(6, 20))
            ]
            texts.append("\n".join([*lines, f"    return {rng.choice(names)}\n"]))
            fault = rng.choice((Status.WRONG, Status.WRONG, Status.ERROR, Status.CPU_TIMEOUT))
            statuses.append(Status.PASSED if rng.random() < ease else fault)
            logprobs.append([-(rng.random() ** 6) * 4 for _ in range(tokens)])
        details = [f"line 3, in add\nNameError: name '{rng.choice(names)}' is not defined" for _ in texts]
        pool = make_pool(problem, texts, statuses, details=details)
        candidates = [
            make_candidate(problem.task_id, index, text, logprobs=row)
            for index, (text, row) in enumerate(zip(texts, logprobs, strict=True))
        ]
        pools.append(Pool(problem, tuple(candidates), pool.verdicts))
        scores["chance"][problem.task_id] = [rng.random() for _ in range(n)]
        scores["mean_logprob"][problem.task_id] = [sum(row) / len(row) for row in logprobs]
        scores["good"][problem.task_id] = [
            float(rng.random() < (0.7 if status is Status.PASSED else 0.2)) for status in statuses
        ]
    return make_run(pools, scores)


@pytest.fixture(scope="session")
def problem() -> Callable[..., Problem]:
    return make_problem


@pytest.fixture(scope="session")
def pool() -> Callable[..., Pool]:
    return make_pool


@pytest.fixture(scope="session")
def run_of() -> Callable[..., RunContents]:
    return make_run


@pytest.fixture(scope="session")
def large_run() -> Callable[..., RunContents]:
    return make_large_run


@pytest.fixture(scope="session")
def small(
    problem: Callable[..., Problem], pool: Callable[..., Pool], run_of: Callable[..., RunContents]
) -> RunContents:
    """Three problems: good loses the first and wins the second; nothing passes in the third."""
    one, two, three = problem("Made/1"), problem("Made/2", text="Say needle."), problem("other/3")
    right, wrong = "    return x + 1\n", "    return x - 1\n"
    pools = [
        pool(one, [wrong, right, wrong, right], [Status.WRONG, Status.PASSED, Status.WRONG, Status.PASSED]),
        pool(
            two,
            [right, "    return haystack\n"],
            [Status.PASSED, Status.ERROR],
            details=["", "NameError: haystack"],
        ),
        pool(three, [wrong, "    while x: pass\n"], [Status.WRONG, Status.CPU_TIMEOUT]),
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


@pytest.fixture(scope="session")
def page(small: RunContents, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_page(small, tmp_path_factory.mktemp("page") / "page.html")


# while it is open its event loop runs in this thread, and nobody else can run one: not beyond a module
@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Chromium without a window and without a network."""
    found = next(filter(None, map(shutil.which, ("chromium", "google-chrome", "chromium-browser"))), None)
    if found is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    library = pytest.importorskip(
        "playwright.sync_api", reason="needs playwright: pip install 'codesample[dev]'"
    )
    quiet = ("component-update", "background-networking", "sync", "quic", "gpu")
    with library.sync_playwright() as running:
        launched = running.chromium.launch(
            executable_path=found,
            args=["--no-sandbox", "--no-first-run", *(f"--disable-{each}" for each in quiet)],
        )
        yield launched
        launched.close()


class Shown:
    """A page in a browser, with everything that it said and asked for.

    Attributes:
        tab: The browser's page.
        said: Messages of its console, errors and violations of its policy.
        asked: Addresses that it wanted from anywhere else than its own file.
    """

    def __init__(self, browser: Any, file: Path, *, phone: bool = False, dark: bool = False) -> None:
        size = {"width": 360, "height": 780} if phone else {"width": 1280, "height": 900}
        self.context = browser.new_context(
            viewport=size, color_scheme="dark" if dark else "light", has_touch=phone, offline=True
        )
        self.tab = self.context.new_page()
        self.tab.set_default_timeout(60_000)
        self.said: list[str] = []
        self.asked: list[str] = []
        self.file = file
        self.tab.on("console", lambda message: self.said.append(message.text))
        self.tab.on("pageerror", lambda error: self.said.append(str(error)))
        self.tab.on(
            "dialog", lambda dialog: (self.said.append(f"dialog: {dialog.message}"), dialog.dismiss())
        )
        self.tab.on("request", lambda request: self._asked(request.url))

    def _refuse(self, dialog: Any) -> None:
        self.said.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _asked(self, url: str) -> None:
        if not url.startswith((self.file.as_uri(), "data:,", "about:blank")):
            self.asked.append(url)

    def open(self, place: str = "") -> Shown:
        """Go to a place of the page and wait until it answers."""
        self.tab.goto("about:blank")
        self.tab.goto(self.file.as_uri() + (f"#{place}" if place else ""))
        self.tab.wait_for_selector("html[data-ready=yes]")
        return self

    def follow(self, link: str, name: str) -> None:
        """Follow a link of the page to a problem."""
        self.tab.evaluate("link => { location.hash = link; }", link)
        self.tab.wait_for_function(
            """name => document.querySelector("#problem-name").textContent === name
                   && document.querySelector("#problem-body").checkVisibility()""",
            arg=name,
        )

    def open_part(self, summary: Any) -> None:
        """Open a part of the page by its summary, and wait: the page is told of it later."""
        summary.click()
        self.filled()

    def filled(self) -> None:
        """Wait until every open part that is made when it is opened has been made."""
        self.tab.wait_for_function(
            "() => [...document.querySelectorAll('details[open]')].every(each => each.children.length > 1)"
        )

    def too_wide(self) -> int:
        """How many pixels the page is wider than its window."""
        return int(self.tab.evaluate("document.documentElement.scrollWidth - window.innerWidth"))


@pytest.fixture
def show(browser: Any) -> Iterator[Callable[..., Shown]]:
    shown: list[Shown] = []

    def opened(file: Path, place: str = "", **how: bool) -> Shown:
        shown.append(Shown(browser, file, **how))
        return shown[-1].open(place)

    yield opened
    for each in shown:
        each.context.close()
