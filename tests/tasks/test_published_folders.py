from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from codesample.errors import DataError
from codesample.tasks.apps.published_folders import folder_entries, is_published_form


def folder(root: Path, number: str, **files: str) -> Path:
    place = root / number
    place.mkdir(parents=True)
    for name, text in {"question.txt": f"Do {number}.", **files}.items():
        (place / name.replace("__", ".")).write_text(text)
    return place


def test_folders_are_found_at_any_depth_in_their_order(tmp_path: Path) -> None:
    for number in ("0010", "0002"):
        folder(tmp_path / "APPS" / "test", number, metadata__json='{"difficulty": "interview", "url": "u"}')
    folder(tmp_path, "0003", solutions__json="[]", starter_code__py="x", input_output__json="{}")
    (tmp_path / "README").write_text("nothing")
    entries = list(folder_entries(tmp_path))
    assert [entry.record["problem_id"] for entry in entries] == [3, 2, 10]
    assert entries[0].record["starter_code"] == "x"
    assert (entries[1].record["difficulty"], entries[1].where) == ("interview", f"{tmp_path}:APPS/test/0002")


def test_a_folder_and_a_zip_file_are_told_from_rows(tmp_path: Path) -> None:
    assert is_published_form(tmp_path)
    assert is_published_form(tmp_path / "a.zip")
    assert not is_published_form(tmp_path / "a.jsonl")


@pytest.mark.parametrize(
    ("files", "complaint"),
    [
        ({"metadata__json": "{"}, "0001/metadata.json: not JSON"),
        ({"metadata__json": "[]"}, "0001/metadata.json: holds list, expected an object"),
    ],
)
def test_a_malformed_file_is_named(tmp_path: Path, files: dict[str, str], complaint: str) -> None:
    folder(tmp_path, "0001", **files)
    with pytest.raises(DataError, match=complaint):
        list(folder_entries(tmp_path))


def test_what_holds_no_problem_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds no question\.txt; expected folders"):
        list(folder_entries(tmp_path))
    folder(tmp_path, "first")
    with pytest.raises(DataError, match="first: a problem's folder is named by its number"):
        list(folder_entries(tmp_path))
    (tmp_path / "no.zip").write_text("no")
    with pytest.raises(DataError, match=r"no\.zip: cannot be read"):
        list(folder_entries(tmp_path / "no.zip"))
    with pytest.raises(DataError, match=r"gone\.zip: cannot be read"):
        list(folder_entries(tmp_path / "gone.zip"))


def test_a_text_that_is_none_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("0001/question.txt", b"\xff\xfe")
    with pytest.raises(DataError, match=r"0001/question\.txt: is no text in UTF-8"):
        list(folder_entries(tmp_path / "a.zip"))
