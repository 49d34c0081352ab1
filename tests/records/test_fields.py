"""What is said of a field once holds everywhere: for checks, for help, for the command line."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import pytest

from codesample.engines.model_options import ModelOptions
from codesample.errors import ParameterError
from codesample.evaluation.options import RunOptions
from codesample.records import SamplingParams
from codesample.records.fields import check_settings, options_of, setting


@dataclass(frozen=True)
class Sizes:
    width: int = setting(3, "How wide.", expected="an odd number", holds=lambda value: value % 2 == 1)
    hidden: int = setting(0, "Not on the command line.", flag=None)
    plain: str = "no setting"

    def __post_init__(self) -> None:
        check_settings(self)


def test_a_value_is_checked_where_the_record_is_made() -> None:
    assert Sizes(width=5).width == 5
    with pytest.raises(ParameterError, match=r"^width = 4: expected an odd number$"):
        Sizes(width=4)


def test_a_value_of_a_type_that_cannot_be_checked_is_refused_alike() -> None:
    with pytest.raises(ParameterError, match="width = None: expected an odd number"):
        Sizes(width=None)  # type: ignore[arg-type]


def test_the_command_line_takes_what_was_declared_for_it() -> None:
    assert list(options_of(Sizes)) == ["width"]
    assert options_of(Sizes)["width"].help == "How wide."


@pytest.mark.parametrize("record", [SamplingParams, ModelOptions, RunOptions])
def test_every_field_of_a_record_that_users_set_has_help(record: type[Any]) -> None:
    declared = options_of(record)
    # a judge is an object, which a command line has no words for, and tests have options of their own
    elsewhere = {"judge", "tests"}
    assert [each.name for each in fields(record) if each.name not in elsewhere] == list(declared)
    assert all(each.help.endswith((".", "...")) for each in declared.values())
