"""The mini problems themselves: well formed, right, and tested beyond what their prompts show."""

from __future__ import annotations

import ast
import copy
import json
import re
from collections import Counter
from importlib.resources import files

import pytest

from codesample.tasks.examples import prompt_examples

TEXT = (files("codesample") / "tasks" / "mini" / "problems.jsonl").read_text(encoding="utf-8")
ROWS = [json.loads(line) for line in TEXT.splitlines()]
EXAMPLE = re.compile(r"^    >>> (.*)\n    (.*)$", re.MULTILINE)


def asserts(row: dict) -> list[ast.Assert]:
    return [node for node in ast.walk(ast.parse(row["test"])) if isinstance(node, ast.Assert)]


def load(row: dict) -> dict:
    namespace: dict = {}
    exec(row["prompt"] + row["canonical_solution"] + "\n" + row["test"], namespace)
    return namespace


def call_of(node: ast.Assert) -> ast.Call:
    assert isinstance(node.test, ast.Compare)
    assert isinstance(node.test.left, ast.Call)
    return node.test.left


def arguments_of(call: ast.expr) -> tuple[str, ...]:
    assert isinstance(call, ast.Call)
    return tuple(ast.dump(argument) for argument in call.args)


def test_there_are_at_least_84_problems_in_three_tiers():
    tiers = Counter(row["tier"] for row in ROWS)
    assert sum(tiers.values()) >= 84
    assert set(tiers) == {"compose", "combine", "algorithm"}
    assert tiers["algorithm"] >= 12


def test_ids_count_up_and_names_are_distinct():
    assert [row["task_id"] for row in ROWS] == [f"mini/{i}" for i in range(len(ROWS))]
    assert len({row["entry_point"] for row in ROWS}) == len(ROWS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["entry_point"])
class TestProblem:
    def test_row_has_the_published_form(self, row):
        assert row["prompt"].startswith(f"def {row['entry_point']}(")
        assert row["prompt"].endswith('\n    """\n')
        assert row["canonical_solution"].startswith("    ")
        assert row["canonical_solution"].endswith("\n")

    def test_canonical_solution_passes(self, row):
        namespace = load(row)
        namespace["check"](namespace[row["entry_point"]])

    def test_examples_are_true(self, row):
        namespace = load(row)
        examples = EXAMPLE.findall(row["prompt"])
        assert 2 <= len(examples) <= 3
        assert len(prompt_examples(row["prompt"], row["entry_point"])) == len(examples)
        for call, expected in examples:
            assert repr(eval(call, namespace)) == expected

    def test_hidden_tests_go_beyond_the_examples(self, row):
        shown = {
            arguments_of(ast.parse(call, mode="eval").body) for call, _ in EXAMPLE.findall(row["prompt"])
        }
        hidden = [node for node in asserts(row) if arguments_of(call_of(node)) not in shown]
        assert len(asserts(row)) >= 12
        assert len(hidden) >= 10

    def test_arguments_are_plain_data_that_the_solution_leaves_alone(self, row):
        function = load(row)[row["entry_point"]]
        for node in asserts(row):
            arguments = [ast.literal_eval(argument) for argument in call_of(node).args]
            before = copy.deepcopy(arguments)
            function(*arguments)
            assert arguments == before

    def test_a_constant_answer_does_not_pass(self, row):
        check = load(row)["check"]
        expected = [ast.literal_eval(node.test.comparators[0]) for node in asserts(row)]
        for value in {repr(v): v for v in expected}.values():
            with pytest.raises(AssertionError):
                check(lambda *_, value=value: value)
