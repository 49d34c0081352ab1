from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from codesample.records import Candidate, PublicView
from codesample.rerankers.context import Context
from codesample.rerankers.contract import reranker
from codesample.rerankers.description import FIELDS, Description, describe_reranker
from codesample.rerankers.registry import load_reranker

PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))
BUILT_IN: dict[str, str] = PROJECT["project"]["entry-points"]["codesample.rerankers"]


def test_a_docstring_is_taken_apart() -> None:
    @reranker(per_candidate=True)
    def one(view: PublicView, candidate: Candidate, ctx: Context) -> float | None:
        """Score by nothing.

        Note: this is no field.
        More of it.

        Formula: 0
        Source: nobody,
            anywhere
        Cost: none: nothing
        """
        return 0.0

    assert describe_reranker(one) == Description(
        summary="Score by nothing.",
        text="Note: this is no field.\nMore of it.",
        formula="0",
        source="nobody, anywhere",
        cost="none: nothing",
    )


def test_no_docstring_says_nothing() -> None:
    made = reranker("bare")(lambda view, candidates, ctx: [])
    assert describe_reranker(made) == Description()


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_built_in_says_formula_source_needs_cost_and_leaning(name: str) -> None:
    made = load_reranker(BUILT_IN[name])
    assert made.name == name
    found = describe_reranker(made)
    assert found.summary.endswith(".")
    assert all(getattr(found, field) for field in FIELDS)
    assert all(need in found.needs for need in made.needs)
