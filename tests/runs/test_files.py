from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from codesample.errors import RunFolderError
from codesample.runs.files import JsonLines, replace_file


def test_a_file_is_replaced_whole_and_nothing_else_is_left(tmp_path: Path) -> None:
    for text in ("one", "two"):
        replace_file(tmp_path / "x.json", text)
        assert (tmp_path / "x.json").read_text() == text
        assert os.listdir(tmp_path) == ["x.json"]


def test_what_a_killed_writer_left_is_in_nobodys_way(tmp_path: Path) -> None:
    (tmp_path / ".x.json.partial").write_text("half of a much longer t")
    replace_file(tmp_path / "x.json", "new")
    assert (tmp_path / "x.json").read_text() == "new"


def test_a_link_in_the_partial_files_place_is_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "mine.txt"
    target.write_text("mine")
    (tmp_path / ".x.json.partial").symlink_to(target)
    replace_file(tmp_path / "x.json", "new")
    assert target.read_text() == "mine"
    assert (tmp_path / "x.json").read_text() == "new"
    assert not (tmp_path / "x.json").is_symlink()


def test_a_pipe_in_the_partial_files_place_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / ".x.json.partial")
    writer = threading.Thread(target=replace_file, args=(tmp_path / "x.json", "new"), daemon=True)
    writer.start()
    writer.join(30)
    assert not writer.is_alive()
    assert (tmp_path / "x.json").read_text() == "new"


def test_a_folder_in_the_partial_files_place_is_a_one_line_error(tmp_path: Path) -> None:
    (tmp_path / ".x.json.partial").mkdir()
    with pytest.raises(RunFolderError, match=r"x\.json: cannot be written: Is a directory"):
        replace_file(tmp_path / "x.json", "new")


def test_whole_lines_are_read_with_their_place(tmp_path: Path) -> None:
    lines = JsonLines(tmp_path / "x.jsonl")
    assert list(lines.read(dict)) == []
    lines.append('{"a":1}')
    lines.append('{"a":2}')
    lines.close()
    with lines.path.open("a") as file:
        file.write('{"a":3}')
    assert list(lines.read(dict)) == [({"a": 1}, f"{lines.path}:1"), ({"a": 2}, f"{lines.path}:2")]
