"""Tests that a data set's own columns bring: which are read, what they judge, and what is refused."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

from codesample import RunOptions, rewards
from codesample.errors import DataError, ParameterError

TWO = RunOptions(workers=2)
ADD = 'def add(x):\n    """Return x + 1."""\n'
RIGHT, WRONG = "    return x + 1\n", "    return x\n"
ASSERTS = ["assert add(1) == 2", "assert add(-1) == 0", "assert add(0) == 1", "assert add(5) == 5 + 1"]


def score(prompt: Any, completions: list[Any], *, options: dict[str, Any] | None = None, **row: Any) -> Any:
    reward = rewards.for_trl(run=TWO, **(options or {}))
    columns = {name: [value] * len(completions) for name, value in row.items()}
    return reward(prompts=[prompt] * len(completions), completions=completions, **columns)


@pytest.mark.parametrize("name", ["test", "tests"])
def test_tests_may_be_a_text(name: str) -> None:
    assert score(ADD, [RIGHT, WRONG], **{name: "\n".join(ASSERTS)}) == [1.0, 0.0]


def test_tests_may_be_a_list_of_which_each_is_a_check() -> None:
    body = "    return x + 1 if x < 5 else 0\n"
    got = score(ADD, [RIGHT, body], options={"partial": True}, test=ASSERTS, entry_point="add")
    assert got == [1.0, 0.75]


def test_columns_of_other_names_are_named() -> None:
    options = {"columns": {"test": "test_cases", "entry_point": "fn", "task_id": "id"}}
    assert score(ADD, [RIGHT, WRONG], options=options, test_cases=ASSERTS, fn="add", id="a") == [1.0, 0.0]
    with pytest.raises(ParameterError, match="columns: no field is called 'asserts'"):
        rewards.for_trl(columns={"asserts": "test"})


@pytest.mark.parametrize(
    "io",
    [
        [{"input": "1\n", "output": "2\n"}, {"input": "5\n", "output": "6\n"}],
        {"inputs": ["1\n", "5\n"], "outputs": ["2\n", "6\n"]},
        '{"inputs": ["1\\n", "5\\n"], "outputs": ["2\\n", "6\\n"]}',
        np.array([{"input": "1\n", "output": "2\n"}, {"input": "5\n", "output": "6\n"}], dtype=object),
    ],
    ids=["pairs", "two lists", "JSON", "array"],
)
def test_scripts_are_judged_by_what_they_print(io: Any) -> None:
    written = ["```python\nprint(int(input()) + 1)\n```", "print(2)"]
    assert score("Add one to a number.", written, options={"partial": True}, io=io) == [1.0, 0.5]


def test_an_answer_to_a_prompt_in_words_is_searched_for_its_program() -> None:
    answer = "Here you are:\n```python\ndef add(x):\n    return x + 1\n```\nGood luck!"
    messages = [{"role": "assistant", "content": answer}]
    assert score("Write add.", [answer], test=ASSERTS) == [1.0]
    conversation = [
        {"role": "system", "content": "Be brief.", "name": None},
        {"role": "user", "content": "?"},
    ]
    assert score(conversation, [messages], test=ASSERTS) == [1.0]


def test_a_column_of_a_known_name_that_grades_nothing_is_left_alone() -> None:
    assert score(ADD, [RIGHT], test=ASSERTS, metadata="a text", completion=7, stop=3, examples=1) == [1.0]


def test_a_reward_that_has_read_rows_can_be_pickled() -> None:
    reward = rewards.for_trl(run=TWO)
    rows: dict[str, Any] = {"prompts": [ADD], "completions": [RIGHT], "test": [ASSERTS]}
    assert reward(**rows) == pickle.loads(pickle.dumps(reward))(**rows) == [1.0]


def test_rows_of_one_batch_may_bring_different_kinds_of_tests() -> None:
    reward = rewards.for_trl(run=TWO)
    got = reward(
        prompts=[ADD, "Print 4."],
        completions=[RIGHT, "print(4)"],
        test=["\n".join(ASSERTS), None],
        io=[None, [{"input": "", "output": "4\n"}]],
        entry_point=["add", None],
    )
    assert got == [1.0, 1.0]


@pytest.mark.parametrize(
    ("row", "error", "message"),
    [
        ({"answer": "4"}, ParameterError, "a row holds no tests: none of test, tests, io; columns: answer"),
        ({"test": [1, 2]}, DataError, "test is a list; expected texts of Python"),
        ({"test": "add(1) == 2"}, DataError, "line 1 of the tests .* every program would pass"),
        ({"test": ["assert add(1) == 2", "add(2) == 3"]}, DataError, "every program would pass"),
        ({"io": "{"}, DataError, "io is a text that is no JSON"),
        ({"io": {"inputs": ["1"], "outputs": []}}, DataError, "io holds no two lists of equal length"),
        ({"test": "assert add(1)", "time_limit": -1}, DataError, "time_limit -1"),
        ({"test": "assert add(1)", "entry_point": "a b"}, DataError, "'a b' is not a Python name"),
    ],
)
def test_what_is_no_test_is_refused(row: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        score(ADD, [RIGHT], **row)


def test_tests_that_a_row_wants_beside_the_program_are_not_judged_unless_accepted() -> None:
    row = {"test": "assert add(1) == 2", "in_process": True}
    assert score(ADD, [RIGHT], **row) == [None]
    accepting = {"run": RunOptions(workers=2, integrity="any")}
    reward = rewards.for_trl(**accepting)
    assert reward(prompts=[ADD], completions=[RIGHT], test=[row["test"]], in_process=[True]) == [1.0]


def test_a_module_that_is_not_installed_is_no_fault_of_the_program() -> None:
    assert score(ADD, [RIGHT], test=ASSERTS, imports=["no_such_module_here"]) == [None]
