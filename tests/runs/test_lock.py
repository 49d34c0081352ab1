from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from codesample.errors import RunFolderError
from codesample.runs.lock import FolderLock

TAKE = (
    "import sys; from pathlib import Path; from codesample.errors import RunFolderError\n"
    "from codesample.runs.lock import FolderLock\n"
    "try: FolderLock(Path(sys.argv[1]))\n"
    "except RunFolderError as error: sys.exit(str(error))"
)


def take_elsewhere(folder: Path) -> str:
    """Take the lock in another process; returns what that said."""
    return subprocess.run(
        [sys.executable, "-c", TAKE, str(folder)], capture_output=True, text=True, timeout=60
    ).stderr.strip()


def test_one_process_takes_it_once_under_any_name_of_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    (tmp_path / "other").symlink_to(folder)
    lock = FolderLock(folder)
    for name in (folder, tmp_path / "other", tmp_path / "." / "run"):
        with pytest.raises(RunFolderError, match="already open for writing in this process; close it first"):
            FolderLock(name)
    lock.release()
    lock.release()
    FolderLock(tmp_path / "other").release()


def test_another_process_names_the_holder_until_it_is_released(tmp_path: Path) -> None:
    lock = FolderLock(tmp_path)
    assert f"another process (pid {os.getpid()}) is writing this run; wait for it" in take_elsewhere(tmp_path)
    # what it said did not free it, nor did it take the holder's name away
    assert f"(pid {os.getpid()})" in take_elsewhere(tmp_path)
    lock.release()
    assert take_elsewhere(tmp_path) == ""


def test_a_holder_that_left_no_name_is_unknown(tmp_path: Path) -> None:
    lock = FolderLock(tmp_path)
    (tmp_path / ".lock").write_text("")
    assert "another process (unknown) is writing this run" in take_elsewhere(tmp_path)
    lock.release()


def test_a_child_that_closes_what_it_inherited_frees_nothing(tmp_path: Path) -> None:
    lock = FolderLock(tmp_path)
    child = os.fork()
    if child == 0:
        lock.release()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert f"another process (pid {os.getpid()})" in take_elsewhere(tmp_path)
    lock.release()


def test_no_link_is_followed(tmp_path: Path) -> None:
    folder, target = tmp_path / "run", tmp_path / "mine.txt"
    folder.mkdir()
    target.write_text("mine")
    (folder / ".lock").symlink_to(target)
    with pytest.raises(RunFolderError, match=r"cannot be written: its \.lock is a link; choose another"):
        FolderLock(folder)
    assert target.read_text() == "mine"
    (folder / ".lock").unlink()
    (folder / ".lock").symlink_to(tmp_path / "made.txt")
    with pytest.raises(RunFolderError, match="cannot be written"):
        FolderLock(folder)
    assert not (tmp_path / "made.txt").exists()


def test_no_pipe_is_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / ".lock")
    said = take_elsewhere(tmp_path)
    assert f"{tmp_path}: cannot be written: its .lock is not a plain file; choose another" in said
    (tmp_path / ".lock").unlink()
    FolderLock(tmp_path).release()


def test_a_folder_in_its_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / ".lock").mkdir()
    with pytest.raises(RunFolderError, match="cannot be written: Is a directory"):
        FolderLock(tmp_path)


def test_a_file_that_has_another_name_is_locked_and_not_changed(tmp_path: Path) -> None:
    folder, precious = tmp_path / "run", tmp_path / "mine.txt"
    folder.mkdir()
    precious.write_text("mine")
    os.link(precious, folder / ".lock")
    lock = FolderLock(folder)
    assert "another process" in take_elsewhere(folder)
    lock.release()
    assert precious.read_text() == "mine"
