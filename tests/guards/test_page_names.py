"""A name on a page that leads nowhere is reported, and nothing else."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from page_names import layers, missing_bare_names, missing_names, repeated_terms, section
from source_tree import SourceTree

Plant = Callable[[dict[str, str]], SourceTree]

WRITES = {"codesample/low/file.py": "NAME = 'results.json'\nplace = 'scores'\nfull = 'runs/run.json'\n"}


@pytest.mark.parametrize(
    "quoted",
    [
        "codesample/low/thing.py",
        "rerankers/",
        "codesample.low.thing",
        "codesample.low.thing.Thing",
        "codesample.low.thing.Thing.size",
        "codesample.low.thing.Thing.grow",
        "codesample.low.thing.Thing.grown",
        "codesample.high.enter",
        "codesample.enter",
        "python -m codesample.low.thing --out DIR",
        "call(codesample.high.door.enter, 1)",
        "results.json",
        "run.json",
        "scores/",
        "scores/NAME.jsonl",
        "thing.py",
        "file.py:name",
        "--data FILE",
        "torch.compile",
        "2.13",
    ],
)
def test_what_exists_is_not_reported(quoted: str, plant: Plant) -> None:
    assert missing_names(f"Text `{quoted}` text.", plant(WRITES)) == []


@pytest.mark.parametrize(
    ("quoted", "missing"),
    [
        ("codesample/low/gone.py", "codesample/low/gone.py"),
        ("tests/gone/", "tests/gone/"),
        ("codesample.gone", "codesample.gone"),
        ("codesample.low.thing.Gone", "codesample.low.thing.Gone"),
        ("codesample.low.thing.Thing.gone", "codesample.low.thing.Thing.gone"),
        ("codesample.low.thing.Thing.size.gone", "codesample.low.thing.Thing.size.gone"),
        ("python -m codesample.low.gone --out DIR", "codesample.low.gone"),
        ("gone.json", "gone.json"),
        ("gone/NAME.jsonl", "gone/NAME.jsonl"),
        ("gone/", "gone/"),
    ],
)
def test_what_does_not_exist_is_reported(quoted: str, missing: str, plant: Plant) -> None:
    assert missing_names(f"Text `{quoted}` and `results.json`.", plant(WRITES)) == [missing]


def test_blocks_of_code_are_not_prose(plant: Plant) -> None:
    assert missing_names("```\n`gone.json`\n```\nand `run.json`\n", plant(WRITES)) == []


PAGE = """# Map

## Words

A **thing** is a `Thing`, made in `door`, once `{quoted}`.

## Which way arrows point

```
top  ->  left, right  ->  bottom
```

Text with `{elsewhere}`.
"""


@pytest.mark.parametrize("quoted", ["Thing", "Thing.size", "low", "thing", "enter", "None", "codesample low"])
def test_bare_names_that_exist_are_not_reported(quoted: str, plant: Plant) -> None:
    page = PAGE.format(quoted=quoted, elsewhere="lower_case_word")
    assert missing_bare_names(page, plant({})) == []


@pytest.mark.parametrize("quoted", ["Gone", "Thing.gone", "gone"])
def test_a_bare_name_of_the_glossary_that_stands_for_nothing_is_reported(quoted: str, plant: Plant) -> None:
    assert missing_bare_names(PAGE.format(quoted=quoted, elsewhere="Thing"), plant({})) == [quoted]


def test_a_class_that_the_rest_of_the_page_names_must_exist_as_well(plant: Plant) -> None:
    assert missing_bare_names(PAGE.format(quoted="Thing", elsewhere="Gone"), plant({})) == ["Gone"]


def test_a_term_defined_twice_is_reported() -> None:
    assert repeated_terms(PAGE) == []
    assert repeated_terms(PAGE.replace("made", "a **Thing** again, made")) == ["thing"]


def test_the_picture_is_read_layer_by_layer() -> None:
    assert layers(PAGE) == [{"top"}, {"left", "right"}, {"bottom"}]


def test_a_section_ends_where_the_next_begins() -> None:
    assert "bottom" not in section(PAGE, "Words")
    assert section(PAGE, "Gone") == ""
