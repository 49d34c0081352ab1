"""docs/policies.md names every policy and every parameter that there is, and shows a policy that conforms."""

from __future__ import annotations

import importlib
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

from codesample.policies.axes import CHOICES, axis_class
from codesample.policies.contract import SparsePolicy
from codesample.records import Policy
from codesample.testing.policies import check_policy

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "policies.md").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
BUILT_IN: dict[str, str] = PROJECT["project"]["entry-points"]["codesample.policies"]


def kind_of(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(module), name)


def test_the_table_has_a_row_for_each_policy_and_no_other() -> None:
    assert re.findall(r"^\| `([\w-]+)` \| .* arXiv:", PAGE, re.MULTILINE) == list(BUILT_IN)


@pytest.mark.parametrize("name", BUILT_IN)
def test_its_parameters_are_named(name: str) -> None:
    kind = kind_of(BUILT_IN[name])
    shared = SparsePolicy.parameters()
    for parameter in kind.parameters():
        assert f"`{parameter}`" in PAGE
    for parameter in shared:
        shown = re.search(rf"^\| `{parameter}` \| (.*?) \|", PAGE, re.MULTILINE)
        assert shown is not None
        if parameter in kind.parameters():
            default = str(getattr(kind(), parameter)).lower().removesuffix(".0")
            assert default in shown[1]


@pytest.mark.parametrize("name", [f"{axis}={name}" for axis, found in CHOICES.items() for name in found])
def test_what_other_axes_can_be_set_to_has_a_row_and_its_parameters_are_named(name: str) -> None:
    assert re.search(rf"^\| `{name}` \| .* (arXiv:|\| own \|)", PAGE, re.MULTILINE)
    for parameter in axis_class(*name.split("=")).parameters():
        assert re.search(rf"`{parameter}`|\b{parameter}=", PAGE)


@pytest.mark.parametrize("text", re.findall(r"(?:--policy |with_policy\()\"(.*?)\"", PAGE))
def test_policies_that_are_shown_can_be_read(text: str) -> None:
    assert not Policy.parse(text).is_exact


def test_the_policy_that_is_shown_conforms() -> None:
    code = re.search(r"from codesample.policies.contract.*?(?=```)", PAGE, re.DOTALL)
    assert code is not None
    names: dict[str, Any] = {"dataclass": dataclass, "torch": torch}
    exec(code[0], names)
    check_policy(names["Recent"])
