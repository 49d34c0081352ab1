"""`codesample list policies`: each with what it does and takes; one that cannot be used says why."""

from importlib.metadata import EntryPoint

import pytest

from codesample import plugins
from codesample.reports import inventory


def test_policies_are_listed_with_their_parameters_and_a_broken_one_with_its_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    places = {
        "exact": "codesample.policies.exact:Exact",
        "quest": "codesample.policies.quest:Quest",
        "gone": "no_such_module:Gone",
    }
    entries = [EntryPoint(name, place, "codesample.policies") for name, place in places.items()]
    monkeypatch.setattr(plugins, "entry_points", lambda group: entries)
    listed = dict(inventory.policies())
    assert list(listed)[:3] == ["exact", "gone", "quest"]
    # what other axes can be set to stands behind them
    assert all("=" in name for name in list(listed)[3:])
    assert "Parameters: budget = 2048, segment = 512, " in listed["prefill=criti"]
    assert listed["exact"] == "Read every key of every prompt, once per group. The default."
    assert "Parameters: keep = 0.2, guard = 4096, " in listed["quest"]
    assert listed["gone"].startswith("cannot be loaded: policy 'gone'")
