from __future__ import annotations

import re
from pathlib import Path

from codesample.records import CallExample, CodeTests
from codesample.tasks.registry import load_task_file, task_names

README = (Path(__file__).parents[2] / "tasks" / "README.md").read_text()


def test_the_example_problem_loads_and_its_tests_judge(tmp_path: Path) -> None:
    (line,) = re.findall(r"```json\n(.*?)```", README, re.DOTALL)
    path = tmp_path / "problems.jsonl"
    path.write_text(line)
    task = load_task_file(path)
    (problem,) = task.problems()
    assert problem.examples == (CallExample("double(2)", "4"),)
    assert isinstance(problem.tests, CodeTests)
    exec(f"{task.program(problem, '    return x + x')}\n{problem.tests.source}", {})


def test_every_task_is_listed() -> None:
    for name in task_names():
        assert f"`{name}`" in README
