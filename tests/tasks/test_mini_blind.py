"""mini_blind: the problems of mini by the same ids, without an example in any prompt."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import pytest

from codesample.errors import DataError
from codesample.records import CodeTests, PublicView
from codesample.tasks.mini import mini, mini_blind
from codesample.testing.tasks import check_task

PAIRS = list(zip(mini().problems(), mini_blind().problems(), strict=True))
ROW = {
    "task_id": "mine/0",
    "entry_point": "f",
    "canonical_solution": "    return x + 1\n",
    "test": "def check(candidate):\n    assert candidate(1) == 2\n",
    "tier": "compose",
}


def signature(prompt: str) -> tuple[str, list[str]]:
    """What a function's prompt says: how it is called, and the lines of its docstring."""
    (function,) = ast.parse(prompt + "    pass\n").body
    assert isinstance(function, ast.FunctionDef)
    lines = [line.strip() for line in (ast.get_docstring(function) or "").rstrip().splitlines()]
    returns = "" if function.returns is None else ast.unparse(function.returns)
    return f"{function.name}({ast.unparse(function.args)}) -> {returns}", lines


def loaded(tmp_path: Path, **changes: Any) -> str:
    path = tmp_path / "mine.jsonl"
    path.write_text(json.dumps(ROW | changes))
    (problem,) = mini_blind(path).problems()
    assert problem.examples == ()
    return problem.prompt


def test_it_keeps_what_a_task_promises() -> None:
    check_task(mini_blind)


def test_ids_tests_and_references_are_those_of_mini() -> None:
    for seen, blind in PAIRS:
        assert seen.task_id == blind.task_id
        assert seen.reference == blind.reference
        assert isinstance(seen.tests, CodeTests)
        assert isinstance(blind.tests, CodeTests)
        assert seen.tests.source == blind.tests.source


def test_the_sentence_and_the_signature_stay_and_the_examples_go() -> None:
    for seen, blind in PAIRS:
        called, said = signature(seen.prompt)
        first = said.index(next(line for line in said if line.startswith(">>>")))
        assert signature(blind.prompt) == (called, said[: first - 1])
        assert said[first - 1] == ""
        assert seen.examples
        assert blind.examples == PublicView.of("mini_blind", blind).examples == ()


def test_no_view_holds_a_call_of_the_function_asked_for() -> None:
    for _, blind in PAIRS:
        assert f"{blind.prompt}{blind.description}".count(f"{blind.entry_point}(") == 2
        assert ">>>" not in blind.prompt


def test_it_is_another_task_than_mini() -> None:
    assert mini_blind().name == "mini_blind"
    assert mini_blind().fingerprint() == "4f8a6b4fb85958532bbae4960b31e680355414086ff029487400ca1840087992"
    assert mini_blind().fingerprint() != mini().fingerprint()


@pytest.mark.parametrize(
    ("docstring", "kept"),
    [
        ("Add one.\n\n    >>> f(1)\n    2\n    ", "Add one.\n    "),
        ("Add one.\n    >>> f(1)\n    2\n\n    >>> f(2)\n    3\n\n    ", "Add one.\n    "),
        ("Add one.\n\n    To x.\n\n\n    >>> f(\n    ... 1)\n    2\n    ", "Add one.\n\n    To x.\n    "),
        ("Add one.\n    ", "Add one.\n    "),
        ("Add one.", "Add one."),
    ],
)
def test_examples_go_with_the_empty_lines_around_them(tmp_path: Path, docstring: str, kept: str) -> None:
    head = 'def f(x):\n    """'
    assert loaded(tmp_path, prompt=f'{head}{docstring}"""\n') == f'{head}{kept}"""\n'


@pytest.mark.parametrize("docstring", ["Add one: f(1) == 2\n    ", "Add one.\n    >>> f(1)\n    2"])
def test_examples_that_cannot_be_taken_out_are_refused(tmp_path: Path, docstring: str) -> None:
    with pytest.raises(DataError, match=r"mine\.jsonl:1: the prompt shows examples elsewhere"):
        loaded(tmp_path, prompt=f'def f(x):\n    """{docstring}"""\n')
