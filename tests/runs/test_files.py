from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from codesample.errors import RunFolderError
from codesample.runs.files import JsonLines, replace_file
from codesample.runs.folder import RunFolder


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


def in_time(action: Callable[[], object]) -> str:
    """Call something that must be refused, and may not wait; returns how it was."""
    said: list[str] = []

    def attempt() -> None:
        try:
            action()
        except RunFolderError as error:
            said.append(str(error))

    thread = threading.Thread(target=attempt, daemon=True)
    thread.start()
    thread.join(30)
    assert not thread.is_alive()
    (message,) = said
    return message


@pytest.mark.parametrize("way", ["append", "read", "cut_torn_line"])
@pytest.mark.parametrize("listened_to", [False, True])
def test_a_pipe_in_the_place_of_lines_is_not_waited_for(tmp_path: Path, way: str, listened_to: bool) -> None:
    lines = JsonLines(tmp_path / "x.jsonl")
    os.mkfifo(lines.path)
    listener = os.open(lines.path, os.O_RDWR) if listened_to else None
    actions = {
        "append": lambda: lines.append("{}"),
        "read": lambda: list(lines.read(dict)),
        "cut_torn_line": lines.cut_torn_line,
    }
    assert re.match(rf"{lines.path}: cannot be \w+: it is not a plain file", in_time(actions[way]))
    if listener is not None:
        os.set_blocking(listener, False)
        with pytest.raises(BlockingIOError):
            os.read(listener, 1)
        os.close(listener)


def test_a_link_in_the_place_of_lines_is_read_and_not_written_through(tmp_path: Path) -> None:
    precious = tmp_path / "mine.txt"
    precious.write_text('{"a":1}\n{"a"')
    lines = JsonLines(tmp_path / "x.jsonl")
    lines.path.symlink_to(precious)
    assert [line for line, _ in lines.read(dict)] == [{"a": 1}]
    for action in (lambda: lines.append("{}"), lines.cut_torn_line):
        with pytest.raises(RunFolderError, match=rf"{lines.path}: cannot be \w+: it is a link"):
            action()
    assert precious.read_text() == '{"a":1}\n{"a"'
    lines.path.unlink()
    lines.path.symlink_to(tmp_path / "made.txt")
    with pytest.raises(RunFolderError, match="it is a link"):
        lines.append("{}")
    assert not (tmp_path / "made.txt").exists()


def test_a_pipe_in_the_place_of_a_runs_record_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "run.json")
    assert "run.json: cannot be read: it is not a plain file" in in_time(lambda: RunFolder.open(tmp_path))
