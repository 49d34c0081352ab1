from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from codesample.errors import DataError
from codesample.records import InputTests, ScriptTests, Status, Verdict
from codesample.tasks.apps import apps, apps_competition, apps_interview, apps_introductory
from codesample.tasks.apps.published_folders import folder_entries
from codesample.tasks.contract import Task
from codesample.testing.tasks import check_task

Verdicts = Callable[..., list[Verdict]]

ADDING = "a, b = map(int, input().split())\nprint(a + b)\n"
ROW: dict[str, Any] = {
    "problem_id": 3,
    "question": "Add the numbers.",
    "input_output": json.dumps({"inputs": ["1 2\n", "3 4\n"], "outputs": ["3\n", "7\n"]}),
    "solutions": json.dumps([ADDING]),
    "difficulty": "interview",
    "url": "https://example.org/3",
    "starter_code": "",
}


@pytest.fixture(scope="module")
def sample(published: Callable[[str], Path]) -> Path:
    return published("tasks/apps_sample.zip")


def of(tmp_path: Path, *rows: dict[str, Any]) -> Task:
    path = tmp_path / "test.jsonl"
    path.write_text("".join(json.dumps({**ROW, **row}) + "\n" for row in rows))
    return apps(path)


def calls(inputs: list[Any], outputs: list[Any], name: str = "f", starter: str = "") -> dict[str, str]:
    cases = {"fn_name": name, "inputs": inputs, "outputs": outputs}
    return {"input_output": json.dumps(cases), "solutions": "", "starter_code": starter}


def recorded(sample: Path, file: str, *, endless: bool = True) -> Iterator[tuple[str, str, bool]]:
    """Yield task id, program and whether it passed, of each program of a file of the sample's folders.

    Without `endless` those that were stopped are left out.
    """
    with zipfile.ZipFile(sample) as archive:
        for name in archive.namelist():
            if name.endswith(f"/{file}"):
                task_id = f"APPS/{int(name.split('/')[1])}"
                for each in json.loads(archive.read(name)):
                    if isinstance(each, str):
                        yield task_id, each, True
                    elif endless or each.get("error_type") != "timeoutexception":
                        yield task_id, each["code"], each["result"] is True


@pytest.mark.parametrize(
    ("file", "endless", "count"),
    [
        ("solutions.json", False, 101),
        ("gen_solutions.json", False, 79),
        pytest.param("gen_solutions.json", True, 83, marks=pytest.mark.whole),
    ],
)
def test_verdicts_agree_with_the_recorded_ones(
    sample: Path, file: str, endless: bool, count: int, verdicts_of: Verdicts
) -> None:
    programs = list(recorded(sample, file, endless=endless))
    verdicts = verdicts_of(apps(sample), [(task_id, code) for task_id, code, _ in programs])
    differing = [
        (task_id, verdict)
        for (task_id, _, passed), verdict in zip(programs, verdicts, strict=True)
        if verdict.passed is not passed
    ]
    assert (len(programs), differing) == (count, [])


def test_of_programs_recorded_inside_of_the_grader_s_function_one_needs_what_is_not_here(
    sample: Path, verdicts_of: Verdicts
) -> None:
    programs = list(recorded(sample, "baseline_solutions.json"))
    verdicts = verdicts_of(apps(sample), [(task_id, code) for task_id, code, _ in programs])
    differing = [
        (task_id, passed, verdict.status, verdict.detail.rpartition("\n")[2])
        for (task_id, _, passed), verdict in zip(programs, verdicts, strict=True)
        if verdict.passed is not passed
    ]
    # they begin with the grader's own imports, numpy among them, which no program is granted unasked
    missing = "ModuleNotFoundError: No module named 'numpy'"
    assert differing == [("APPS/2404", True, Status.ERROR, missing)]


def test_references_pass(sample: Path, reference_verdicts: Callable[[Task], dict[str, Verdict]]) -> None:
    verdicts = reference_verdicts(apps(sample))
    assert len(verdicts) == 5
    assert all(verdict.passed for verdict in verdicts.values()), verdicts


def test_it_keeps_what_tasks_promise(sample: Path, tmp_path: Path) -> None:
    check_task(lambda: apps(sample))
    check_task(lambda: of(tmp_path, {}, {"problem_id": 4, **calls([[1]], [2], starter="def f(x):\n\t")}))


def test_a_level_is_a_task_of_its_own(sample: Path) -> None:
    counts = [len(each(sample).problems()) for each in (apps_introductory, apps_interview, apps_competition)]
    assert counts == [2, 2, 1]
    assert [p.task_id for p in apps_competition(sample).problems()] == ["APPS/2287"]


def test_a_folder_a_zip_file_and_rows_are_one_task(sample: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(sample) as archive:
        archive.extractall(tmp_path)
    rows = tmp_path / "rows.jsonl"
    rows.write_text("".join(json.dumps(entry.record) + "\n" for entry in folder_entries(sample)))
    assert apps(sample).fingerprint() == apps(tmp_path).fingerprint() == apps(rows).fingerprint()


def test_the_base_prompt_is_the_published_layout(tmp_path: Path) -> None:
    task = of(tmp_path, {}, {"problem_id": 4, **calls([[1]], [2], starter="def f(x):\n\t")})
    script, function = (problem.prompt for problem in task.problems())
    assert script == "\nQUESTION:\nAdd the numbers.\nUse Standard Input format\nANSWER:\n"
    assert function == "\nQUESTION:\nAdd the numbers.\ndef f(x):\n\t\nUse Call-Based format\nANSWER:\n"


def test_a_script_may_rely_on_what_the_grader_gives(tmp_path: Path, verdicts_of: Verdicts) -> None:
    task = of(tmp_path, {})
    programs = [
        ADDING,
        "def f(x: List[int]) -> int: return sum(x)\nprint(f(list(map(int, stdin.readline().split()))))",
        "print(sum(map(int, input().split())))\nif True:\n    return\nprint(5)",
        "if __name__ == '__main__':\n    print(sum(map(int, input().split())))",
        "print(nowhere)",
        "print(1, 2, 3",
    ]
    verdicts = verdicts_of(task, [("APPS/3", program) for program in programs])
    assert [verdict.passed for verdict in verdicts] == [True, True, True, True, False, False]
    assert [verdict.checks for verdict in verdicts[:1]] == [(True, True)]


def test_a_chat_model_s_program_is_finished_too(tmp_path: Path) -> None:
    starter = "class Solution:\n    def f(self, x: List[int]) -> int:\n        "
    task = of(tmp_path, {}, {"problem_id": 4, **calls([[[1]]], [1], starter=starter)})
    script, method = task.problems()
    form = task.form("chat")
    assert form.read(script, f"So:\n```python\n{ADDING}```\n").program.strip() == ADDING.strip()
    answer = f"```python\n{starter}return sum(x)\n```"
    program = form.read(method, answer).program
    assert program.startswith("from typing import List\nclass Solution:")
    assert program.endswith("\n\nf = Solution().f\n")


def test_lines_and_lists_of_lines_are_texts(tmp_path: Path) -> None:
    cases = {"inputs": [["1 2", "3"], "4"], "outputs": ["3", ["7", "8"]]}
    (problem,) = of(tmp_path, {"input_output": json.dumps(cases)}).problems()
    assert isinstance(problem.tests, ScriptTests)
    assert [(case.input, case.output) for case in problem.tests.cases] == [("1 2\n3", "3"), ("4", "7\n8")]


@pytest.mark.parametrize(
    ("outputs", "returned", "passes"),
    [
        ([[3, 4]], "[3, 4]", True),
        ([[3, 4]], "(3, 4)", True),
        ([[3]], "3", True),
        ([[[3, 4]]], "[3, 4]", True),
        ([[[[1, 2], [3, 4]]]], "[(1, 2), (3, 4)]", True),
        ([[[1, 2], [3, 4]]], "[(1, 2), (3, 4)]", False),
        ([3], "3.0", True),
        ([0.3], "0.1 + 0.2", False),
        ([[]], "()", True),
        ([[]], "None", False),
        ([{"1": 2}], "{1: 2}", True),
        ([[{"1": 2}]], "{1: 2}", True),
        ([[{"a": 2}]], "{'a': 2}", True),
        ([3], "type('Yes', (), {'__eq__': lambda *_: True})()", False),
    ],
)
def test_a_function_s_result_is_compared_as_the_grader_does(
    tmp_path: Path, verdicts_of: Verdicts, outputs: list[Any], returned: str, passes: bool
) -> None:
    task = of(tmp_path, calls([[0]], outputs))
    (verdict,) = verdicts_of(task, [("APPS/3", f"def f(x): return {returned}")])
    assert verdict.passed is passes


def test_a_method_of_solution_is_called_and_keys_are_numbers_again(
    tmp_path: Path, verdicts_of: Verdicts
) -> None:
    task = of(tmp_path, calls([[{"1": 5}]], [[5]], starter="class Solution:\n    def f(self, d: Dict):\n"))
    method = "class Solution:\n    def f(self, d: List) -> Tuple:\n        return d[1]\n"
    verdicts = verdicts_of(task, [("APPS/3", method), ("APPS/3", "class Solution: pass")])
    assert [verdict.passed for verdict in verdicts] == [True, False]
    assert "has no attribute 'f'" in verdicts[1].detail


def test_each_call_has_four_seconds(tmp_path: Path) -> None:
    (problem,) = of(tmp_path, calls([[1], [2]], [1, 2])).problems()
    assert isinstance(problem.tests, InputTests)
    assert (problem.tests.input_limit, problem.tests.time_limit) == (4.0, 8.0)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"input_output": ""}, "it has no tests"),
        ({"input_output": "{}"}, "it has no tests"),
        ({"input_output": '{"inputs": ["1"], "outputs": []}'}, "it has 1 inputs and 0 outputs"),
        ({"input_output": '{"inputs": [1], "outputs": ["1"]}'}, "an input or output is 1, expected a text"),
        ({"input_output": '{"inputs": ["\\ud800"], "outputs": ["1"]}'}, "an input of a script cannot"),
        (calls(["ab"], [1]), "an input is 'ab', expected a list of arguments"),
        (calls([[1]], [1], name="a.b"), "fn_name 'a.b' is no name of a function"),
        (calls([[1]], [1], name="class"), "fn_name 'class' is no name of a function"),
        ({"input_output": '{"inputs": [[1]], "outputs": [1], "fn_name": 3}'}, "fn_name 3 is no name"),
        ({"input_output": '{"inputs": [[' + "1" * 5000 + ']], "outputs": [1], "fn_name": "f"}'}, "too long"),
    ],
)
def test_problems_that_cannot_be_judged_are_left_out_by_name(
    tmp_path: Path, row: dict[str, str], reason: str
) -> None:
    task = of(tmp_path, {}, {"problem_id": 9, **row})
    assert [problem.task_id for problem in task.problems()] == ["APPS/3"]
    assert list(task.left_out) == ["APPS/9"]
    assert reason in task.left_out["APPS/9"]
    assert "test.jsonl:2: " in task.left_out["APPS/9"]


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ({"input_output": "{"}, "test.jsonl:2, input_output: not JSON"),
        ({"input_output": "[]"}, "test.jsonl:2, input_output: holds list, expected dict"),
        ({"input_output": '{"inputs": 3, "outputs": []}'}, "test.jsonl:2: input_output holds"),
        ({"solutions": "{}"}, "test.jsonl:2, solutions: holds dict, expected list"),
        ({"solutions": "[1]"}, "test.jsonl:2, solutions: holds something else than texts"),
        ({"question": None}, "test.jsonl:2: field 'question' is missing"),
        ({"problem_id": None}, "test.jsonl:2: field 'problem_id' is missing"),
    ],
)
def test_what_is_malformed_is_named_by_file_and_line(
    tmp_path: Path, row: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(DataError, match=complaint):
        of(tmp_path, {}, {"problem_id": 9, **row}).problems()


def test_rows_of_the_published_file_call_the_number_id(tmp_path: Path) -> None:
    (problem,) = of(tmp_path, {"problem_id": None, "id": 7}).problems()
    assert problem.task_id == "APPS/7"
