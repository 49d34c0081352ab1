"""`codesample rerankers` as a user calls it: check, fit and list."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from warm_commands import call

SANDBOX = ["--workers", "1", "--allow-weak-isolation", "none"]
README = (Path(__file__).parents[2] / "rerankers" / "README.md").read_text(encoding="utf-8")
LEAKING = '''
from codesample import reranker

@reranker
def first(view, candidates, ctx):
    """Prefer what stands first."""
    return [-at for at, _ in enumerate(candidates)]
'''
SILENT = """
from codesample import reranker

@reranker
def silent(view, candidates, ctx):
    return [None if each.index % 2 else 1.0 for each in candidates]
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved run of mini, scored by some methods; eight samples of each of thirty problems."""
    folder = tmp_path_factory.mktemp("rerankers")
    lines = []
    for at in range(30):
        for index in range(6):
            # one in three is right: the reference is found by its problem
            lines.append(
                {"task_id": f"mini/{at}", "completion": _body(at, right=index % 3 == at % 3, salt=index)}
            )
    (folder / "samples.jsonl").write_text("".join(json.dumps(each) + "\n" for each in lines))
    words = (
        "execute",
        "samples.jsonl",
        "--task",
        "mini",
        "--limit",
        30,
        "--out",
        "run",
        "-r",
        "public_examples",
    )
    done = call(*words, *SANDBOX, cwd=folder)
    assert done.returncode == 0, done.stderr
    (folder / "my_idea.py").write_text(re.findall(r"```python\n(.*?)```", README, re.DOTALL)[0])
    (folder / "leaking.py").write_text(LEAKING)
    return folder


def _body(at: int, *, right: bool, salt: int) -> str:
    from codesample.tasks.registry import load_task

    reference = load_task("mini").problems()[at].reference or ""
    return (f"    # {'so' * salt}\n" if salt else "") + (reference if right else "    return 'wrong'\n")


def test_a_reranker_of_the_readme_is_tried_and_compared_on_a_saved_run(folder: Path) -> None:
    ranked = call("rerank", "run", "-r", "my_idea.py:shortest", "--json", *SANDBOX, cwd=folder)
    assert {"public_examples", "shortest"} <= json.loads(ranked.stdout)["rerankers"].keys()
    done = call("rerankers", "check", "my_idea.py:shortest", "--run", "run", cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "shortest: conforms"
    marks = {line.split()[1]: line.split()[0] for line in lines[1:-1]}
    assert marks.pop("independent") == "-"
    assert set(marks.values()) == {"pass"}
    assert {"blind", "order", "duplicates", "alone", "elsewhere"} <= marks.keys()
    assert re.search(r"[\d.]+ ms per problem, .* 8 problems of run$", lines[-1])


def test_a_faulty_one_is_named_beside_a_sound_one_and_the_command_fails(folder: Path) -> None:
    done = call("rerankers", "check", "public_examples", "leaking.py:first", "--json", *SANDBOX, cwd=folder)
    assert done.returncode == 1, done.stderr
    sound, faulty = json.loads(done.stdout)
    assert (sound["reranker"], sound["conforms"]) == ("public_examples", True)
    assert (faulty["reranker"], faulty["conforms"]) == ("first", False)
    assert "with the pool reversed" in {each["name"]: each["broken"] for each in faulty["tried"]}["order"]
    assert sorted(path.name for path in folder.iterdir() if path.name.startswith("runs")) == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("check", "nothing_such"), "unknown reranker 'nothing_such'"),
        (("check", "mean_logprob", "--run", "run"), "needs 'logprobs'"),
        (("check", "public_examples", "--run", "absent"), "absent"),
        (("check", "reviewer", "--model", "nothing:x"), "unknown engine 'nothing'"),
        (("fit", "run", "--out", "mine.txt"), "expected a file called .json, by which -r knows it"),
        (("fit", "run", "--out", "x.json", "-f", "mean_logprob"), "is not scored by mean_logprob"),
        (("fit", "run", "--out", "x.json", "--learner", "forest"), "expected one of logistic, stumps"),
        (("fit", "run", "--out", "x.json", "-f", " , "), "--features names no reranker"),
        (("fit", "run", "--out", "x.json", "-f", "leaking.py:first"), "rerank run -r leaking.py:first"),
        (("fit", "run", "--out", "x.json", "--folds", 30), "expected at least 60 for 30 folds"),
    ],
)
def test_what_cannot_be_done_is_refused_in_one_line(
    words: tuple[object, ...], said: str, folder: Path
) -> None:
    done = call("rerankers", *words, cwd=folder)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert said in line
    assert not (folder / "x.json").exists()


def test_what_is_learnt_is_taken_as_a_reranker_and_says_where_it_was_learnt(folder: Path) -> None:
    (folder / "silent.py").write_text(SILENT)
    call("rerank", "run", "-r", "my_idea.py:shortest", "-r", "silent.py:silent", *SANDBOX, cwd=folder)
    words = ("fit", "run", "--out", "mine.json", "--features", "public_examples,my_idea.py:shortest")
    done = call("rerankers", *words, cwd=folder)
    assert done.returncode == 0, done.stderr
    rows = [line.split("  ")[1] for line in done.stdout.splitlines() if line.startswith("  ")]
    held_out = ["best of these, held out", "learnt, held out"]
    assert rows == ["at random", "public_examples", "shortest", *held_out, "by an oracle"]
    assert "worse than" not in done.stdout
    # who abstains says nothing, and is all that it may look at; it is named as its scores are
    words = (
        "fit",
        "run",
        "--out",
        "bad.json",
        "-f",
        "public_examples,silent",
        "--forms",
        "abstained",
    )
    worse = call("rerankers", *words, cwd=folder)
    assert "worse than public_examples alone; choose by that: -r public_examples" in worse.stdout, (
        worse.stderr
    )
    again = call("rerank", "run", "-r", "mine.json", "--json", *SANDBOX, cwd=folder)
    assert again.returncode == 0, again.stderr
    told = json.loads(again.stdout)
    note = "mine: fitted on problems of this run, of which its figure says too much (30 of 30 problems)"
    assert note in told["notices"]
    figures = told["rerankers"]
    assert figures["mine"]["best_of_n"]["value"] == 1.0
    # from another folder too: what it takes scores of is found by its whole path
    checked = call("rerankers", "check", folder / "mine.json", *SANDBOX, cwd=folder.parent)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_names_are_listed_as_by_list(tmp_path: Path) -> None:
    here, there = call("rerankers", "list", cwd=tmp_path), call("list", "rerankers", cwd=tmp_path)
    assert here.stdout == there.stdout
    assert "public_examples" in here.stdout


@pytest.mark.parametrize(
    "words", [("mean_logprob", "--model", "./nowhere"), ("judge_pointwise(model='./nowhere')",)]
)
def test_a_model_that_is_not_there_is_no_fault_of_the_reranker(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    done = call("rerankers", "check", *words, *SANDBOX, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "unknown model './nowhere'" in done.stderr
    assert len(done.stderr.splitlines()) == 1
