"""What becomes of two processes when one of them fares otherwise."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

CHECKS = Path(__file__).with_name("team_checks.py")


@pytest.mark.slow
def test_the_first_process_is_told_how_the_other_one_fared(
    tmp_path: Path, two_processes: Callable[..., subprocess.Popen[str]]
) -> None:
    started = {last: two_processes(CHECKS, tmp_path / last, last) for last in ("fault", "late")}
    found = {}
    for last, process in started.items():
        said, _ = process.communicate(timeout=120)
        assert (tmp_path / last).exists(), said
        found[last] = json.loads((tmp_path / last).read_text(encoding="utf-8"))
    for each in found.values():
        assert each["ranks"] == 2
        assert each["well"] == [[1, 2], [3, 0]]
        # all refuse what all refuse, and go on
        assert each["both refuse"] == "ParameterError: both refuse"
        assert each["one refuses"].startswith("PartedError: rank 1 of 2 fared otherwise than rank 0")
        assert "ParameterError: one refuses" in each["one refuses"]
        assert each["other tokens"].startswith("PartedError: rank 1 of 2 fared otherwise")
    assert found["fault"]["fault"] == "PartedError: rank 1 of 2: ZeroDivisionError: by accident"
    assert "has ended or does not answer" in found["late"]["late"]
    # the deadline, not the end of what the other one does
    assert found["late"]["seconds"] < 20
