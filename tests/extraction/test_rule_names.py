from __future__ import annotations

from pathlib import Path

import pytest

import codesample.extraction
from codesample.extraction import describe_rules
from codesample.extraction.rule_names import rule_of


def test_the_page_describes_every_part_of_a_rule() -> None:
    page = (Path(codesample.extraction.__file__).parent / "README.md").read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    assert rows == [f"| `{part}` | {meaning} |" for part, meaning in describe_rules().items()]


def test_steps_stand_in_one_order() -> None:
    assert rule_of("fence", "trimmed", "cut") == rule_of("fence", "cut", "trimmed") == "fence+cut+trimmed"


@pytest.mark.parametrize(("place", "step"), [("fences", "cut"), ("fence", "cutting")])
def test_a_rule_that_is_not_described_cannot_be_named(place: str, step: str) -> None:
    with pytest.raises(AssertionError):
        rule_of(place, step)


def test_descriptions_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        describe_rules()["fence"] = ""  # type: ignore[index]
