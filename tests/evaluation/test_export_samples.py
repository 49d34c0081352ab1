"""Runs in other tools' forms, and back again."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codesample.errors import ParameterError, UnknownNameError
from codesample.evaluation.execute_samples import execute_samples, read_recorded
from codesample.evaluation.export_samples import export_samples
from codesample.evaluation.options import RunOptions
from codesample.foreign import EXPORTS
from codesample.records import Candidate, CodeTests, Origin, Problem, SamplingParams, Status, Verdict
from codesample.runs import Manifest, RunFolder
from codesample.tasks.contract import Task, completion_alone, prompt_then_completion

OUT = {
    "humaneval": ("out.jsonl", "out.jsonl.gz"),
    "evalplus": ("out.jsonl", "out"),
    "bigcode": ("out.json",),
    "lm-eval": ("out.jsonl",),
    "inspect": ("out.json", "out.eval", "out.json.gz"),
    "livecodebench": ("out.json",),
}
FORMS = [(form, name) for form, names in OUT.items() for name in names]
PROMPT = 'import math\n\ndef f(x):\n    """Half."""\n'


def task_of(*, continues: bool) -> Task:
    def load() -> list[Problem]:
        return [
            Problem(
                f"made/{at}", PROMPT, CodeTests(source="assert f(2) == 1"), entry_point="f", reference="r"
            )
            for at in range(3)
        ]

    form = prompt_then_completion if continues else completion_alone
    return Task("made", "1", "made for tests", (), 16, load, assemble=form)


def run_of(path: Path, task: Task, candidates: list[Candidate], origins: list[Origin]) -> Path:
    manifest = Manifest("made", "1", task.fingerprint(), "a model", SamplingParams(), 1)
    with RunFolder.create(path, manifest) as run:
        for each in candidates:
            run.add_sample(each, with_program=each.program is not None)
            status = Status.PASSED if "1" in each.completion else Status.WRONG
            run.add_verdict(Verdict(each.task_id, each.index, status, detail="why"))
        run.write_origins(origins)
    return path


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


@st.composite
def samples(draw: st.DrawFn) -> list[Candidate]:
    """Candidates of some of the problems, numbered from 0, some of them with programs of their own."""
    found = []
    for at in range(3):
        texts = draw(st.lists(st.tuples(TEXTS, st.none() | TEXTS), max_size=3))
        for index, (text, program) in enumerate(texts):
            found.append(Candidate(f"made/{at}", index, text, program=program))
    return found


@pytest.mark.parametrize(("form", "name"), FORMS)
@pytest.mark.parametrize("continues", [True, False], ids=["continues", "whole"])
@settings(max_examples=10)
@given(given_samples=samples())
def test_programs_come_back_from_every_form(
    tmp_path_factory: pytest.TempPathFactory,
    form: str,
    name: str,
    continues: bool,
    given_samples: list[Candidate],
) -> None:
    if not given_samples:
        return
    folder, task = tmp_path_factory.mktemp("trip"), task_of(continues=continues)
    run = run_of(folder / "run", task, given_samples, [])
    assert export_samples(run, form, folder / name, task=task) == len(given_samples)
    chosen, _, found = read_recorded(folder / name, task)
    expected = {(e.task_id, e.index): p for e, p in chosen.assembled(given_samples)}
    got = {(e.task_id, e.index): p for e, p in chosen.assembled(found.candidates)}
    assert got.keys() == expected.keys()
    for key, program in expected.items():
        # where a form has room for what continues the prompt alone, a whole program stands behind it
        behind = form in ("humaneval", "inspect") and continues and not program.startswith(PROMPT)
        assert got[key] == (f"{PROMPT}\n{program}" if behind else program)


@pytest.mark.parametrize("form", ["lm-eval", "inspect", "livecodebench"])
def test_verdicts_go_with_the_samples_where_there_is_room(tmp_path: Path, form: str) -> None:
    task = task_of(continues=True)
    given_samples = [Candidate("made/0", 0, "1"), Candidate("made/1", 0, "2")]
    run = run_of(tmp_path / "run", task, given_samples, [])
    export_samples(run, form, tmp_path / "out.json", task=task)
    _, _, found = read_recorded(tmp_path / "out.json", task)
    assert {each.task_id: each.passed for each in found.origins} == {"made/0": True, "made/1": False}


@pytest.mark.parametrize("form", ["humaneval", "evalplus", "lm-eval", "inspect", "livecodebench"])
def test_names_and_unknown_fields_are_written_again(tmp_path: Path, form: str) -> None:
    task, fields = task_of(continues=True), {"temperature": 0.2, "note": {"by": ["me"]}}
    origin = Origin("made/1", 0, name="MADE_1", fields=fields, answer="raw")
    run = run_of(tmp_path / "run", task, [Candidate("made/1", 0, "1")], [origin])
    export_samples(run, form, tmp_path / "out.json", task=task)
    text = (tmp_path / "out.json").read_text()
    assert all(each in text for each in ('"temperature": 0.2', '"note": {'))
    _, _, found = read_recorded(tmp_path / "out.json", task)
    assert [(each.task_id, each.index) for each in found.candidates] == [("made/1", 0)]
    if form in ("lm-eval", "inspect", "livecodebench"):
        assert found.origins[0].answer == "raw"


def test_unknown_fields_survive_a_run_between(tmp_path: Path, adding: Task) -> None:
    row = {"task_id": "adding/1", "completion": "    return x + 1\n", "seed": 7, "tag": None}
    (tmp_path / "in.jsonl").write_text(json.dumps(row) + "\n")
    options = RunOptions(out=tmp_path / "run", workers=1, allow_weak_isolation="none")
    execute_samples(tmp_path / "in.jsonl", adding, run=options)
    export_samples(tmp_path / "run", "humaneval", tmp_path / "out.jsonl", task=adding)
    assert json.loads((tmp_path / "out.jsonl").read_text()) == row


def test_bigcode_has_a_list_for_every_problem_also_of_a_part(tmp_path: Path) -> None:
    task = task_of(continues=True)
    run = run_of(tmp_path / "run", task, [Candidate("made/1", 0, "1")], [])
    export_samples(run, "bigcode", tmp_path / "out.json", task=task)
    assert json.loads((tmp_path / "out.json").read_text()) == [[], [PROMPT + "1"], []]


def test_a_whole_program_behind_a_prompt_without_a_body_is_python(tmp_path: Path) -> None:
    problem = Problem("made/0", "def f(x):\n", CodeTests(source="assert f(2) == 1"), entry_point="f")
    task = Task("made", "1", "made for tests", (), 16, lambda: [problem])
    whole = Candidate("made/0", 0, "answer", program="def f(x):\n    return x / 2\n")
    run = run_of(tmp_path / "run", task, [whole], [])
    export_samples(run, "humaneval", tmp_path / "out.jsonl", task=task)
    namespace: dict[str, Any] = {}
    exec(problem.prompt + json.loads((tmp_path / "out.jsonl").read_text())["completion"], namespace)
    assert namespace["f"](2) == 1


def test_a_file_is_translated_without_a_run(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text('{"task_id": "made/0", "completion": "1"}\n')
    export_samples(tmp_path / "in.jsonl", "evalplus", tmp_path / "out.gz", task=task_of(continues=True))
    row = json.loads(gzip.decompress((tmp_path / "out.gz").read_bytes()))
    assert row == {"task_id": "made/0", "solution": PROMPT + "1"}


def test_what_cannot_be_written_is_refused_and_nothing_is_left(tmp_path: Path) -> None:
    task = task_of(continues=True)
    run = run_of(tmp_path / "run", task, [Candidate("made/0", 0, "1")], [])
    with pytest.raises(UnknownNameError, match="unknown form 'human-eval'; did you mean 'humaneval'"):
        export_samples(run, "human-eval", tmp_path / "out", task=task)
    with pytest.raises(ParameterError, match="exists already"):
        export_samples(run, "humaneval", tmp_path / "run", task=task)
    with pytest.raises(ParameterError, match="cannot be written"):
        export_samples(run, "humaneval", tmp_path / "nowhere" / "out", task=task)
    assert [each.name for each in tmp_path.iterdir()] == ["run"]


def test_every_form_is_tried_here() -> None:
    assert set(OUT) == set(EXPORTS)


@pytest.mark.parametrize("ids", [("..",), (".",), ("a\0b",), ("a/b", "a_b")])
def test_a_problem_without_a_folder_of_its_own_is_refused(tmp_path: Path, ids: tuple[str, ...]) -> None:
    def load() -> list[Problem]:
        return [Problem(each, PROMPT, CodeTests(source="pass"), entry_point="f") for each in ids]

    task = Task("made", "1", "made for tests", (), 16, load)
    run = run_of(tmp_path / "run", task, [Candidate(each, 0, "1") for each in ids], [])
    with pytest.raises(ParameterError, match="makes no folder of its own"):
        export_samples(run, "evalplus", tmp_path / "out", task=task)
    assert [each.name for each in tmp_path.iterdir()] == ["run"]
    # lines can hold any name
    assert export_samples(run, "evalplus", tmp_path / "out.jsonl", task=task) == len(ids)


def test_a_folder_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    problems = [Problem(each, PROMPT, CodeTests(source="pass")) for each in ("a", "b" * 300)]
    task = Task("made", "1", "made for tests", (), 16, lambda: problems)
    run = run_of(tmp_path / "run", task, [Candidate(each.task_id, 0, "1") for each in problems], [])
    with pytest.raises(ParameterError, match="cannot be written"):
        export_samples(run, "evalplus", tmp_path / "out", task=task)
    assert [each.name for each in tmp_path.iterdir()] == ["run"]


def test_a_program_that_must_begin_a_file_runs_behind_a_prompt(tmp_path: Path) -> None:
    future = "from __future__ import (\n    annotations,\n)\n"
    text = f'"""Half."""\n{future}def f(x: int) -> int:\n    return x / 2\n'
    problem = Problem("made/0", PROMPT, CodeTests(source="assert f(2) == 1"), entry_point="f")
    task = Task("made", "1", "made for tests", (), 16, lambda: [problem])
    run = run_of(tmp_path / "run", task, [Candidate("made/0", 0, "answer", program=text)], [])
    export_samples(run, "humaneval", tmp_path / "out.jsonl", task=task)
    namespace: dict[str, Any] = {}
    exec(problem.prompt + json.loads((tmp_path / "out.jsonl").read_text())["completion"], namespace)
    assert namespace["f"](2) == 1


@pytest.mark.parametrize("name", ["out.json", "out.eval"])
def test_an_epoch_keeps_its_number(tmp_path: Path, name: str) -> None:
    task = task_of(continues=True)
    run = run_of(tmp_path / "run", task, [Candidate("made/1", at, f"{at}") for at in (0, 2)], [])
    export_samples(run, "inspect", tmp_path / name, task=task)
    found = read_recorded(tmp_path / name, task)[2].candidates
    assert [(each.index, each.completion) for each in found] == [(0, "0"), (2, "2")]
