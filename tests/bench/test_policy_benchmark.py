"""Rows of the policy benchmark: all figures, refusals by reason, and break-even that is worked out."""

import pytest

from codesample.bench.policy_benchmark import break_even, measure_policies
from codesample.bench.policy_results import policy_tables
from codesample.bench.settings import PolicyOptions
from codesample.errors import ParameterError, UnknownNameError


@pytest.mark.parametrize(
    ("prepare", "exact", "step", "steps"),
    [
        (1.0, 0.3, 0.2, 10),
        (1.01, 0.3, 0.2, 11),
        (0.0, 0.3, 0.2, 1),
        (1.0, 0.2, 0.2, None),
        (1.0, 0.2, 0.3, None),
    ],
)
def test_preparing_pays_after_so_many_steps(
    prepare: float, exact: float, step: float, steps: int | None
) -> None:
    # in binary, 0.3 - 0.2 is not a tenth
    found = break_even(prepare, exact, step)
    assert found == steps or (found is not None and steps is not None and abs(found - steps) <= 1)


def test_every_length_and_policy_has_a_row_and_one_that_cannot_be_says_why() -> None:
    options = PolicyOptions(
        policies=("exact", "quest(keep=0.3, page=4)", "squeezed(recent=16)"),
        contexts=(90, 10**7),
        n=3,
        steps=4,
        repeats=1,
        device="cpu",
    )
    found = list(measure_policies("def add(x):\n", options))
    assert [(m["context"], m["policy"].partition("(")[0]) for m in found] == [
        (context, name) for context in (90, 10**7) for name in ("exact", "quest", "squeezed")
    ]
    exact, quest, squeezed = found[:3]
    assert exact["bytes"] == 1
    assert exact["missed"] == 0
    assert exact["total_variation"] < 1e-5
    for m in (quest, squeezed):
        assert 0 < m["tokens"] < 1
        assert 0 < m["missed"] <= m["missed_worst"] < 1
        assert m["refresh_ms"] > 0
    assert squeezed["prepare_seconds"] > 0
    assert all("ask for fewer" in m["refused"] for m in found[3:])
    shown = policy_tables(found)
    assert shown.count("not shown: ") == 3
    assert f"| {quest['step_ms']} |" in shown
    slower = [m for m in found if m.get("break_even", 0) is None]
    assert shown.count("nothing is gained") == len(slower)


def test_a_row_that_pays_is_shown_with_its_steps() -> None:
    row = {
        "context": 8192,
        "n": 32,
        "policy": "quest",
        "exact_ms": 10.0,
        "exact_mean_ms": 10.0,
        "step_ms": 5.0,
        "mean_ms": 6.0,
        "refresh_ms": 8.0,
        "prepare_seconds": 0.1,
        "bytes": 0.25,
        "missed": 0.012,
        "missed_worst": 0.3,
        "total_variation": 0.02,
        "break_even": 25,
    }
    assert "| 10.0 | 5.0 | 8.0 | 0.1 | 25.0% | 1.2% | 30.0% | 2.0% | 25 steps |" in policy_tables([row])
    slower = policy_tables([row | {"break_even": None, "mean_ms": 12.0}])
    assert "1.20 times as long as an exact one" in slower


@pytest.mark.parametrize("changes", [{"n": 0}, {"steps": 1}, {"repeats": 0}, {"contexts": (0,)}])
def test_numbers_below_one_are_refused(changes: dict) -> None:
    with pytest.raises(ParameterError):
        PolicyOptions(**changes)


def test_an_unknown_policy_is_refused_before_a_model_is_loaded() -> None:
    with pytest.raises(UnknownNameError):
        next(measure_policies("x", PolicyOptions(model="no such model", policies=("qest",))))


@pytest.mark.parametrize("text", ["storage=int8", "quest, decode_cache=cascade", "prefill=star"])
def test_other_axes_than_the_prefix_are_refused_before_a_model_is_loaded(text: str) -> None:
    with pytest.raises(ParameterError, match="prefix policies are measured by themselves"):
        next(measure_policies("x", PolicyOptions(model="no such model", policies=(text,))))
