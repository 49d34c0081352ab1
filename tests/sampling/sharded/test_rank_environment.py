"""Which processes are one launcher's, and which only have its environment."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from codesample.sampling.sharded.rank_environment import launched, launcher

ASK = "from codesample.sampling.sharded.rank_environment import launched; print(launched())"
RANK_ONE = {"RANK": "1", "WORLD_SIZE": "2"}


def answer(words: list[str], **more: str) -> str:
    bare = {name: value for name, value in os.environ.items() if name not in RANK_ONE}
    return subprocess.run(words, env=bare | more, capture_output=True, text=True, check=True).stdout.strip()


def test_what_a_launcher_starts_is_one_of_its_processes() -> None:
    assert answer([sys.executable, "-c", ASK], **RANK_ONE) == "True"


@pytest.mark.parametrize("more", [{}, {"RANK": "0", "WORLD_SIZE": "1"}, {"WORLD_SIZE": "2"}])
def test_one_process_is_none_of_several(more: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in RANK_ONE:
        monkeypatch.delenv(name, raising=False)
    for name, value in more.items():
        monkeypatch.setenv(name, value)
    assert not launched()
    assert launcher() == "codesample"


def test_what_a_process_of_a_training_job_starts_is_none() -> None:
    inner = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {ASK!r}])"
    assert answer([sys.executable, "-c", inner], **RANK_ONE) == "False"
