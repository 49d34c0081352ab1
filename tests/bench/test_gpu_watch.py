"""What never ends is ended from outside, and what a call did not live to end is known to the next one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from codesample.bench.gpu_watch import Watch

STEP = {"kind": "step", "model": "m", "rows": 2, "context": 8}
HANGING = """
import sys, time
from pathlib import Path
from codesample.bench.gpu_watch import Watch

def measure():
    time.sleep(600)

with Watch(Path(sys.argv[1])).over({"kind": "step", "model": "m", "rows": 2, "context": 8}, 0.2):
    measure()
"""


def test_what_never_ends_is_ended_says_where_it_stood_and_is_known_afterwards(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", HANGING, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 1
    assert "in measure" in done.stderr
    assert Watch(tmp_path).left() == STEP
    assert Watch(tmp_path).left() is None


def test_what_ends_leaves_nothing(tmp_path: Path) -> None:
    watch = Watch(tmp_path)
    with watch.over(STEP, None):
        assert Watch(tmp_path / "elsewhere").left() is None
        assert list(tmp_path.iterdir())
    with pytest.raises(KeyError), watch.over(STEP, 600):
        raise KeyError
    assert watch.left() is None
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", "\x00"])
def test_a_note_that_was_not_written_whole_says_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "begun.json").write_text(text)
    assert Watch(tmp_path).left() is None
    assert not list(tmp_path.iterdir())


def test_where_nothing_can_be_noted_the_work_is_done(tmp_path: Path) -> None:
    with Watch(tmp_path / "missing").over(STEP, None):
        done = True
    assert done
