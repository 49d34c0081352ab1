from __future__ import annotations

import base64
import gzip
import json
import pickle
import re
import sys
import zlib
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from codesample.errors import DataError, HubUnavailableError, ParameterError
from codesample.records import CallExample, InputTests, ScriptExample, ScriptTests, Verdict
from codesample.tasks import livecodebench as module
from codesample.tasks.contract import Task
from codesample.tasks.livecodebench import livecodebench, livecodebench_v1, livecodebench_v3
from codesample.tasks.livecodebench.errata import ERRATA
from codesample.tasks.livecodebench.worked_examples import FUNCTION_HEADER, SCRIPT_HEADER
from codesample.tasks.registry import load_task
from codesample.testing.tasks import check_task

Verdicts = Callable[..., list[Verdict]]
Case = tuple[str, str]

STARTER = "class Solution:\n    def add(self, values: List[int], by: int) -> List[int]:\n        "


def listed(*cases: Case, kind: str = "stdin") -> str:
    return json.dumps([{"input": given, "output": printed, "testtype": kind} for given, printed in cases])


def packed(text: str) -> str:
    return base64.b64encode(zlib.compress(pickle.dumps(text))).decode()


def script(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "question_title": "Sum",
        "question_content": "Add the numbers.",
        "platform": "atcoder",
        "question_id": f"abc{number}_a",
        "contest_id": f"abc{number}",
        "contest_date": "2024-01-06T00:00:00",
        "starter_code": "",
        "difficulty": "easy",
        "public_test_cases": listed(("1 2\n", "3\n")),
        "private_test_cases": packed(listed(("3 4\n", "7\n"), ("1 2\n", "3\n"), ("0 0", "0"))),
        "metadata": "{}",
        **changes,
    }


def function(**changes: Any) -> dict[str, Any]:
    public, private = ("[1, 2]\n1", "[2, 3]"), (("[]\n1", "[]"), ("[5]\n-1", "[4]"))
    return {
        **script(0, question_id="2727", platform="leetcode", starter_code=STARTER),
        "public_test_cases": listed(public, kind="functional"),
        "private_test_cases": packed(listed(*private, kind="functional")),
        "metadata": json.dumps({"func_name": "add"}),
        **changes,
    }


def written(path: Path, *rows: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def of(tmp_path: Path, *rows: dict[str, Any], **more: Any) -> Task:
    return livecodebench(written(tmp_path / "test.jsonl", *rows), **more)


def test_public_tests_are_examples_and_private_ones_judge(tmp_path: Path) -> None:
    first, second = of(tmp_path, script(1), function()).problems()
    assert isinstance(first.tests, ScriptTests)
    assert first.examples == (ScriptExample("1 2\n", "3\n"),)
    assert first.tests.cases == (ScriptExample("3 4\n", "7\n"), ScriptExample("0 0", "0"))
    assert isinstance(second.tests, InputTests)
    assert second.examples == (CallExample("add([1, 2], 1)", "[2, 3]"),)
    assert second.tests.inputs == (([], 1), ([5], -1))
    assert second.tests.expected == ([], [4])
    assert [problem.tests.time_limit for problem in (first, second)] == [6.0, 12.0]


def test_plain_and_packed_tests_are_one(tmp_path: Path) -> None:
    row = script(1)
    plain = {**row, "private_test_cases": listed(("3 4\n", "7\n"), ("1 2\n", "3\n"), ("0 0", "0"))}
    assert of(tmp_path, row).fingerprint() == of(tmp_path, plain).fingerprint()


def test_facts_tell_platform_difficulty_and_date(tmp_path: Path) -> None:
    (problem,) = of(tmp_path, script(350, question_id="abc350_c")).problems()
    assert problem.metadata == {
        "title": "Sum",
        "platform": "atcoder",
        "difficulty": "easy",
        "contest": "abc350",
        "date": "2024-01-06",
        "erratum": ERRATA["abc350_c"],
        "judged_by": "hidden tests",
        "starter_code": "",
    }


def test_the_published_errata_are_problems_of_the_set(published: Callable[[str], Path]) -> None:
    rows = json.loads(
        gzip.decompress(published("recorded/livecodebench_o1mini_eval_all.json.gz").read_bytes())
    )
    known = {row["question_id"] for row in rows} | {row["question_title"] for row in rows}
    assert set(ERRATA) <= known


def test_it_keeps_what_tasks_promise(tmp_path: Path) -> None:
    check_task(lambda: of(tmp_path, script(1), script(2), function()))


def test_scripts_are_judged_as_the_grader_does(tmp_path: Path, verdicts_of: Verdicts) -> None:
    task = of(tmp_path, script(1))
    programs = [
        "print(sum(map(int, input().split())))",
        "import sys\nif __name__ == '__main__':\n    print(sum(map(int, input().split())), end='  ')",
        "print(f'{sum(map(int, input().split()))}.0')",
        "print(reduce(add, map(int, stdin.readline().split())))",
        "def down(n): return n and down(n - 1)\nprint(sum(map(int, input().split())) + down(20000))",
        "print(sum(map(int, input().split())))\nreturn",
        "print(sum(map(int, input().split())), 'x')",
        "print(7)",
    ]
    passed = [verdict.passed for verdict in verdicts_of(task, [("abc1_a", program) for program in programs])]
    assert passed == [True, True, True, True, True, True, False, False]


def test_methods_are_judged_as_the_grader_does(tmp_path: Path, verdicts_of: Verdicts) -> None:
    task = of(tmp_path, function())
    bodies = {
        "return [value + by for value in values]": True,
        "return tuple(value + by for value in values)": True,
        "return list(accumulate(values, initial=0))": False,
        "return values": False,
        "return {}": False,
    }
    programs = [("2727", STARTER + body) for body in bodies]
    plain = "def add(values, by): return [value + by for value in values]"
    verdicts = verdicts_of(task, [*programs, ("2727", plain)])
    assert [verdict.passed for verdict in verdicts] == [*bodies.values(), True]
    assert verdicts[0].checks == (True, True)


def test_a_date_window_takes_the_contests_within_it_and_unpacks_no_others(tmp_path: Path) -> None:
    rows = [script(number, contest_date=f"2024-0{number}-06T18:30:00") for number in range(1, 5)]
    rows[0]["private_test_cases"] = "not to be read"
    task = of(tmp_path, *rows, since=date(2024, 2, 6), until=date(2024, 3, 6))
    assert [problem.task_id for problem in task.problems()] == ["abc2_a", "abc3_a"]
    assert task.version == "1 (release_v6, 2024-02-06 to 2024-03-06)"
    with pytest.raises(ParameterError, match="since = 2024-03-06 is after until = 2024-02-06"):
        livecodebench(since=date(2024, 3, 6), until=date(2024, 2, 6))


def test_the_page_s_own_window_is_a_task(tmp_path: Path) -> None:
    readme = Path(module.__file__).with_name("README.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    (tmp_path / "spring.py").write_text(code)
    rows = [script(1), script(2, contest_date="2025-04-30T18:30:00")]
    task = load_task(f"{tmp_path / 'spring.py'}:spring", data=written(tmp_path / "rows.jsonl", *rows))
    assert (task.name, [problem.task_id for problem in task.problems()]) == ("spring", ["abc2_a"])


def test_a_release_is_its_files(tmp_path: Path) -> None:
    for number, name in enumerate(("test.jsonl", "test2.jsonl", "test3.jsonl"), 1):
        written(tmp_path / name, script(number))
    assert [len(each(tmp_path).problems()) for each in (livecodebench_v1, livecodebench_v3)] == [1, 3]
    with pytest.raises(DataError, match=r"holds no test4.jsonl, test5.jsonl, test6.jsonl; this release is"):
        livecodebench(tmp_path).problems()
    with pytest.raises(ParameterError, match="release = 7: expected 1 to 6"):
        livecodebench(release=7)
    versions = {livecodebench(tmp_path, release=number).version for number in range(1, 7)}
    assert len(versions) == 6


def test_files_come_from_the_hub_where_none_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def hf_hub_download(hub_id: str, name: str, *, repo_type: str) -> str:
        asked.append((hub_id, name, repo_type))
        if name == "test3.jsonl":
            raise ConnectionError("no route\nmore")
        return str(written(tmp_path / name, script(len(asked))))

    monkeypatch.setitem(sys.modules, "huggingface_hub", type("Hub", (), {"hf_hub_download": hf_hub_download}))
    assert len(module.livecodebench_v2().problems()) == 2
    hub_id = "livecodebench/code_generation_lite"
    assert asked == [(hub_id, "test.jsonl", "dataset"), (hub_id, "test2.jsonl", "dataset")]
    with pytest.raises(HubUnavailableError) as caught:
        livecodebench_v3().problems()
    assert "no route" in str(caught.value)
    assert f"https://huggingface.co/datasets/{hub_id}/resolve/main/test3.jsonl" in str(caught.value)


def test_public_tests_judge_where_there_are_no_others(tmp_path: Path) -> None:
    (problem,) = of(tmp_path, script(1, private_test_cases="[]")).problems()
    assert problem.examples == ()
    assert problem.tests.check_count == 1
    assert problem.metadata["judged_by"] == "public tests alone"


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (script(2, public_test_cases="[]", private_test_cases="[]"), "it has no tests"),
        (script(2, metadata='{"func_name": "add"}'), "a test is of type 'stdin', expected 'functional'"),
        (function(metadata="{}"), "a test is of type 'functional', expected 'stdin'"),
        (function(private_test_cases=listed(("[1", "2"), kind="functional")), "a test cannot be read"),
        (function(private_test_cases=listed(("1" * 5000, "2"), kind="functional")), "a test cannot be read"),
    ],
)
def test_problems_that_cannot_be_judged_are_left_out_by_name(
    tmp_path: Path, row: dict[str, Any], reason: str
) -> None:
    task = of(tmp_path, script(1), row)
    assert [problem.task_id for problem in task.problems()] == ["abc1_a"]
    assert f"test.jsonl:2: {reason}" in task.left_out[row["question_id"]]


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"private_test_cases": packed("[]")[:-9]}, "private_test_cases: packed tests are"),
        ({"private_test_cases": packed("{}")}, "private_test_cases: it holds dict, expected list"),
        (
            {"private_test_cases": base64.b64encode(zlib.compress(pickle.dumps([1]))).decode()},
            "private_test_cases: the pickle of packed tests holds operation 0x5d",
        ),
        ({"public_test_cases": '[{"input": 3}]'}, "public_test_cases: .*Expected `str`"),
        ({"public_test_cases": "[3]"}, "public_test_cases: Expected `object`"),
        ({"metadata": "[]"}, "metadata: it holds list, expected dict"),
        ({"contest_date": "soon"}, "contest_date 'soon'; expected such as"),
        ({"question_id": None}, "field 'question_id' is missing"),
    ],
)
def test_what_is_malformed_is_named_by_file_and_line(
    tmp_path: Path, changes: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(DataError, match=rf"test\.jsonl:2[:,] {complaint}"):
        of(tmp_path, script(1), script(2, **changes), since=date(2023, 1, 1)).problems()


@pytest.mark.parametrize("header", [SCRIPT_HEADER, FUNCTION_HEADER])
def test_the_worked_examples_are_right(header: str) -> None:
    answer = header.split("### Answer\n\n")[1]
    if header is SCRIPT_HEADER:
        lines = iter(["5", "3 4 4 1 7"])
        shown: list[object] = []
        exec(answer, {"input": lambda: next(lines), "print": shown.append})
        assert shown == [2]
    else:
        names: dict[str, Any] = {"List": list}
        exec(answer, names)
        assert names["Solution"]().countSteps([3, 4, 4, 1, 7]) == 2


def test_the_header_is_shared_by_all_problems_of_a_kind(tmp_path: Path) -> None:
    first, second, third = of(tmp_path, script(1), script(2), function()).problems()
    assert first.header == second.header == SCRIPT_HEADER
    assert third.prompt.endswith(f"### Starter Code\n{STARTER}\n\n### Answer\n\n")


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_the_last_argument_of_a_call_may_end_its_line(tmp_path: Path, end: str) -> None:
    row = function(private_test_cases=listed((f'"a b"\n[1, 2]{end}', "3"), kind="functional"))
    (problem,) = of(tmp_path, row).problems()
    assert isinstance(problem.tests, InputTests)
    assert problem.tests.inputs == (("a b", [1, 2]),)
