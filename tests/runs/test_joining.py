"""A joined folder appears whole or not at all, and what is joined is copied as it stands."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from codesample.errors import RunFolderError
from codesample.records import SamplingParams
from codesample.runs import Manifest, RunFolder
from codesample.runs.joining import in_one_step, join_artefacts, join_lines
from codesample.runs.line_index import LineIndex

MANIFEST = Manifest("task", "1", "hash", "model", SamplingParams(), 4)


def row(task_id: str, index: int) -> str:
    return json.dumps({"task_id": task_id, "index": index}) + "\n"


def test_lines_are_copied_in_the_order_that_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "one").write_text(row("c", 0) + row("a", 1) + row("a", 0))
    (tmp_path / "two").write_text(row("b", 0))
    one, two = LineIndex(tmp_path / "one"), LineIndex(tmp_path / "two")
    join_lines({"a": one, "b": two, "c": one, "d": two}, tmp_path / "joined")
    assert (tmp_path / "joined").read_text() == row("a", 0) + row("a", 1) + row("b", 0) + row("c", 0)
    join_lines({"d": two}, tmp_path / "nothing")
    assert not (tmp_path / "nothing").exists()
    with pytest.raises(RunFolderError, match="joined: cannot be written: File exists"):
        join_lines({"a": one}, tmp_path / "joined")


def test_of_artefacts_with_equal_keys_the_first_stays(tmp_path: Path) -> None:
    for number in (1, 2):
        with RunFolder.create(tmp_path / str(number), MANIFEST) as run:
            run.artefacts("tests").put("shared", number)
            run.artefacts("tests").put(f"own {number}", number)
            run.artefacts("curves").put("of the whole", number)
    join_artefacts([tmp_path / "1", tmp_path / "2"], tmp_path / "into")
    rows = [json.loads(line) for line in (tmp_path / "into" / "artefacts" / "tests.jsonl").open()]
    assert {each["key"]: each["value"] for each in rows} == {"shared": 1, "own 1": 1, "own 2": 2}
    assert [each.name for each in (tmp_path / "into" / "artefacts").iterdir()] == ["tests.jsonl"]


def test_the_folder_has_the_mode_that_folders_have(tmp_path: Path) -> None:
    (tmp_path / "usual").mkdir()
    with in_one_step(tmp_path / "deep" / "out") as folder:
        (folder / "file").touch()
        assert not (tmp_path / "deep" / "out").exists()
    assert [each.name for each in (tmp_path / "deep").iterdir()] == ["out"]
    assert (tmp_path / "deep" / "out").stat().st_mode == (tmp_path / "usual").stat().st_mode


def test_after_an_error_nothing_is_left(tmp_path: Path) -> None:
    def fail() -> None:
        with in_one_step(tmp_path / "out") as folder:
            (folder / "file").touch()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_is_removed_and_what_another_writes_is_not(tmp_path: Path) -> None:
    left, held = tmp_path / ".out.merging-0000", tmp_path / ".out.merging-1111"
    left.mkdir()
    (left / "samples.jsonl").touch()
    (tmp_path / ".other.merging-0000").mkdir()
    with RunFolder.create(held, MANIFEST), in_one_step(tmp_path / "out"):
        pass
    assert sorted(each.name for each in tmp_path.iterdir()) == [".other.merging-0000", held.name, "out"]
    assert (held / "run.json").exists()


def test_a_place_that_was_taken_meanwhile_is_left_alone(tmp_path: Path) -> None:
    def meet() -> None:
        with in_one_step(tmp_path / "out"):
            (tmp_path / "out").mkdir()
            (tmp_path / "out" / "mine").touch()

    with pytest.raises(RunFolderError, match="out: cannot be written: Directory not empty"):
        meet()
    assert [each.name for each in tmp_path.rglob("*")] == ["out", "mine"]


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    os.symlink(tmp_path / "elsewhere", tmp_path / "out")
    with (
        pytest.raises(RunFolderError, match="is there already and is no empty folder"),
        in_one_step(tmp_path / "out"),
    ):
        pass
