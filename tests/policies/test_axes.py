"""What other axes than the prefix can be set to is found by name, made of what was written, and listed."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from codesample.errors import ParameterError
from codesample.policies import axes
from codesample.policies.axes import CHOICES, axis_choice, axis_class
from codesample.policies.parametrised import Parametrised
from codesample.policies.registry import expect_policy
from codesample.records import policy as policy_module
from codesample.records.fields import check_settings, setting
from codesample.records.policy import AXES
from codesample.reports import inventory
from codesample.sampling.policy_choice import PolicyChoice


@dataclass(frozen=True)
class Half(Parametrised):
    """Run half of it."""

    name = "half"
    budget: int = setting(8, "Tokens.", expected="at least 1", holds=lambda value: value >= 1)

    def __post_init__(self) -> None:
        check_settings(self)


@pytest.fixture
def half(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the axis `prefill` have one value more."""
    monkeypatch.setattr(policy_module, "AXES", AXES | {"prefill": (*AXES["prefill"], "half")})
    monkeypatch.setitem(CHOICES, "prefill", {**CHOICES["prefill"], "half": f"{__name__}:Half"})


def test_what_a_record_can_hold_is_what_can_be_made() -> None:
    assert CHOICES.keys() == AXES.keys()
    for axis, built in AXES.items():
        assert [*CHOICES[axis]] == [*built[1:]]
        for name in CHOICES[axis]:
            kind = axis_class(axis, name)
            assert issubclass(kind, Parametrised)
            assert kind.name == name
            assert (kind.__doc__ or "").strip()
            assert axis_choice(f"{axis}={name}", axis) == kind()


@pytest.mark.usefixtures("half")
def test_parameters_reach_the_choice() -> None:
    assert axis_choice("prefill=half(budget=3)", "prefill") == Half(3)
    assert axis_choice("quest(keep=0.5), prefill=half", "prefill") == Half()
    assert axis_choice("prefill=half", "schedule") is None
    expect_policy("quest(keep=0.5), prefill=half(budget=3)")


@pytest.mark.usefixtures("half")
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("prefill=half(bugdet=3)", "prefill = 'half' has no parameter 'bugdet'; did you mean 'budget'?"),
        ("prefill=half(x=3)", "prefill = 'half' has no parameter 'x'; it takes budget"),
        ("prefill=half(budget=0)", "prefill = 'half': budget = 0: expected at least 1"),
        ("prefill=half(budget=word)", "prefill = 'half': budget = 'word'"),
        ("exact(keep=1), prefill=half", "policy 'exact' has no parameter 'keep'"),
    ],
)
def test_what_a_choice_does_not_take_is_refused_by_name(text: str, said: str) -> None:
    for asked in (expect_policy, PolicyChoice):
        with pytest.raises(ParameterError) as caught:
            asked(text)
        assert said in str(caught.value)


@pytest.mark.usefixtures("half")
def test_it_is_recorded_and_listed_with_its_axis() -> None:
    made = PolicyChoice("prefill=half")
    assert made.spelt == "exact, prefill=half(budget=8)"
    assert not made.is_exact
    assert made.reads([]) is None
    assert dict(inventory.policies())["prefill=half"] == "Run half of it. Parameters: budget = 8."
    assert axes.axis_class("prefill", "half") is Half
