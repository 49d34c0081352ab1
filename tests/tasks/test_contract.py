from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import pytest

from codesample.errors import DataError
from codesample.records import Candidate, CodeTests, Problem, Tests
from codesample.tasks.contract import Task, completion_alone

GOOD = Problem(task_id="a/1", prompt="head body", header="head ", tests=CodeTests(source="assert True"))


def _task(problems: Sequence[Problem], **changes: object) -> Task:
    fields = {"name": "t", "version": "1", "source": "s", "stop": (), "max_new_tokens": 8}
    return Task(**{**fields, "load": lambda: problems, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"task_id": ""}, "empty task_id"),
        ({"prompt": ""}, "empty prompt"),
        ({"header": "other"}, "does not begin with its header"),
        ({"tests": Tests()}, "no tests: Tests is no kind of them"),
    ],
)
def test_a_malformed_problem_is_refused_by_name(changes: dict[str, object], complaint: str) -> None:
    with pytest.raises(DataError, match=complaint):
        _task([dataclasses.replace(GOOD, **changes)]).problems()


def test_a_repeated_id_is_refused() -> None:
    with pytest.raises(DataError, match=r"problem 'a/1': its task_id occurs twice"):
        _task([GOOD, GOOD]).problems()


def test_a_task_without_evaluated_problems_is_refused() -> None:
    with pytest.raises(DataError, match="task t: its data hold no entry; expected at least one problem"):
        _task([]).problems()
    with pytest.raises(DataError, match="1 entries read, none of them in the evaluated split"):
        _task([GOOD], in_split=lambda problem: False).problems()


def test_problems_are_read_once_and_not_before_they_are_asked_for() -> None:
    calls = []
    task = _task([GOOD], load=lambda: calls.append(1) or [GOOD])
    assert calls == []
    assert task.problems() is task.problems()
    assert list(task.all_problems()) == [GOOD]
    assert calls == [1]


def test_a_program_is_the_prompt_continued_or_the_completion_alone() -> None:
    assert _task([GOOD]).program(GOOD, " x") == "head body x"
    assert _task([GOOD], assemble=completion_alone).program(GOOD, " x") == " x"


def test_what_is_run_of_a_program_is_finished_once_whoever_wrote_it() -> None:
    def finish(problem: Problem, program: str) -> str:
        return f"import {problem.task_id[0]}\n{program}"

    task = _task([GOOD], assemble=completion_alone, finish=finish)
    assert task.program(GOOD, "x = 1") == "import a\nx = 1"
    for style in ("base", "chat"):
        form = task.form(style)
        assert form.read(GOOD, "x = 1").program == "import a\nx = 1"
        given = [Candidate("a/1", 0, "", program="y = 2"), Candidate("a/1", 1, "x = 1")]
        programs = [program for _, program in form.assembled(given, {"a/1": GOOD})]
        assert programs == ["import a\ny = 2", "import a\nx = 1"]
    assert task.fingerprint() != _task([GOOD], assemble=completion_alone).fingerprint()


def test_the_fingerprint_follows_what_is_asked_built_and_graded_and_nothing_else() -> None:
    base = _task([GOOD]).fingerprint()
    assert _task([dataclasses.replace(GOOD, metadata={"tier": "x"})]).fingerprint() == base
    for changes in ({"prompt": "head other"}, {"task_id": "a/2"}, {"tests": CodeTests(source="assert 1")}):
        assert _task([dataclasses.replace(GOOD, **changes)]).fingerprint() != base
    assert _task([GOOD], assemble=completion_alone).fingerprint() != base
    other = dataclasses.replace(GOOD, task_id="a/2")
    assert _task([GOOD, other]).fingerprint() != _task([other, GOOD]).fingerprint()


def test_a_program_that_is_run_for_its_times_alone_is_no_part_of_the_fingerprint() -> None:
    timed = dataclasses.replace(GOOD, tests=CodeTests(source="assert True", reference="def f(): pass"))
    assert _task([timed]).fingerprint() == _task([GOOD]).fingerprint()
