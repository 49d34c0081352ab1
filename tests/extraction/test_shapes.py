"""Answers in all shapes that models give them, with the program that each one holds: `shapes/*.txt`."""

from __future__ import annotations

import ast
import re
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest

from codesample.extraction import Wanted, describe_rules, extract

SHAPES = Path(__file__).parent / "shapes"

# characters that an editor hides or changes
SIGNS = {
    "@BOM@": "\ufeff",
    "@CR@": "\r",
    "@FENCE@": "```python\n",
    "@FF@": "\f",
    "@NBSP@": "\u00a0",
    "@NL@": "\n",
    "@NUL@": "\0",
    "@SPACE@": " ",
    "@SURROGATE@": "\ud800",
    "@TAB@": "\t",
    "@U2028@": "\u2028",
}


class Shape(NamedTuple):
    title: str
    wanted: Wanted
    answer: str
    rule: str
    program: str


def entries_of(path: Path) -> list[tuple[str, str]]:
    """Return the heading and the text of each entry of a file."""
    parts = re.split(r"^=== ", path.read_text(encoding="utf-8"), flags=re.M)[1:]
    return [(part.partition("\n")[0], part.partition("\n")[2]) for part in parts]


def shapes_of(path: Path, prompts: dict[str, str]) -> list[Shape]:
    found = []
    for heading, text in entries_of(path):
        title, shape, name, prompt, prefill = ([*map(str.strip, heading.split("|")), "", "", "", ""])[:5]
        answer, rule, program = re.split(r"^--- rule (.*)\n", text, flags=re.M)
        wanted = Wanted(shape, name or None, prompts[prompt] if prompt else "", meant(prefill))  # type: ignore[arg-type]
        found.append(Shape(title, wanted, meant(answer.rstrip("\n")), rule, meant(program.rstrip("\n"))))
    return found


def meant(text: str) -> str:
    for sign, character in SIGNS.items():
        text = text.replace(sign, character)
    return text


PROMPTS = {name: text.rstrip("\n") + "\n" for name, text in entries_of(SHAPES / "prompts.txt")}
CASES = [
    pytest.param(shape, id=f"{path.stem}: {shape.title}")
    for path in sorted(SHAPES.glob("*.txt"))
    if path.stem != "prompts"
    for shape in shapes_of(path, PROMPTS)
]
NOTHING_FOUND = {"unparsed", "nameless", "empty", "thinking"}
FOUND = [case for case in CASES if NOTHING_FOUND.isdisjoint(case.values[0].rule.split("+"))]  # type: ignore[union-attr]


def test_there_are_many_shapes_and_no_title_twice() -> None:
    assert len(CASES) >= 300
    assert len({case.id for case in CASES}) == len(CASES)


@pytest.mark.parametrize("shape", CASES)
def test_the_program_of_an_answer(shape: Shape) -> None:
    found = extract(shape.answer, shape.wanted)
    assert (found.rule, found.program.rstrip("\n")) == (shape.rule, shape.program)


@pytest.mark.parametrize("shape", CASES)
def test_spans_are_what_the_program_was_made_of(shape: Shape) -> None:
    found = extract(shape.answer, shape.wanted)
    ends = [0, *(edge for span in found.spans for edge in span), len(shape.answer)]
    assert ends == sorted(ends)
    assert all(begin < end for begin, end in found.spans)
    rest = packed(found.program)
    for begin, end in found.spans:
        before, of_answer, rest = rest.partition(packed(shape.answer[begin:end]))
        assert of_answer == packed(shape.answer[begin:end])
        assert comes_from_the_prompt(before, shape.wanted)
    assert comes_from_the_prompt(rest, shape.wanted)


@pytest.mark.parametrize("shape", FOUND)
def test_a_program_is_its_own_program(shape: Shape) -> None:
    program = extract(shape.answer, shape.wanted).program
    again = extract(program, replace(shape.wanted, prefill=""))
    assert again.program.rstrip("\n") == program.rstrip("\n")
    assert set(again.rule.split("+")) <= {"whole", "value"}


def test_every_part_of_a_rule_is_described_and_met() -> None:
    met = {part for case in CASES for part in case.values[0].rule.split("+")}  # type: ignore[union-attr]
    assert met == set(describe_rules())


def test_what_is_called_unparsed_does_not_parse() -> None:
    for case in CASES:
        shape: Shape = case.values[0]  # type: ignore[assignment]
        if shape.rule.endswith("unparsed") and shape.program.strip() and shape.program[0] != "#":
            with pytest.raises((SyntaxError, ValueError)):
                ast.parse(shape.program)


def packed(text: str) -> str:
    """Return a text without blanks: indentation is changed on the way."""
    return re.sub(r"\s", "", text)


def comes_from_the_prompt(text: str, wanted: Wanted) -> bool:
    """Tell whether a part of a program, without blanks, is made of lines that the model was given."""
    for line in sorted(f"{wanted.prompt}\n{wanted.prefill}".split("\n"), key=len, reverse=True):
        if packed(line):
            text = text.replace(packed(line), "")
    return not text or bool(wanted.name and re.fullmatch(rf"{wanted.name}=\w+\(\)\.{wanted.name}", text))
