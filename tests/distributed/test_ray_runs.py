"""Runs on a real Ray cluster while actors, a node and the driver are killed: equal to those of one process.

Everything happens in a network of its own with only a loopback, and ends with the process that began it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from small_cluster import NAMESPACES, QUIET

HELPERS = Path(__file__).parent / "helpers"
ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.slow

WALL_SECONDS = 120
"""Most that a run may take in which something is killed, on two cores that do other things besides."""

CANDIDATES = 48


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Let everything happen once; see `ray_scenarios.py`."""
    pytest.importorskip("ray")
    tried = subprocess.run([*NAMESPACES, "true"], capture_output=True, text=True)
    if tried.returncode != 0:
        pytest.skip(f"no network of its own is to be had here: {tried.stderr.strip()}")
    # paths of Ray's sockets have to be short
    folder = tmp_path_factory.getbasetemp().parent / f"ray{os.getpid()}"
    folder.mkdir()
    path = os.pathsep.join([str(ROOT), str(HELPERS)])
    done = subprocess.run(
        [*NAMESPACES, sys.executable, str(HELPERS / "ray_scenarios.py"), str(folder)],
        env=os.environ | QUIET | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("killed", ["sampling actor", "judging actor", "node", "driver"])
def test_what_is_killed_changes_no_token_no_number_and_no_verdict(killed: str, found: dict[str, Any]) -> None:
    came = found[killed]
    assert came["samples"]
    assert came["verdicts"]
    assert came["count"] == CANDIDATES
    assert came["seconds"] < WALL_SECONDS


def test_what_died_was_noticed_and_its_work_done_by_others(found: dict[str, Any]) -> None:
    assert found["sampling actor"]["died"] == 1
    assert found["judging actor"]["died"] == 1
    assert found["node"]["died"] == 2
    whats = [each["what"] for each in found["failures"]]
    assert whats[:2] == ["sampling actor", "judging actor"]
    assert sorted(whats[2:]) == ["judging actor", "sampling actor"]


def test_a_driver_that_was_killed_had_not_finished(found: dict[str, Any]) -> None:
    assert 0 < found["driver"]["left"] < CANDIDATES
    assert found["driver"]["nodes"] == 1


def test_it_keeps_the_contract_of_engines(found: dict[str, Any]) -> None:
    assert {"cancelling", "an error in mid-stream", "confidence", "given text"} <= set(
        found["protocol"]["tried"]
    )


def test_the_doctor_shows_every_node(found: dict[str, Any]) -> None:
    shown = found["doctor"]
    assert len(shown["nodes"]) == 2
    for node in shown["nodes"]:
        assert node["versions"]["ray"] == shown["ray"]
        assert node["isolation"]["level"]
        assert node["trouble"] == ""
        assert node["cpus"] == 1
