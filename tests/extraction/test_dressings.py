"""Every reference of the published sets, dressed as an answer, is found again."""

from __future__ import annotations

import ast
import gzip
import json
import textwrap
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from codesample.extraction import Wanted, extract


def indented(text: str, by: str) -> str:
    return "".join(by + line for line in text.splitlines(keepends=True))


# from prompt and body to an answer
DRESSINGS: dict[str, Callable[[str, str], str]] = {
    "fence and prose": lambda p, b: f"Here you go:\n\n```python\n{p}{b}```\n\nHope it helps: it's O(n).",
    "half a fence": lambda p, b: f"```python\n{p}{b}",
    "as it is": lambda p, b: p + b,
    "prose around": lambda p, b: (
        f"Sure, here's what you (asked for:\n\n{p}{b}\n\nIt isn't tested.\nprint(foo(1))"
    ),
    "body": lambda p, b: b,
    "body in a fence": lambda p, b: f"```python\n{b}```",
    "body without indentation": lambda p, b: textwrap.dedent(b),
    "body without the first line's": lambda p, b: b.lstrip(),
    "body and chatter": lambda p, b: (
        f"{b}\ndef other(x):\n    return (\n\nprint(other(3))\nn = int(input())\n"
    ),
    "thinking": lambda p, b: f"<think>\n```python\ndef x(): pass\n```\n</think>\n\n```python\n{p}{b}\n```",
    "list": lambda p, b: "1. Code:\n\n   ```python\n" + indented(p + b, "   ") + "   ```\n2. Done",
    "tildes and a token": lambda p, b: f"~~~~py\n{p}{b}~~~~<|im_end|>",
    "ends of lines": lambda p, b: f"```python\n{p}{b}```\n".replace("\n", "\r\n"),
    "quotation": lambda p, b: indented(f"Here:\n```python\n{p}{b}```\n", "> "),
    "Markdown": lambda p, b: f"````markdown\nIntro\n```python\n{p}{b}```\n````\n",
    "indented as a block": lambda p, b: "Code:\n\n" + indented(p.lstrip("\n") + b, "    ") + "\nThat is it.",
}


def names(source: str) -> set[str]:
    return {node.name for node in parsed(source) if isinstance(node, ast.FunctionDef)}


def parsed(source: str) -> list[ast.stmt]:
    with warnings.catch_warnings():
        # some references hold escapes such as "\\d" outside of raw strings
        warnings.simplefilter("ignore")
        return ast.parse(source).body


def definition(source: str, name: str) -> str:
    found = [node for node in parsed(source) if getattr(node, "name", None) == name]
    return ast.dump(found[-1])


@pytest.mark.parametrize("dressing", DRESSINGS.values(), ids=DRESSINGS.keys())
def test_references_of_humaneval_are_found(
    dressing: Callable[[str, str], str], published: Callable[[str], Path]
) -> None:
    with gzip.open(published("HumanEval.jsonl.gz"), "rt", encoding="utf-8") as file:
        problems = [json.loads(line) for line in file]
    for problem in problems:
        prompt, body, name = problem["prompt"], problem["canonical_solution"], problem["entry_point"]
        found = extract(dressing(prompt, body), Wanted("function", name, prompt))
        assert definition(found.program, name) == definition(prompt + body, name), problem["task_id"]
        assert names(prompt) <= names(found.program), problem["task_id"]


def test_references_of_humaneval_are_their_own_programs(published: Callable[[str], Path]) -> None:
    with gzip.open(published("HumanEval.jsonl.gz"), "rt", encoding="utf-8") as file:
        problems = [json.loads(line) for line in file]
    rules = []
    for problem in problems:
        program = problem["prompt"] + problem["canonical_solution"]
        found = extract(program, Wanted("function", problem["entry_point"], problem["prompt"]))
        rules.append(found.rule)
        assert found.program.rstrip() == program.strip("\n").rstrip(), problem["task_id"]
    assert set(rules) == {"whole"}


def test_solutions_of_mbpp_are_found_in_fences(published: Callable[[str], Path]) -> None:
    with published("mbpp.jsonl").open(encoding="utf-8") as file:
        entries = [json.loads(line) for line in file]
    for entry in entries:
        code = entry["code"].replace("\r\n", "\n")
        for name in names(code):
            found = extract(f"```python\n{code}\n```\nExamples follow.", Wanted("function", name))
            assert definition(found.program, name) == definition(code, name), entry["task_id"]


def test_classes_are_found_in_fences(published: Callable[[str], Path]) -> None:
    with gzip.open(published("tasks/ClassEval_data.json.gz"), "rt", encoding="utf-8") as file:
        entries = json.load(file)
    for entry in entries:
        code, name = entry["solution_code"], entry["class_name"]
        found = extract(f"Here:\n```python\n{code}\n```", Wanted("class", name, entry["skeleton"]))
        assert definition(found.program, name) == definition(code, name), entry["task_id"]
