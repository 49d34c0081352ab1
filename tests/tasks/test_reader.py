from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codesample.errors import DataError, HubUnavailableError
from codesample.tasks.reader import Row, read_rows, rows_of

ROWS = [{"task_id": "a", "n": 1}, {"task_id": "b\u2028c", "n": None}]


def _jsonl(rows: list[object]) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def _write(folder: Path, name: str, rows: list[object]) -> Path:
    path = folder / name
    if name.endswith(".parquet"):
        import pyarrow
        import pyarrow.parquet

        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)
        return path
    text = _jsonl(rows) if ".jsonl" in name else json.dumps(rows).encode()
    path.write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
    return path


@pytest.mark.parametrize("name", ["x.jsonl", "x.jsonl.gz", "x.json", "x.json.gz", "x.parquet"])
def test_every_published_form_gives_the_same_rows(tmp_path: Path, name: str) -> None:
    rows = list(read_rows(_write(tmp_path, name, ROWS)))
    assert [dict(row.fields) for row in rows] == ROWS
    assert rows[1].where.endswith(f"{name}:2")


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b'{"a": 1}\n{"a": \n', 2),
        (b'{"a": 1}\n\n[1]\n', 3),
        (b'{"a": 1}\n"x"\n', 2),
        (b"\xff\xfe\n", 1),
        (b"[" * 100_000, 1),
    ],
)
def test_a_malformed_line_is_named_by_file_and_number(tmp_path: Path, content: bytes, line: int) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_bytes(content)
    with pytest.raises(DataError, match=rf"bad\.jsonl:{line}: "):
        list(read_rows(path))


def test_blank_lines_a_byte_order_mark_and_windows_line_ends_are_read_over(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"a": 1}\r\n\r\n{"a": 2}')
    assert [row.fields["a"] for row in read_rows(path)] == [1, 2]


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("none.jsonl", None, "cannot be read"),
        ("x.csv", b"a,b\n", "unknown kind of file"),
        ("x.json", b'{"a": 1}', "expected one array"),
        ("x.json", b"", "not JSON"),
        ("x.jsonl.gz", b"not gzip", "cannot be read"),
        ("x.jsonl.gz", gzip.compress(b'{"a": 1}\n' * 99)[:-12], "cannot be read"),
        ("x.parquet", b"PAR1nonsense", "not a Parquet file"),
    ],
)
def test_an_unreadable_file_is_refused_by_name(
    tmp_path: Path, name: str, content: bytes | None, complaint: str
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=complaint) as caught:
        list(read_rows(path))
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@given(st.binary(max_size=300))
def test_any_bytes_are_rows_or_a_data_error(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    folder = tmp_path_factory.mktemp("fuzz")
    for name in ("x.jsonl", "x.json", "x.jsonl.gz", "x.parquet"):
        path = folder / name
        path.write_bytes(content)
        try:
            rows = list(read_rows(path))
        except DataError as error:
            said = str(error)
        else:
            said = " ".join(row.where for row in rows) or str(path)
        assert str(path) in said


@given(st.lists(st.dictionaries(st.text(max_size=5), st.none() | st.integers() | st.text(), max_size=3)))
def test_what_was_written_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, object]]
) -> None:
    path = tmp_path_factory.mktemp("trip") / "x.jsonl"
    path.write_bytes("".join(json.dumps(row) + "\n" for row in rows).encode())
    assert [dict(row.fields) for row in read_rows(path)] == rows


def test_a_missing_field_is_named_with_those_present() -> None:
    with pytest.raises(DataError, match=r"f:3: field 'prompt' is missing; fields present: task_id, text"):
        Row({"text": "", "task_id": 1}, "f:3").get("prompt", str)


def test_a_field_of_another_type_is_named_with_both_types() -> None:
    row = Row({"a": 1, "b": True, "c": ["x", 2]}, "f:3")
    with pytest.raises(DataError, match="field 'a' is int, expected str"):
        row.get("a", str)
    with pytest.raises(DataError, match="field 'b' is bool, expected int"):
        row.get("b", int)
    with pytest.raises(DataError, match="field 'c' holds something else than strings"):
        row.strings("c")
    with pytest.raises(DataError, match="field 'b' is bool, expected a number"):
        row.number("b")
    assert row.number("a") == 1.0
    assert row.get("d", str, "default") == "default"


def test_without_a_hub_the_error_names_the_file_option(monkeypatch: pytest.MonkeyPatch) -> None:
    class Offline:
        @staticmethod
        def load_dataset(*_: object) -> object:
            raise ConnectionError("Couldn't reach the hub\nsecond line")

    monkeypatch.setitem(sys.modules, "datasets", Offline)  # type: ignore[arg-type]
    with pytest.raises(
        HubUnavailableError, match=r"owner/set .*Couldn't reach the hub.*--data FILE"
    ) as caught:
        list(rows_of(None, hub_id="owner/set"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("missing", ["datasets", "pyarrow"])
def test_a_missing_package_is_a_one_line_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    path = tmp_path / "x.parquet"
    path.write_bytes(b"PAR1")
    with pytest.raises((DataError, HubUnavailableError), match=missing) as caught:
        list(rows_of(None if missing == "datasets" else path, hub_id="owner/set"))
    assert "\n" not in str(caught.value)


def test_hub_rows_come_from_every_split(monkeypatch: pytest.MonkeyPatch) -> None:
    class Hub:
        @staticmethod
        def load_dataset(hub_id: str, config: str) -> object:
            assert (hub_id, config) == ("owner/set", "full")
            return {"test": [{"a": 1}], "train": [{"a": 2}]}

    monkeypatch.setitem(sys.modules, "datasets", Hub)  # type: ignore[arg-type]
    rows = list(rows_of(None, hub_id="owner/set", config="full"))
    assert [(row.fields["a"], row.where) for row in rows] == [
        (1, "owner/set[test]:1"),
        (2, "owner/set[train]:1"),
    ]
