"""Which runs a table has: written in one step, added to, and refused where it cannot be read."""

from __future__ import annotations

from pathlib import Path

import pytest

from codesample.errors import RunFolderError
from codesample.runs.table import TableEntry, add_to_table, holds_table, read_table

FIRST = TableEntry("mini-tiny-t0.2", "mini", "tiny", 0.2)
SECOND = TableEntry("mini-tiny-t0.8", "mini", "tiny", 0.8)


def test_runs_are_added_beside_those_that_are_there(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "table"
    assert not holds_table(folder)
    add_to_table(folder, [FIRST])
    assert holds_table(folder)
    add_to_table(folder, [SECOND, FIRST])
    assert read_table(folder) == [FIRST, SECOND]
    assert [each.name for each in folder.iterdir()] == ["table.json"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "holds no table of runs"),
        ("{", "not JSON"),
        ("[]", "table.json"),
        ('{"format": 1}', "runs"),
        ('{"format": 2, "runs": []}', "format 2; this version reads format 1"),
        (
            '{"format": 1, "runs": [{"folder": "a", "task": "b", "model": "c", "temperature": "hot"}]}',
            "field 'runs'",
        ),
    ],
)
def test_what_is_no_table_is_refused_with_its_place(content: str | None, reason: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "table.json").write_text(content)
    with pytest.raises(RunFolderError, match=reason) as refused:
        read_table(tmp_path)
    assert str(tmp_path) in str(refused.value)


def test_a_folder_that_cannot_be_written_is_refused_with_the_next_step(tmp_path: Path) -> None:
    (tmp_path / "in the way").touch()
    with pytest.raises(RunFolderError, match=r"cannot be written: .*; choose another with --out"):
        add_to_table(tmp_path / "in the way" / "table", [FIRST])
    assert not holds_table(tmp_path / "in the way")
