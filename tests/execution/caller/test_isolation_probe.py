"""What isolation holds here is probed, reported, and never less than was asked for."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from codesample.errors import IsolationError
from codesample.execution import Executor, Level, probe_isolation
from codesample.execution.caller import isolation_probe


def test_probe_reports_what_holds() -> None:
    report = probe_isolation()
    data = report.as_json()
    assert data["level"] == report.level.label
    assert all(report.attacks.values()) or report.level < Level.CONFINED
    assert {
        "seccomp",
        "landlock",
        "namespaces",
        "bwrap",
        "spare_uid",
        "control_group",
        "run_queue_clock",
    } <= set(data["mechanisms"])
    assert all(set(item) == {"granted", "detail"} for item in data["mechanisms"].values())
    assert data["kernel"] == os.uname().release


def test_a_narrow_umask_costs_no_isolation() -> None:
    script = """
import os
os.umask(0o077)
from codesample.execution import probe_isolation
print(probe_isolation().level.label)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == probe_isolation().level.label


def test_attacks_that_cannot_be_tried_are_a_reason_not_a_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    from codesample.execution.isolation import attacks

    monkeypatch.setattr(attacks, "SOURCE", "import no_such_module")
    trial = isolation_probe._confine(Level.NONE, wrapped=False)
    assert trial.held is None
    assert "No module named 'no_such_module'" in trial.reason


def test_less_isolation_than_asked_for_is_refused_with_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:

    monkeypatch.setattr(
        isolation_probe,
        "_try",
        lambda level: isolation_probe._Trial({} if level is Level.LIMITED else None, "no Landlock"),
    )
    with pytest.raises(
        IsolationError, match=r"'confined': no Landlock\. Landlock needs .*--allow-weak-isolation limited"
    ):
        Executor()
    with pytest.raises(IsolationError, match="below the minimum 'namespaced'"):
        Executor(level=Level.CONFINED, minimum=Level.NAMESPACED)


def test_levels_have_names_and_an_order() -> None:
    assert [level.label for level in sorted(Level)] == ["none", "limited", "confined", "namespaced"]
    assert Level.parse("confined") is Level.CONFINED
    with pytest.raises(LookupError, match="did you mean 'confined'"):
        Level.parse("confind")
