from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal, Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codesample.errors import ParameterError
from codesample.records import Candidate, PublicView
from codesample.rerankers.compose import then
from codesample.rerankers.context import Context
from codesample.rerankers.contract import Reranker, require_supplied, reranker
from codesample.rerankers.expression import Named, parse
from codesample.rerankers.parameters import Bounds, parameters_of


@reranker
def many(
    view: PublicView,
    candidates: Sequence[Candidate],
    ctx: Context,
    *,
    count: Annotated[int, Bounds(least=1)] = 3,
    power: float = 1.0,
    model: str | None = None,
    kind: Literal["sum", "mean"] = "sum",
    flag: bool = False,
    old: Optional[int] = None,  # noqa: UP045
    bare=2,  # type: ignore[no-untyped-def]
) -> list[float | None]:
    """Say something."""
    return [count * power + bare + len(model or "") + flag + (kind == "mean")] * len(candidates)


@reranker
def needy(
    view: PublicView, candidates: Sequence[Candidate], ctx: Context, *, model: str, top: int = 1
) -> list[float | None]:
    return [float(len(model)) for _ in candidates]


def test_a_function_is_given_its_parameters(
    view: PublicView, candidates: Sequence[Candidate], ctx: Context
) -> None:
    assert many.score(view, candidates[:1], ctx) == [5.0]
    other = many.with_parameters(count=2, power=3, model="ab", kind="mean", flag=True, bare=0)
    assert other.score(view, candidates[:1], ctx) == [10.0]
    assert other.name == "many(count=2, power=3.0, model=ab, kind=mean, flag=True, bare=0)"
    assert (other.needs, other.independent, other.__doc__) == (many.needs, False, "Say something.")
    assert many.parameters["count"] == 3


def test_one_candidates_scorer_has_parameters_too(
    view: PublicView, candidates: Sequence[Candidate], ctx: Context
) -> None:
    @reranker(per_candidate=True)
    def longer(view: PublicView, candidate: Candidate, ctx: Context, *, than: int = 0) -> float | None:
        return float(len(candidate.completion) - than)

    assert longer.with_parameters(than=10).score(view, candidates[:1], ctx) == [6.0]
    assert longer.with_parameters(than=10).independent


def test_the_name_tells_what_differs_from_the_defaults_in_the_order_of_the_function() -> None:
    assert many.with_parameters(count=3, power=1, model=None).name == "many"
    made = many.with_parameters(kind="mean").with_parameters(count=4)
    assert made.name == "many(count=4, kind=mean)"
    assert made.with_parameters(kind="sum", count=3).name == "many"
    assert many.with_parameters(model="a b, c").name == 'many(model="a b, c")'


@given(st.text(max_size=20))
def test_any_text_makes_a_name_that_says_it(text: str) -> None:
    assert parse(many.with_parameters(model=text).name) == Named("many", (("model", text),))


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("count", 0, "a whole number of at least 1"),
        ("count", True, "a whole number of at least 1"),
        ("count", 2.0, "a whole number of at least 1"),
        ("count", "2", "a whole number of at least 1"),
        ("count", None, "a whole number of at least 1"),
        ("power", float("nan"), "a number"),
        ("power", float("inf"), "a number"),
        ("power", 10**400, "a number"),
        ("power", True, "a number"),
        ("model", 7, "a text or None"),
        ("kind", "max", "sum or mean"),
        ("flag", 1, "True or False"),
        ("old", 1.5, "a whole number or None"),
        ("bare", "x", "a whole number"),
        ("bare", [1], "a whole number"),
    ],
)
def test_a_value_of_another_type_or_size_is_refused(name: str, value: Any, expected: str) -> None:
    with pytest.raises(ParameterError, match=f"reranker 'many': {name}=.*: expected {expected}"):
        many.with_parameters(**{name: value})


def test_a_parameter_that_is_none_is_refused_with_the_list() -> None:
    with pytest.raises(ParameterError) as caught:
        needy.with_parameters(modle="x")
    assert str(caught.value) == (
        "reranker 'needy' has no parameter 'modle'; it takes: "
        "model (a text; to be given), top (a whole number; 1 by default)"
    )


def test_one_without_a_default_is_asked_for_before_any_work(
    view: PublicView, candidates: Sequence[Candidate], ctx: Context
) -> None:
    complaint = r"reranker 'needy' needs model, a text: needy\(model=...\)"
    for use in (
        lambda: needy.score(view, candidates, ctx),
        lambda: require_supplied([needy], set()),
        lambda: require_supplied([then(many, needy)], set()),
        lambda: then(needy, many).score(view, candidates, ctx),
    ):
        with pytest.raises(ParameterError, match=complaint):
            use()
    given_ = needy.with_parameters(model="abc")
    require_supplied([given_], set())
    assert given_.score(view, candidates[:1], ctx) == [3.0]
    assert given_.with_parameters(top=2).name == "needy(model=abc, top=2)"
    assert needy.with_parameters(top=2).with_parameters(model="abc").name == "needy(model=abc, top=2)"


def test_made_ones_and_functions_without_a_signature_take_none() -> None:
    with pytest.raises(ParameterError, match="has no parameter 'count'; it takes: none"):
        then(many, needy).with_parameters(count=1)
    assert parameters_of(dict) == {}
    assert Reranker("r", max).parameters == {}  # type: ignore[arg-type]


def test_annotations_that_cannot_be_resolved_leave_the_type_of_the_default() -> None:
    def odd(view, candidates, ctx, *, size: NotThere = 3, other: NotThere = None):  # type: ignore  # noqa: F821
        return []

    made = Reranker("odd", odd)
    with pytest.raises(ParameterError, match="size='x': expected a whole number"):
        made.with_parameters(size="x")
    assert made.with_parameters(other=1.5).name == "odd(other=1.5)"
