"""The folder of a card's rows: nothing that was measured is lost, mixed up or measured twice."""

import json

import pytest

from codesample.bench.gpu_rows import RowFolder
from codesample.errors import ParameterError

CELL = {"kind": "step", "model": "m", "rows": 2, "context": 8}
CARD = {"kind": "environment", "device": "a card", "torch": "2.11", "rehearsal": False}


def test_a_row_is_on_disk_once_it_is_added(tmp_path):
    folder = RowFolder(tmp_path / "new" / "card")
    for row in (CARD, CELL | {"seconds": 1.0}):
        folder.add(row)
        lines = (tmp_path / "new" / "card" / "rows.jsonl").read_text().splitlines()
        assert json.loads(lines[-1]) == row
    assert RowFolder(tmp_path / "new" / "card").rows == folder.rows


def test_a_cell_was_tried_if_anything_but_time_was_missing(tmp_path):
    folder = RowFolder(tmp_path)
    folder.add(CELL | {"refused": "no time", "no_time": True})
    assert not folder.has(CELL)
    folder.add(CELL | {"refused": "OutOfMemoryError"})
    assert folder.has(CELL)
    assert not folder.has(CELL | {"rows": 3})


@pytest.mark.parametrize(
    ("name", "other"), [("device", "another card"), ("torch", "2.12"), ("rehearsal", True), ("commit", "abc")]
)
def test_rows_of_something_else_are_not_gone_on_with(tmp_path, name, other):
    folder = RowFolder(tmp_path)
    folder.add(CARD)
    folder.expect_same(dict(CARD))
    with pytest.raises(ParameterError, match=f"its rows are of {name} .*{other!r}; name another folder"):
        folder.expect_same(CARD | {name: other})


@pytest.mark.parametrize("line", ["{", "[1]", '{"seconds": 1}'])
def test_a_file_that_holds_no_rows_is_left_alone(tmp_path, line):
    (tmp_path / "rows.jsonl").write_text(f"{json.dumps(CARD)}\n{line}\n")
    with pytest.raises(ParameterError, match=r"rows\.jsonl: line 2 is no row"):
        RowFolder(tmp_path)
    assert (tmp_path / "rows.jsonl").read_text().endswith(f"{line}\n")


@pytest.mark.parametrize("left", [b'{"kind": "st', b'{"kind": "step", "note": "\xc2', b"\n\x00"])
def test_what_a_killed_call_left_of_a_row_is_dropped_and_nothing_else(tmp_path, left):
    file = tmp_path / "rows.jsonl"
    file.write_bytes(f"{json.dumps(CARD)}\n{json.dumps(CELL)}\n".encode() + left.lstrip(b"\n"))
    folder = RowFolder(tmp_path)
    assert folder.rows == [CARD, CELL]
    folder.add(CELL | {"rows": 3})
    assert RowFolder(tmp_path).rows == [CARD, CELL, CELL | {"rows": 3}]


def test_a_row_that_lacks_but_the_end_of_its_line_is_kept(tmp_path):
    (tmp_path / "rows.jsonl").write_text(f"{json.dumps(CARD)}\n{json.dumps(CELL)}")
    RowFolder(tmp_path).add(CELL | {"rows": 3})
    assert RowFolder(tmp_path).rows == [CARD, CELL, CELL | {"rows": 3}]


@pytest.mark.parametrize("held", [b"a line of something else", b"\xff\xfe\n"])
def test_a_file_of_something_else_is_refused_whatever_its_bytes_are(tmp_path, held):
    (tmp_path / "rows.jsonl").write_bytes(held)
    with pytest.raises(ParameterError, match="line 1 is no row of this command"):
        RowFolder(tmp_path)
    assert (tmp_path / "rows.jsonl").read_bytes() == held


def test_rows_that_do_not_say_what_they_are_of_are_not_gone_on_with(tmp_path):
    folder = RowFolder(tmp_path)
    folder.add(CELL | {"device": "another card", "seconds": 1.0})
    with pytest.raises(ParameterError, match="of another command and do not say what they were measured on"):
        folder.expect_same(CARD)


def test_a_folder_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(ParameterError, match="rows cannot be written there: Not a directory; name a folder"):
        RowFolder(tmp_path / "file" / "card")
    (tmp_path / "rows.jsonl").mkdir()
    with pytest.raises(ParameterError, match="rows cannot be written there: Is a directory"):
        RowFolder(tmp_path)


def test_a_full_disk_is_told_with_the_file(tmp_path):
    folder = RowFolder(tmp_path)
    folder._file = tmp_path
    with pytest.raises(ParameterError, match="Is a directory"):
        folder.add(CELL)


def test_files_are_replaced_whole(tmp_path):
    folder = RowFolder(tmp_path)
    for text in ("first, and long", "second"):
        folder.replace([("summary.md", text)])
        assert (tmp_path / "summary.md").read_text() == text
    assert {path.name for path in tmp_path.iterdir()} == {"rows.jsonl", "summary.md"}
