"""Folders of programs go with whoever made them, and nobody takes one that is in use."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from codesample.execution.isolation import program_folder as module
from codesample.execution.isolation.level import Level
from codesample.execution.isolation.program_folder import program_folder, remove_left

HOLD = """
import sys, time
from codesample.execution.isolation.level import Level
from codesample.execution.isolation.program_folder import program_folder
with program_folder(Level.CONFINED, sys.argv[1]) as folder:
    print(folder, flush=True)
    time.sleep(300)
"""


def test_a_folder_is_empty_open_to_other_users_and_removed(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        with program_folder(Level.CONFINED, str(tmp_path)) as folder:
            assert os.listdir(folder) == []
            assert os.path.dirname(folder) == str(tmp_path)
            assert stat.S_IMODE(os.stat(folder).st_mode) == 0o755
    finally:
        os.umask(before)
    assert list(tmp_path.iterdir()) == []


def test_in_namespaces_there_is_none_on_the_machine(tmp_path: Path) -> None:
    with program_folder(Level.NAMESPACED, str(tmp_path)) as folder:
        assert not os.path.exists(folder)
        assert list(tmp_path.iterdir()) == []


def test_what_an_unconfined_program_left_goes_too(tmp_path: Path) -> None:
    with program_folder(Level.NONE, str(tmp_path)) as folder:
        (Path(folder) / "deep" / "deeper").mkdir(parents=True)
        (Path(folder) / "deep" / "left").write_text("x")
    assert list(tmp_path.iterdir()) == []


def test_folders_in_use_stay_and_those_left_go(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as owner:
        assert owner.stdout is not None
        folder = owner.stdout.readline().strip()
        remove_left(str(tmp_path))
        assert os.path.isdir(folder)
        owner.kill()
    assert os.path.isdir(folder)
    remove_left(str(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_what_only_looks_like_a_folder_of_ours_stays(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "mine").touch()
    (tmp_path / "codesample-program-link").symlink_to(elsewhere)
    (tmp_path / "codesample-program-file").touch()
    os.mkfifo(tmp_path / "codesample-program-pipe")
    remove_left(str(tmp_path))
    remove_left(str(tmp_path / "missing"))
    assert len(list(tmp_path.iterdir())) == 4
    assert (elsewhere / "mine").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a folder another user's")
def test_another_users_folder_stays(tmp_path: Path) -> None:
    path = tmp_path / "codesample-program-theirs"
    path.mkdir()
    os.chown(path, 61_184, 61_184)
    remove_left(str(tmp_path))
    assert path.is_dir()


@pytest.mark.parametrize("moment", ["chmod", "open"])
def test_one_taken_before_it_was_locked_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    act, taken = getattr(module.os, moment), []

    def take_first(path: str, *arguments: int) -> object:
        if not taken:
            taken.append(path)
            os.rmdir(path)
        return act(path, *arguments)

    monkeypatch.setattr(module.os, moment, take_first)
    with program_folder(Level.CONFINED, str(tmp_path)) as folder:
        assert os.path.isdir(folder)
        assert folder not in taken
        assert len(taken) == 1
