from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from codesample.errors import DataError, ParameterError
from codesample.records import Problem
from codesample.tasks.contract import Task
from codesample.tasks.mbpp import SPLITS, Config, mbpp_task
from codesample.tasks.registry import load_task

FORMS = {"mbpp": ("mbpp.jsonl", 974, 500), "mbpp_sanitized": ("sanitized-mbpp.json", 427, 257)}


@pytest.fixture(scope="module", params=sorted(FORMS))
def task(request: pytest.FixtureRequest, published: Callable[[str], Path]) -> Task:
    return load_task(request.param, data=published(FORMS[request.param][0]))


@pytest.fixture(scope="module")
def full(published: Callable[[str], Path]) -> Task:
    return load_task("mbpp", data=published("mbpp.jsonl"))


def _run_reference(task: Task, problem: Problem) -> None:
    names: dict[str, object] = {}
    exec(problem.tests.stub, names)
    exec(task.program(problem, problem.reference or ""), names)
    exec(problem.tests.source, names)
    for check in problem.tests.checks:
        exec(check, names)


def test_the_test_split_is_evaluated_and_every_row_is_at_hand(task: Task) -> None:
    _, rows, evaluated = FORMS[task.name]
    assert (len(task.all_problems()), len(task.problems())) == (rows, evaluated)
    numbers = [problem.metadata["number"] for problem in task.problems()]
    assert numbers == sorted(numbers)
    assert set(numbers) <= set(range(11, 511))


@pytest.mark.whole
@pytest.mark.filterwarnings("ignore:invalid escape sequence")
def test_every_reference_of_every_split_passes_its_tests(task: Task) -> None:
    for problem in task.all_problems():
        _run_reference(task, problem)


def test_the_prompt_is_the_published_three_shot_form(full: Task) -> None:
    problem = full.problems()[0]
    sentence = "You are an expert Python programmer, and here is your task: "
    assert problem.prompt.count(sentence) == 4
    assert problem.prompt.count("\n[BEGIN]\n") == 4
    assert problem.prompt.count("\n[DONE]\n\n") == 3
    assert problem.description == (
        f"{sentence}Write a python function to remove first and last occurrence of a given character from "
        "the string. Your code should pass these tests:\n\n"
        'assert remove_Occ("hello","l") == "heo"\n'
        'assert remove_Occ("abcda","a") == "bcd"\n'
        'assert remove_Occ("PHP","P") == "H"\n[BEGIN]\n'
    )
    assert full.stop == ("[DONE]",)


def test_all_prompts_share_one_header_of_problems_2_3_and_4(task: Task) -> None:
    (header,) = {problem.header for problem in task.all_problems()}
    for name in ("similar_elements", "is_not_prime", "heap_queue_largest"):
        assert f"def {name}(" in header
    for problem in task.problems():
        assert problem.prompt == header + problem.description


def test_windows_line_ends_of_the_data_reach_neither_prompts_nor_tests(task: Task) -> None:
    for problem in task.all_problems():
        assert "\r" not in problem.prompt + (problem.reference or "") + problem.tests.source
        assert not any("\r" in check for check in problem.tests.checks)


def test_the_shown_asserts_are_not_offered_as_public_examples(task: Task) -> None:
    assert all(problem.examples == () for problem in task.all_problems())
    problem = task.problems()[0]
    assert all(check in problem.prompt for check in problem.tests.checks)


@pytest.mark.parametrize("number", [367, 927])
def test_set_up_code_runs_before_the_checks(full: Task, number: int) -> None:
    problem = full.all_problems()[number - 1]
    assert "root = Node(1)" in problem.tests.source
    _run_reference(full, problem)


def test_test_imports_reach_the_tests(published: Callable[[str], Path]) -> None:
    task = load_task("mbpp_sanitized", data=published("sanitized-mbpp.json"))
    imports = [p.metadata["number"] for p in task.all_problems() if "import math" in p.tests.source]
    assert len(imports) == 13


def test_modules_that_only_the_solution_imports_are_imported_for_the_tests(full: Task) -> None:
    stubs = {p.metadata["number"]: p.tests.stub for p in full.all_problems() if p.tests.stub}
    assert set(stubs.values()) == {"import sys\n"}
    for number in stubs:
        assert any("sys." in check for check in full.all_problems()[number - 1].tests.checks)


def test_every_problem_names_the_function_that_its_asserts_call(task: Task) -> None:
    for problem in task.all_problems():
        assert problem.entry_point is not None
        assert problem.tests.entry_point == problem.entry_point
        assert f"{problem.entry_point}(" in problem.description.replace(" (", "(")


def test_a_function_may_bear_a_built_in_name(full: Task) -> None:
    assert full.all_problems()[125].entry_point == "sum"


def test_no_problem_is_judged_beside_the_program_by_order(task: Task) -> None:
    assert {p.tests.mode for p in task.all_problems()} == {"auto"}


def test_the_program_is_the_completion_alone(full: Task) -> None:
    assert full.program(full.problems()[0], "def f(): pass\n") == "def f(): pass\n"


def test_data_without_the_prompt_split_is_refused_with_the_reason(tmp_path: Path) -> None:
    row = {"text": "Do.", "code": "def f(): pass", "test_setup_code": "", "test_list": ["assert f() is None"]}
    path = tmp_path / "part.jsonl"
    path.write_text("".join(json.dumps({**row, "task_id": number}) + "\n" for number in (2, 11, 12)))
    with pytest.raises(DataError, match=r"problems \[3, 4\] are missing; .*2, 3 and 4"):
        load_task("mbpp", data=path).problems()


def test_a_solution_that_is_not_python_is_named_by_file_and_line(tmp_path: Path) -> None:
    row = {"task_id": 2, "text": "Do.", "code": "def f(:", "test_setup_code": "", "test_list": ["assert f()"]}
    path = tmp_path / "bad.jsonl"
    path.write_text(json.dumps(row) + "\n")
    with pytest.raises(DataError, match=r"bad\.jsonl:1: code or test_list is not Python"):
        load_task("mbpp", data=path).problems()


def test_the_other_form_of_the_data_is_refused_by_its_name(published: Callable[[str], Path]) -> None:
    with pytest.raises(
        DataError,
        match=r"mbpp\.jsonl: is no data of mbpp_sanitized; it looks like MBPP: codesample eval mbpp --data",
    ):
        load_task("mbpp_sanitized", data=published("mbpp.jsonl")).problems()


def test_the_tests_know_the_program_that_the_reference_makes(task: Task) -> None:
    for problem in task.all_problems():
        assert problem.tests.reference == task.program(problem, problem.reference or "")


@pytest.mark.parametrize("config", ["mbpp", "mbpp_sanitized"])
def test_without_examples_the_prompt_is_a_docstring_of_sentence_and_asserts(
    config: str, published: Callable[[str], Path]
) -> None:
    file = published(FORMS[config][0])
    task, shown = load_task(f"{config}_zero_shot", data=file), load_task(config, data=file)
    assert [p.tests for p in task.problems()] == [p.tests for p in shown.problems()]
    for problem in task.problems():
        first, sentence, *asserts, last, end = problem.prompt.split("\n")
        assert (first, last, end, problem.header) == ('"""', '"""', "", "")
        assert (problem.metadata["sentence"], "\n".join(problem.tests.checks)) == (
            sentence,
            "\n".join(asserts),
        )
    assert task.program(task.problems()[0], "def f(): pass\n") == "def f(): pass\n"
    assert task.fingerprint() != shown.fingerprint()


@pytest.mark.parametrize("commit", ["dd5d44b", "c9403ae"])
def test_the_docstring_is_that_of_recorded_generations(commit: str, published: Callable[[str], Path]) -> None:
    recorded = json.loads(published(f"recorded/bigcode_{commit}_generations_mbpp.json").read_text())
    problems = load_task("mbpp_zero_shot", data=published("mbpp.jsonl")).problems()
    assert len(recorded) == len(problems) == 500
    for (program,), problem in zip(recorded, problems, strict=True):
        assert program.startswith(problem.prompt)


def test_without_examples_the_data_need_no_prompt_split(tmp_path: Path) -> None:
    row = {"text": "Do.", "code": "def f(): pass", "test_setup_code": "", "test_list": ["assert f() is None"]}
    path = tmp_path / "part.jsonl"
    path.write_text(json.dumps({**row, "task_id": 12}) + "\n")
    (problem,) = load_task("mbpp_zero_shot", data=path).problems()
    assert problem.prompt == '"""\nDo.\nassert f() is None\n"""\n'


@pytest.mark.parametrize("config", ["full", "sanitized"])
def test_the_splits_are_the_published_ones(config: Config, published: Callable[[str], Path]) -> None:
    file = published({"full": "mbpp.jsonl", "sanitized": "sanitized-mbpp.json"}[config])
    sizes = {"full": (10, 500, 90, 374), "sanitized": (7, 257, 43, 120)}[config]
    tasks = [mbpp_task(file, config=config, split=split, shots=0) for split in SPLITS]
    every = tasks[0].all_problems()
    found = [[problem for problem in every if task.in_split(problem)] for task in tasks]
    assert tuple(map(len, found)) == sizes
    assert tuple(task.facts.problems for task in tasks) == sizes
    assert len({task.name for task in tasks}) == len(SPLITS)
    assert [problem for split in found for problem in split] == list(every)


def test_another_split_or_number_of_examples_is_refused() -> None:
    with pytest.raises(
        ParameterError, match="split = 'dev': expected one of prompt, test, validation, train"
    ):
        mbpp_task(split="dev")
    with pytest.raises(ParameterError, match="shots = 1: expected 3, the published examples, or 0"):
        mbpp_task(shots=1)


def test_the_other_splits_have_the_published_prompt_too(published: Callable[[str], Path]) -> None:
    file = published("sanitized-mbpp.json")
    for split, first in (("validation", 554), ("train", 602)):
        problem = mbpp_task(file, config="sanitized", split=split).problems()[0]
        assert problem.task_id == f"Mbpp/{first}"
        assert problem.prompt.count("\n[BEGIN]\n") == 4
