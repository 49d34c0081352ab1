from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from codesample.errors import DataError
from codesample.records import Status, Verdict
from codesample.tasks.classeval import classeval
from codesample.tasks.contract import Task
from codesample.testing.tasks import check_task

ROW: dict[str, Any] = {
    "task_id": "ClassEval_7",
    "skeleton": 'import math\nclass Disc:\n    """A disc."""\n\n    def __init__(self, radius):\n'
    '        """:param radius: float"""\n        self.radius = radius\n\n    def area(self):\n'
    '        """:return: float\n        >>> Disc(0).area()\n        0.0\n        """\n',
    "test": "import unittest\n\nclass DiscTestArea(unittest.TestCase):\n    def test_area_1(self):\n"
    "        self.assertAlmostEqual(Disc(1).area(), 3.14159, places=4)\n    def test_area_2(self):\n"
    "        self.assertEqual(Disc(0).area(), 0)\n\nclass DiscTest(unittest.TestCase):\n"
    "    def test_disc(self):\n        self.assertEqual(Disc(2).radius, 2)\n\n"
    "if __name__ == '__main__':\n    unittest.main()\n",
    "solution_code": "import math\n\n\nclass Disc:\n    def __init__(self, radius):\n"
    "        self.radius = radius\n\n    def area(self):\n        return math.pi * self.radius ** 2\n",
    "import_statement": ["import math"],
    "class_description": "",
    "class_name": "Disc",
    "test_classes": ["DiscTestArea", " DiscTest"],
    "class_constructor": "",
    "fields": [],
    "methods_info": [],
}
METHODS = ROW["solution_code"].partition("class Disc:\n")[2]
FAILING = {
    "ClassEval_17": "its test expects what was still to come in 2023",
    "ClassEval_48": "its test expects the name of the authors' machine",
}


def written(tmp_path: Path, *rows: dict[str, Any]) -> Path:
    path = tmp_path / "ClassEval_data.json"
    path.write_text(json.dumps([{**ROW, **row} for row in rows]))
    return path


@pytest.fixture
def task(tmp_path: Path) -> Task:
    return classeval(written(tmp_path, {}))


def test_it_keeps_what_a_task_promises(tmp_path: Path) -> None:
    path = written(tmp_path, {})
    check_task(lambda: classeval(path))


def test_every_test_of_every_class_is_a_check(
    task: Task, reference_verdicts: Callable[[Task], dict[str, Verdict]]
) -> None:
    (problem,) = task.problems()
    assert [check.split('"')[3] for check in problem.tests.checks] == [
        *("DiscTestArea.test_area_1", "DiscTestArea.test_area_2", "DiscTest.test_disc")
    ]
    (verdict,) = reference_verdicts(task).values()
    assert verdict.passed, verdict
    assert verdict.checks == (True, True, True)


def test_a_class_with_a_method_that_is_wrong_fails_its_tests(
    task: Task, verdicts_of: Callable[..., list[Verdict]]
) -> None:
    wrong = ROW["solution_code"].replace("** 2", "** 1 - self.radius")
    (verdict,) = verdicts_of(task, [("ClassEval_7", wrong)])
    assert (verdict.status, verdict.checks) == (Status.WRONG, (False, True, True))


def test_the_base_form_has_the_class_begun(task: Task) -> None:
    (problem,) = task.problems()
    assert problem.prompt.startswith(problem.header)
    assert problem.prompt.endswith("```python\nimport math\n\nclass Disc:\n")
    assert ROW["skeleton"].strip("\n") in problem.prompt
    assert task.program(problem, METHODS) == f"import math\n\nclass Disc:\n{METHODS}"


@pytest.mark.parametrize(
    "answer",
    [
        "```python\n{whole}\n```",
        "Sure.\n\n```python\nclass Disc:\n{methods}\n```\n\nThat is all.",
        "<think>\nA disc.\n</think>\n```\n{whole}\n```",
    ],
)
def test_the_chat_form_finds_the_class(task: Task, answer: str) -> None:
    (problem,) = task.problems()
    text = answer.format(whole=ROW["solution_code"], methods=METHODS)
    names: dict[str, Any] = {}
    exec(task.form("chat").read(problem, text).program, names)
    assert names["Disc"](1).area() > 3


def test_the_chat_form_puts_what_all_problems_share_first(tmp_path: Path) -> None:
    path = written(tmp_path, {}, {"task_id": "ClassEval_8", "skeleton": "Something else."})
    task = classeval(path)
    first, second = (task.chat_form.ask(problem) for problem in task.problems())
    shared = first[: first.index("import math")]
    assert len(shared) > 100
    assert second.startswith(shared)


def test_a_skeleton_that_is_no_python_is_shown_as_it_is(tmp_path: Path) -> None:
    (problem,) = classeval(written(tmp_path, {"skeleton": 'class Disc:\n    """'})).problems()
    assert 'class Disc:\n    """\n```' in problem.prompt


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ({"class_name": "Circle"}, "solution_code defines no class 'Circle'"),
        ({"test_classes": ["DiscTestOther"]}, "the tests define no class 'DiscTestOther'"),
        ({"test_classes": []}, "no test class is named"),
        ({"test": "("}, "the solution or the tests are not Python"),
        ({"import_statement": "import math"}, "import_statement"),
    ],
)
def test_a_malformed_row_is_named_by_file_and_line(
    tmp_path: Path, row: dict[str, Any], complaint: str
) -> None:
    path = written(tmp_path, {}, {"task_id": "ClassEval_8", **row})
    with pytest.raises(DataError, match=complaint) as caught:
        classeval(path).problems()
    assert str(caught.value).startswith(f"{path}:2")


@pytest.mark.whole
def test_the_published_references_pass_but_for_those_that_cannot(
    published: Callable[[str], Path], reference_verdicts: Callable[[Task], dict[str, Verdict]]
) -> None:
    task = classeval(published("tasks/ClassEval_data.json.gz"))
    assert len(task.problems()) == task.facts.problems == 100
    plain = {problem.task_id for problem in task.problems() if not problem.tests.imports}
    assert len(plain) == 88
    alone = Task(
        "plain", "1", "", (), 1, lambda: [p for p in task.problems() if p.task_id in plain], task.assemble
    )
    verdicts = reference_verdicts(alone)
    assert {task_id for task_id in plain if not verdicts[task_id].passed} == FAILING.keys()
