"""Policies by name: the built-in ones through the entry points, others beside them, and what is refused."""

from __future__ import annotations

import sys
import tomllib
import types
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from codesample import plugins
from codesample.errors import CodesampleError, ParameterError, PolicyError, UnknownNameError
from codesample.policies.contract import PrefixPolicy, SparsePolicy
from codesample.policies.quest import Quest
from codesample.policies.registry import prefix_policy
from codesample.records import Policy

PROJECT = tomllib.loads((Path(__file__).resolve().parents[2] / "pyproject.toml").read_text(encoding="utf-8"))
BUILT_IN: dict[str, str] = PROJECT["project"]["entry-points"]["codesample.policies"]


@dataclass(frozen=True)
class Theirs(SparsePolicy):
    """Another author's."""

    name = "theirs"
    depth: int = 2

    def prepare(self, layers):
        return [None] * len(layers)

    def select(self, ask, state):
        return None


class Raising(Theirs):
    name = "raising"

    def __init__(self) -> None:
        raise OSError("no such thing")


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Install the built-in policies, as the project file names them, and some others."""
    theirs = types.ModuleType("theirs_module")
    for value in (Theirs, Raising):
        setattr(theirs, value.__name__, value)
    vars(theirs).update(number=3, Other=Theirs, Abstract=PrefixPolicy)
    monkeypatch.setitem(sys.modules, "theirs_module", theirs)
    others = {
        "theirs": "Theirs",
        "raising": "Raising",
        "number": "number",
        "other": "Other",
        "none": "Abstract",
    }
    places = {**BUILT_IN, **{name: f"theirs_module:{value}" for name, value in others.items()}}
    places["gone"] = "no_such_module:Gone"
    group = "codesample.policies"
    entries = [EntryPoint(name, value, group) for name, value in places.items()]
    monkeypatch.setattr(plugins, "entry_points", lambda group: entries)


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_built_in_policy_is_called_as_it_is_installed(name: str) -> None:
    policy = prefix_policy(name)
    assert policy.name == name
    assert (policy.__doc__ or "").strip()
    assert "Source: arXiv:" in (policy.__doc__ or "")


def test_parameters_reach_the_policy() -> None:
    assert prefix_policy("quest(keep=0.5, page=8)") == Quest(keep=0.5, page=8)
    assert prefix_policy(Policy("quest", (("keep", 0.5),))) == Quest(keep=0.5)
    assert prefix_policy("theirs(depth=3, guard=1)") == Theirs(depth=3, guard=1)


def test_what_is_recorded_says_everything_but_what_changes_nothing() -> None:
    text = "quest(first=1, guard=4096, keep=0.2, last=1, page=16, pool=true, refresh=8, similarity=0.0)"
    assert prefix_policy("quest").spelt == text
    assert prefix_policy("quest(audit=8)").spelt == text
    assert prefix_policy("exact").spelt == "exact"
    # and is a policy that can be asked for
    assert prefix_policy(text) == Quest()


@pytest.mark.parametrize(
    ("text", "error", "said"),
    [
        ("qest", UnknownNameError, "did you mean 'quest'"),
        ("quest(kep=0.2)", ParameterError, "policy 'quest' has no parameter 'kep'; did you mean 'keep'?"),
        ("exact(keep=0.2)", ParameterError, "policy 'exact' has no parameter 'keep'; it takes none"),
        ("quest(keep=2)", ParameterError, "policy 'quest': keep = 2: expected a number in"),
        ("quest(keep=word)", ParameterError, "policy 'quest': keep = 'word'"),
        ("quest(pool=3)", ParameterError, "policy 'quest': pool = 3"),
        ("gone", PolicyError, "policy 'gone' .* could not be loaded"),
        ("number", PolicyError, "policy 'number' is 3, expected a class"),
        ("none", PolicyError, "policy 'none' is .*, expected a class"),
        ("other", PolicyError, "policy 'other' calls itself 'theirs'"),
        ("raising", PolicyError, "policy 'raising' could not be made: OSError: no such thing"),
    ],
)
def test_what_cannot_be_used_is_refused_by_name(text: str, error: type[CodesampleError], said: str) -> None:
    with pytest.raises(error, match=said):
        prefix_policy(text)


@pytest.mark.parametrize("alien", [3, None, object()])
def test_aliens_are_refused(alien: Any) -> None:
    with pytest.raises(ParameterError):
        prefix_policy(alien)
