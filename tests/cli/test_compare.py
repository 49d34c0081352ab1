"""`codesample compare` and `rerank --compare`, as a user calls them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from warm_commands import call

SANDBOX = ["--workers", "1", "--allow-weak-isolation", "none"]
PROBLEMS = [
    {
        "task_id": f"mine/{addend}",
        "prompt": f'def add(x):\n    """Return x + {addend}.\n\n    >>> add(0)\n    {addend}\n    """\n',
        "entry_point": "add",
        "test": f"assert add(1) == {addend + 1}\n",
    }
    for addend in (1, 2, 3)
]
RERANKERS = """
from codesample import reranker

@reranker("longest", per_candidate=True)
def longest(view, candidate, ctx):
    return float(len(candidate.completion))

@reranker("agree")
def agree(view, candidates, ctx):
    texts = [each.completion for each in candidates]
    return [float(texts.count(each)) for each in texts]
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make two runs: in "one" adding 1 is the answer to all, in "all" each has it once and 7 twice."""
    place = tmp_path_factory.mktemp("runs")
    (place / "mine.jsonl").write_text("".join(json.dumps(each) + "\n" for each in PROBLEMS))
    (place / "own.py").write_text(RERANKERS)
    given = {"one": lambda addend: (1, 1, 1), "all": lambda addend: (7, 7, addend)}
    for name, answers in given.items():
        rows = [
            {"task_id": f"mine/{addend}", "completion": f"    return x + {answer}\n"}
            for addend in (1, 2, 3)
            for answer in answers(addend)
        ]
        (place / f"{name}.jsonl").write_text("".join(json.dumps(each) + "\n" for each in rows))
        words = (
            "execute",
            f"{name}.jsonl",
            "--task-file",
            "mine.jsonl",
            "--out",
            name,
            *SANDBOX,
            "--k",
            "1,3",
        )
        done = call(*words, cwd=place)
        assert done.returncode == 0, done.stderr
    return place


def test_two_runs_are_paired_by_problem(place: Path) -> None:
    done = call("compare", "one", "all", "--json", cwd=place)
    assert done.returncode == 0, done.stderr
    content = json.loads(done.stdout)
    figures = {each["name"]: each for each in content["figures"]}
    assert list(figures) == ["pass@1", "pass@3", "oracle"]
    assert figures["pass@1"]["first"]["value"] == pytest.approx(1 / 3)
    assert figures["pass@1"]["second"]["value"] == pytest.approx(1 / 3)
    assert figures["oracle"]["paired"]["won"] == 2
    assert figures["pass@1"]["changes"][0] == {
        "task_id": "mine/1",
        "first": 1.0,
        "second": pytest.approx(1 / 3),
    }
    assert {each["name"] for each in content["settings"]} >= {"model"}

    text = call("compare", "one", "all", "--show", "1", cwd=place).stdout
    assert "lost        pass@1: mine/1 (1.00 to 0.33)" in text
    assert "won         pass@1: mine/2 (0.00 to 0.33), and 1 more" in text


def test_two_rerankers_are_scored_where_they_are_not_and_compared(place: Path) -> None:
    words = ("rerank", "all", "--compare", "own.py:agree", "own.py:longest", *SANDBOX)
    done = call(*words, "--json", cwd=place)
    assert done.returncode == 0, done.stderr
    content = json.loads(done.stdout)
    assert (content["first"], content["second"], content["kind"]) == ("agree", "longest", "rerankers")
    (figure,) = content["figures"]
    assert (figure["first"]["value"], figure["second"]["value"]) == (0.0, pytest.approx(1 / 3))

    again = call("compare", "all", "--rerankers", "random", "agree", cwd=place)
    assert (again.returncode, again.stderr) == (0, "")
    assert "two rerankers of all, paired by problem: 3 problems" in again.stdout
    assert "lost        best of n: mine/1 (0.33 to 0.00)" in again.stdout
    # what is scored is not scored again
    assert call("rerank", "all", "--compare", "agree", "longest", cwd=place).stderr == ""


def test_curves_of_those_that_compare_candidates_are_made_when_asked_for(place: Path) -> None:
    def curve(*words: str) -> dict[str, object]:
        done = call("rerank", "all", "-r", "own.py:agree", *words, *SANDBOX, "--json", cwd=place)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)["rerankers"]["agree"]

    before = curve()
    assert list(before["curve"]) == ["1", "3"]
    assert "--curves" in before["curve_note"]
    after = curve("--curves")
    # of two, each of three pairs: 7 and 7 lose, 7 and the answer tie
    assert after["curve"]["2"]["value"] == pytest.approx((0 + 1 / 2 + 1 / 2) / 3)
    # kept beside the scores
    shown = json.loads(call("rerank", "all", "-r", "own.py:longest", *SANDBOX, "--json", cwd=place).stdout)
    assert shown["rerankers"]["agree"]["curve"] == after["curve"]


def test_costs_and_greedy_are_shown_when_asked_for(place: Path) -> None:
    call("rerank", "all", "-r", "own.py:longest", *SANDBOX, cwd=place)
    assert "tokens drawn" in call("report", "all", "--costs", cwd=place).stdout
    refused = call("report", "all", "--greedy", "one", cwd=place)
    assert refused.returncode == 2
    assert "one: holds recorded samples, several of a problem" in refused.stderr


def test_several_runs_are_set_beside_the_first(place: Path) -> None:
    done = call("execute", "all.jsonl", "--task-file", "mine.jsonl", "--out", "more", *SANDBOX, cwd=place)
    assert done.returncode == 0, done.stderr
    text = call("compare", "one", "all", "more", cwd=place).stdout
    assert "3 runs, each paired with the first by problem: 3 problems" in text
    assert "p is of each pair by itself; 2 were looked at" in text
    assert [line.split()[0] for line in text.splitlines() if " 1/" in line or " 2/" in line] == [
        *("all", "more") * 2
    ]
    content = json.loads(call("compare", "one", "all", "more", "--json", cwd=place).stdout)
    assert [each["second"] for each in content["comparisons"]] == ["all", "more"]
    assert [each["run"] for each in content["costs"]] == ["one", "all", "more"]


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("compare", "one"), "expected RUN_A and RUN_B, or one run and --rerankers A B"),
        (("compare", "one", "all", "--rerankers", "a", "b"), "of two runs every reranker that both have"),
        (("compare", "one", "--rerankers", "a", "b", "--k", "1"), "only best-of-n is compared"),
        (("compare", "one", "--rerankers", "random", "b"), "has no scores by 'b'; it has:"),
        (("compare", "one", "--rerankers", "random", "random"), "both are 'random'; name two"),
        (("compare", "one", "./one"), "one and one are one run; name two, or two rerankers of it"),
        (("compare", "one", "nowhere"), "nowhere"),
        (("compare", "one", "all", "./all"), "all and all are one run; name each once"),
        (("compare", "one", "all", "nowhere"), "nowhere"),
        (("compare", "one", "--rerankers", "oracle", "oracle"), "both are 'oracle'; name two"),
        (("compare", "one", "all", "--k", "9"), "k = 9 with n = 3"),
    ],
)
def test_what_cannot_be_compared_is_refused_in_a_line(
    place: Path, words: tuple[str, ...], complaint: str
) -> None:
    done = call(*words, cwd=place)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert complaint in line


OTHER = """
from codesample import reranker

@reranker
def longest(view, candidates, ctx):
    return [-float("+ 7" in each.completion) for each in candidates]
"""


def test_what_is_compared_is_scored_by_the_code_that_was_named(place: Path) -> None:
    def compared(*names: str) -> tuple[float, float]:
        done = call("rerank", "all", "--compare", *names, *SANDBOX, "--json", cwd=place)
        assert done.returncode == 0, done.stderr
        (figure,) = json.loads(done.stdout)["figures"]
        return figure["first"]["value"], figure["second"]["value"]

    edited = place / "edited.py"
    edited.write_text(OTHER.replace("def longest", "def lengthy").replace("-float", "float"))
    before = compared("edited.py:lengthy", "random")
    edited.write_text(OTHER.replace("def longest", "def lengthy"))
    after = compared("edited.py:lengthy", "random")
    assert (before, after) == ((0.0, pytest.approx(1 / 3)), (1.0, pytest.approx(1 / 3)))
    # unchanged, they are scored no second time
    again = call("rerank", "all", "--compare", "edited.py:lengthy", "random", *SANDBOX, cwd=place)
    assert (again.returncode, again.stderr) == (0, "")


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("--compare", "own.py:longest", "other.py:longest"), "both are 'longest'"),
        (("-r", "own.py:longest", "--compare", "other.py:longest", "random"), "two rerankers are called"),
        (("--compare", "named.py:mean_logprob", "random"), "is called as the installed one"),
        (("--compare", "own.py:longest", "random", "--curves"), "--curves: with --compare only best-of-n"),
        (("--compare", "own.py:longest", "random", "--k", "1"), "--k 1: with --compare only best-of-n"),
    ],
)
def test_what_cannot_be_compared_is_refused_before_anything_is_scored(
    words: tuple[str, ...], complaint: str, place: Path
) -> None:
    (place / "other.py").write_text(OTHER)
    (place / "named.py").write_text(OTHER.replace("def longest", "def mean_logprob"))
    before = {path: path.read_bytes() for path in (place / "all").rglob("*.json*")}
    done = call("rerank", "all", *words, *SANDBOX, cwd=place)
    assert (done.returncode, done.stdout) == (2, "")
    assert complaint in done.stderr
    assert {path: path.read_bytes() for path in (place / "all").rglob("*.json*")} == before
