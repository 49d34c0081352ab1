from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from codesample.errors import DataError
from codesample.records import Verdict
from codesample.tasks.contract import Task
from codesample.tasks.cruxeval import (
    cruxeval_input,
    cruxeval_input_cot,
    cruxeval_output,
    cruxeval_output_cot,
)
from codesample.testing.tasks import check_task

Verdicts = Callable[..., list[Verdict]]

TASKS = (cruxeval_output, cruxeval_output_cot, cruxeval_input, cruxeval_input_cot)
ROW = {"id": "sample_0", "code": "def f(a, b=0):\n    return [a, b]", "input": "3, b=4", "output": "[3, 4]"}


def of(tmp_path: Path, make: Callable[[Path], Task], **changes: str) -> Task:
    path = tmp_path / "cruxeval.jsonl"
    path.write_text(json.dumps({**ROW, **changes}) + "\n")
    return make(path)


def recorded(published: Callable[[str], Path], every: int) -> list[tuple[str, str, bool]]:
    stem = "recorded/cruxeval_codellama7b_output_"
    said = json.loads(published(f"{stem}generations.json").read_text())
    scored = json.loads(published(f"{stem}scored.json").read_text())["raw_scored_generations"]
    return [
        (task_id, text, passed)
        for task_id in list(scored)[::every]
        for text, passed in zip(said[task_id], scored[task_id], strict=True)
    ]


@pytest.mark.parametrize(
    ("every", "count", "right"),
    [
        (16, 500, None),
        pytest.param(4, 2000, None, marks=pytest.mark.whole),
        pytest.param(1, 8000, 2737, marks=pytest.mark.whole),
    ],
)
def test_verdicts_agree_with_the_recorded_ones(
    published: Callable[[str], Path], every: int, count: int, right: int | None, verdicts_of: Verdicts
) -> None:
    task = cruxeval_output(published("tasks/cruxeval.jsonl"))
    samples = recorded(published, every)
    verdicts = verdicts_of(task, [(task_id, text) for task_id, text, _ in samples])
    differing = [
        (sample, verdict)
        for sample, verdict in zip(samples, verdicts, strict=True)
        if verdict.passed is not sample[2]
    ]
    assert (len(samples), differing) == (count, [])
    if right is not None:
        # pass@1 of the recorded file: 34.2125 %
        assert sum(verdict.passed for verdict in verdicts) == right


@pytest.mark.slow
@pytest.mark.parametrize("make", [cruxeval_output, cruxeval_input])
def test_all_references_pass(
    published: Callable[[str], Path],
    make: Callable[[Path], Task],
    reference_verdicts: Callable[[Task], dict[str, Verdict]],
) -> None:
    verdicts = reference_verdicts(make(published("tasks/cruxeval.jsonl")))
    assert len(verdicts) == 800
    assert [verdict for verdict in verdicts.values() if not verdict.passed] == []


# the same rows, with room for a thought
IN_THOUGHT = (cruxeval_input_cot, cruxeval_output_cot)


@pytest.mark.parametrize(
    "make", [pytest.param(make, marks=pytest.mark.slow if make in IN_THOUGHT else ()) for make in TASKS]
)
def test_it_keeps_what_tasks_promise(published: Callable[[str], Path], make: Callable[[Path], Task]) -> None:
    path = published("tasks/cruxeval.jsonl")
    check_task(lambda: make(path))


@pytest.mark.parametrize("make", TASKS)
def test_the_question_stands_behind_what_all_share(tmp_path: Path, make: Callable[[Path], Task]) -> None:
    task = of(tmp_path, make)
    (problem,) = task.problems()
    (asked,) = task.form("chat").ask(problem)
    gap = "assert f(3, b=4) == ??" if "output" in task.name else "assert f(??) == [3, 4]"
    question = f"[PYTHON]\n{ROW['code']}\n{gap}\n[/PYTHON]\n"
    assert not isinstance(asked, str)
    assert asked.content.endswith(f"\n\n{question}")
    opened = "[THOUGHT]\n" if task.name.endswith("_cot") else "[ANSWER]\n"
    assert problem.prompt == problem.header + question + opened
    assert problem.header.startswith(asked.content.removesuffix(question))
    # what is to be predicted is not shown
    hidden = "[3, 4]" if "output" in task.name else "b=4"
    assert hidden not in problem.prompt


@pytest.mark.parametrize("make", TASKS)
def test_the_worked_examples_are_right(tmp_path: Path, make: Callable[[Path], Task]) -> None:
    (problem,) = of(tmp_path, make).problems()
    blocks = problem.header.split("[PYTHON]\n")[1:]
    assert len(blocks) == 2
    for block in blocks:
        code = block.split("\nassert ")[0]
        answer = block.split("[ANSWER]\n")[1].split("\n[/ANSWER]")[0]
        exec(f"{code}\n{answer}", {})


@pytest.mark.parametrize(
    ("make", "said", "passes"),
    [
        (cruxeval_output, "assert f(3, b=4) == [3, 4]\n", True),
        (cruxeval_output, "assert f(3, b=4) == [3, 5]\n", False),
        (cruxeval_output, "[3, 4]", True),
        (cruxeval_output, "f(3, b=4)", False),
        (cruxeval_input, "assert f(3, 4) == [3, 4]\n", True),
        (cruxeval_input, "f(b=4, a=3)", True),
        (cruxeval_input, "3, b=4", False),
        (cruxeval_input, "f(3, 5)", False),
        (cruxeval_input, "assert f(1, 2) == [1, 2]", False),
    ],
)
def test_predictions_are_judged_by_value(
    tmp_path: Path, make: Callable[[Path], Task], said: str, passes: bool, verdicts_of: Verdicts
) -> None:
    task = of(tmp_path, make)
    (problem,) = task.problems()
    (verdict,) = verdicts_of(task, [("sample_0", said)])
    assert verdict.passed is passes
    assert task.form("base").read(problem, f"{said}\n").program == task.finish(problem, said)


@pytest.mark.parametrize("make", TASKS)
@pytest.mark.parametrize(
    "answer",
    [
        "[ANSWER]\n{}\n[/ANSWER]",
        "First f makes a list: a == 3.\n\n[ANSWER]{}[/ANSWER] Done.",
        "```python\n{}\n```",
        "<think>[ANSWER]\nassert f(0) == 0\n[/ANSWER]</think>\n{}",
    ],
)
def test_a_chat_model_s_answer_is_read_as_what_it_asserts(
    tmp_path: Path, make: Callable[[Path], Task], answer: str
) -> None:
    task = of(tmp_path, make)
    (problem,) = task.problems()
    said = "assert f(3, b=4) == [3, 4]"
    read = task.form("chat").read(problem, answer.format(said))
    assert read.program == task.program(problem, said)


def test_equality_is_python_s_own(tmp_path: Path, verdicts_of: Verdicts) -> None:
    code, given = "def f(x):\n    return x / 3", "1"
    task = of(tmp_path, cruxeval_output, code=code, input=given, output="0.3333333333333333")
    said = ["0.3333333333333333", "1 / 3", "0.33333333333", "True / 3"]
    passed = [verdict.passed for verdict in verdicts_of(task, [("sample_0", each) for each in said])]
    assert passed == [True, True, False, True]


@pytest.mark.slow
def test_a_prediction_that_never_ends_is_stopped(tmp_path: Path, verdicts_of: Verdicts) -> None:
    task = of(
        tmp_path, cruxeval_input, code="def f(n):\n    while n: pass\n    return 1", output="1", input="0"
    )
    stopped, right = verdicts_of(task, [("sample_0", "f(1)"), ("sample_0", "f(0)")])
    assert (stopped.passed, right.passed) == (False, True)
    assert "timeout" in stopped.status


@pytest.mark.parametrize("output", ["open('x')", "f(3)", "[", "a.b"])
def test_an_output_that_is_no_literal_is_named_by_file_and_line(tmp_path: Path, output: str) -> None:
    with pytest.raises(DataError, match=r"cruxeval.jsonl:1: output .* is no literal"):
        of(tmp_path, cruxeval_output, output=output).problems()


@pytest.mark.parametrize("make", [cruxeval_output, cruxeval_input])
@pytest.mark.parametrize(
    ("code", "complaint"),
    [("def f(:", "is not Python: "), ("x = 1", "defines no function f"), ("\ud800", "is not Python: ")],
)
def test_code_that_defines_no_function_is_named_by_file_and_line(
    tmp_path: Path, make: Callable[..., Task], code: str, complaint: str
) -> None:
    with pytest.raises(DataError, match=f"cruxeval.jsonl:1: code {complaint}"):
        of(tmp_path, make, code=code).problems()


def test_any_object_that_equals_everything_is_no_right_result(tmp_path: Path, verdicts_of: Verdicts) -> None:
    said: list[Any] = [
        "type('Yes', (), {'__eq__': lambda *_: True})()",
        "[type('Yes', (), {'__eq__': lambda *_: True})()] * 2",
        "__import__('os')._exit(0)",
    ]
    verdicts = verdicts_of(of(tmp_path, cruxeval_output), [("sample_0", each) for each in said])
    assert [verdict.passed for verdict in verdicts] == [False, False, False]
