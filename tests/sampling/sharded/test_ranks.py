"""Two processes that hold a model's shards draw what one draws that holds it whole."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from codesample.sampling.sharded.ranks import digest, first_line

CHECKS = Path(__file__).with_name("rank_checks.py")
WITHIN = {"float64": 1e-10, "float32": 1e-5}


def test_what_was_drawn_is_told_by_all_of_it() -> None:
    one = digest(digest(0, 0, 17), 1, 4)
    assert one == digest(digest(0, 0, 17), 1, 4)
    assert len({one, digest(digest(0, 0, 17), 1, 5), digest(digest(0, 1, 4), 0, 17), digest(0, 0, 17)}) == 4


def test_errors_of_libraries_are_told_without_their_places() -> None:
    error = RuntimeError("[/src/gloo/pair.cc:553] Connection closed by peer [127.0.0.1]:1\nmore")
    assert first_line(error) == "Connection closed by peer [127.0.0.1]:1"
    assert first_line(MemoryError()) == "MemoryError"


@pytest.mark.slow
def test_two_processes_are_as_one(
    divisible: Path,
    tmp_path: Path,
    two_processes: Callable[..., subprocess.Popen[str]],
    found: Callable[[int], dict[str, Any]],
) -> None:
    said, _ = two_processes(CHECKS, divisible, tmp_path).communicate(timeout=240)
    assert (tmp_path / "rank0.json").exists(), said
    first, second = found(0), found(1)
    for name, each in first["equal"].items():
        assert (each["path"], each["processes"], each["heads"]) == ("shared", 2, [1, 1]), name
        assert [each[way]["tokens"] for way in ("greedy", "sampled")] == [True, True], name
        assert each["greedy"]["drawn"] + each["sampled"]["drawn"] > 60, name
        apart = max(each["greedy"]["apart"], each["sampled"]["apart"], each["read"])
        assert apart <= WITHIN[name.split()[1]], name
        assert each["generate"], name
    # what both say is the same: a change of one's shard changes the model, memory is that of the one that has
    # least and of both on one machine
    for name in ("equal", "changed", "after", "free", "int8", "parted"):
        assert first[name] == second[name], name
    assert (first["changed"], first["free"]) == (True, 10**9 // 2)
    assert "leave it out" in first["int8"]
    assert "drawn different tokens" in first["parted"]
    assert "rank 1 of 2 ran out of memory on cpu" in second["lost"]
    assert "rank 0 of the 2 processes" in first["lost"]
    assert "another one has ended" in first["lost"]
