from __future__ import annotations

import gzip
import json
import re
import socket
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codesample.data_files import Entry, entries_of, hub_entries, hub_file, read_entries
from codesample.errors import DataError, HubUnavailableError
from codesample.records import CodeTests

ENTRIES = [{"task_id": "a", "n": 1}, {"task_id": "b\u2028c", "n": None}]


def _jsonl(values: list[object]) -> bytes:
    return "".join(json.dumps(value, ensure_ascii=False) + "\n" for value in values).encode()


def _write(folder: Path, name: str, values: list[object]) -> Path:
    path = folder / name
    if name.endswith(".parquet"):
        import pyarrow
        import pyarrow.parquet

        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(values), path)
        return path
    text = _jsonl(values) if ".jsonl" in name else json.dumps(values).encode()
    path.write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
    return path


@pytest.mark.parametrize("name", ["x.jsonl", "x.jsonl.gz", "x.json", "x.json.gz", "x.parquet"])
def test_every_published_form_gives_the_same_entries(tmp_path: Path, name: str) -> None:
    entries = list(read_entries(_write(tmp_path, name, ENTRIES), dict))
    assert [entry.record for entry in entries] == ENTRIES
    assert entries[1].where.endswith(f"{name}:2")


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
        list(read_entries(path, dict))


def test_blank_lines_a_byte_order_mark_and_windows_line_ends_are_read_over(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"a": 1}\r\n\r\n{"a": 2}')
    assert [entry.record["a"] for entry in read_entries(path, dict)] == [1, 2]


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("none.jsonl", None, "there is no such file or folder"),
        ("x.csv", b"a,b\n", "unknown kind of file"),
        ("x.json", b'{"a": 1}', "expected one array"),
        ("x.json", b"", "not JSON"),
        (
            "x.jsonl.gz",
            b"not gzip",
            r"cannot be read as gzip: it begins with b'not gzip'; .* name it x\.jsonl",
        ),
        ("x.jsonl.gz", b"", "it is empty"),
        ("x.jsonl", b'[{"a": 1}]', r"x\.jsonl:1: .*a file that is one array is named \.json"),
        ("x.jsonl", b'{\n  "a": 1\n}', r"x\.jsonl:1: not JSON: .*; expected a JSON object on each line$"),
        ("x.jsonl", b"7", r"x\.jsonl:1: holds int, expected an object with named fields$"),
        ("x.json", b'{"a": 1}\n{"a": 2}', r"a file with an object on each line is named \.jsonl"),
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
        list(read_entries(path, dict))
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@given(st.binary(max_size=300))
def test_any_bytes_are_entries_or_a_data_error(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    folder = tmp_path_factory.mktemp("fuzz")
    for name in ("x.jsonl", "x.json", "x.jsonl.gz", "x.parquet"):
        path = folder / name
        path.write_bytes(content)
        try:
            entries = list(read_entries(path, dict))
        except DataError as error:
            said = str(error)
        else:
            said = " ".join(entry.where for entry in entries) or str(path)
        assert str(path) in said


@given(st.lists(st.dictionaries(st.text(max_size=5), st.none() | st.integers() | st.text(), max_size=3)))
def test_what_was_written_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, values: list[dict[str, object]]
) -> None:
    path = tmp_path_factory.mktemp("trip") / "x.jsonl"
    path.write_bytes("".join(json.dumps(value) + "\n" for value in values).encode())
    assert [entry.record for entry in read_entries(path, dict)] == values


@dataclass
class Item:
    a: int
    b: str = "unsaid"


@pytest.mark.parametrize("name", ["x.jsonl", "x.jsonl.gz", "x.json", "x.json.gz", "x.parquet"])
def test_entries_are_of_the_kind_asked_for_whatever_the_file(tmp_path: Path, name: str) -> None:
    path = _write(tmp_path, name, [{"a": 1, "b": None, "other": "x"}, {"a": 2, "b": "y", "other": "x"}])
    assert [entry.record for entry in read_entries(path, Item)] == [Item(1), Item(2, "y")]


@pytest.mark.parametrize("name", ["x.jsonl", "x.jsonl.gz", "x.json", "x.json.gz", "x.parquet"])
@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ({"b": "y"}, "field 'a' is missing; fields present: b"),
        ({"a": "1"}, "field 'a' is str, expected int"),
    ],
)
def test_an_entry_of_another_kind_is_named_whatever_the_file(
    tmp_path: Path, name: str, value: dict[str, object], complaint: str
) -> None:
    path = _write(tmp_path, name, [value])
    with pytest.raises(DataError, match=rf"{re.escape(str(path))}:1: {complaint}"):
        list(read_entries(path, Item))


def test_what_a_record_refuses_is_named_by_the_place() -> None:
    with (
        pytest.raises(DataError, match=r"^x\.jsonl:3: no tests"),
        Entry({}, "x.jsonl:3").naming_faults(),
    ):
        CodeTests()


def test_without_a_hub_the_error_names_the_file_option(monkeypatch: pytest.MonkeyPatch) -> None:
    class Offline:
        @staticmethod
        def load_dataset(*_: object) -> object:
            raise ConnectionError("Couldn't reach the hub\nsecond line")

    monkeypatch.setitem(sys.modules, "datasets", Offline)  # type: ignore[arg-type]
    for offline, reason in (
        ("0", "Couldn't reach the hub"),
        ("1", "there is no network, or HF_HUB_OFFLINE is set"),
    ):
        monkeypatch.setenv("HF_HUB_OFFLINE", offline)
        with pytest.raises(HubUnavailableError) as caught:
            list(entries_of(None, dict, hub_id="owner/set"))
        assert str(caught.value) == (
            f"data set owner/set is not on this machine and the hub gave nothing ({reason}); give the "
            "published file with --data FILE"
        )


@pytest.mark.parametrize("missing", ["datasets", "pyarrow"])
def test_a_missing_package_is_a_one_line_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    path = tmp_path / "x.parquet"
    path.write_bytes(b"PAR1")
    with pytest.raises((DataError, HubUnavailableError), match=missing) as caught:
        list(entries_of(None if missing == "datasets" else path, dict, hub_id="owner/set"))
    assert "\n" not in str(caught.value)


def test_entries_of_the_hub_come_from_every_split_and_are_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    class Hub:
        @staticmethod
        def load_dataset(hub_id: str, config: str) -> object:
            assert (hub_id, config) == ("owner/set", "full")
            return {"test": [{"a": 1}], "train": [{"a": 2}, {"b": 3}]}

    monkeypatch.setitem(sys.modules, "datasets", Hub)  # type: ignore[arg-type]
    entries = entries_of(None, Item, hub_id="owner/set", config="full")
    assert next(entries) == Entry(Item(1), "owner/set[test]:1")
    assert next(entries) == Entry(Item(2), "owner/set[train]:1")
    with pytest.raises(DataError, match=r"owner/set\[train\]:2: field 'a' is missing; fields present: b"):
        next(entries)


@pytest.mark.parametrize("name", ["x.jsonl", "x.jsonl.gz", "x.json", "x.json.gz"])
@pytest.mark.parametrize(
    ("twice", "key"),
    [
        ('{"a": 1, "b": 2, "a": 1}', "a"),
        ('{"a": {"deep": [{"k": 1, "\\u006b": 2}]}}', "k"),
        ('{"a": "}, {", "b" : {"": 1,"":2}, "c": 1, "c": 2}', ""),
    ],
)
def test_a_field_that_is_named_twice_is_refused_with_file_line_and_key(
    tmp_path: Path, name: str, twice: str, key: str
) -> None:
    fine = ['{"a": 1}', '{"a": {"a": "\\"a\\": 1"}}']
    text = (
        "\n".join((*fine, twice)) if ".jsonl" in name else f"\ufeff [{' , '.join((*fine, twice))}, {fine[0]}]"
    )
    raw = text.encode()
    (tmp_path / name).write_bytes(gzip.compress(raw) if name.endswith(".gz") else raw)
    with pytest.raises(DataError, match=rf"{re.escape(name)}:3: names the field {key!r} twice"):
        list(read_entries(tmp_path / name, dict))


def test_equal_names_in_different_objects_are_no_repetition(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text('[{"a": {"a": [{"a": 1}, {"a": 2}]}}, {"a": 3}]')
    assert len(list(read_entries(tmp_path / "x.json", dict))) == 2


def test_a_folder_says_which_of_its_files_may_be_meant(tmp_path: Path) -> None:
    folder = tmp_path / "data.jsonl"
    folder.mkdir()
    with pytest.raises(DataError, match=r"is a folder; name a file; it holds none that ends in \.jsonl"):
        list(read_entries(folder, dict))
    for name in ("b.jsonl", "a.json.gz", "c.jsonl", "d.jsonl", "notes.txt"):
        (folder / name).touch()
    with pytest.raises(DataError, match=r"such as \S+a\.json\.gz, \S+b\.jsonl, \S+c\.jsonl and 1 more"):
        list(read_entries(folder, dict))


def test_packed_content_is_read_whatever_the_name_says(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(gzip.compress(b'{"a": 1}\n'))
    assert [entry.record for entry in read_entries(path, dict)] == [{"a": 1}]


def test_one_split_of_a_data_set_is_asked_for_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    class Hub:
        @staticmethod
        def load_dataset(hub_id: str, split: str) -> object:
            return [{"hub": hub_id, "split": split}]

    monkeypatch.setitem(sys.modules, "datasets", Hub)  # type: ignore[arg-type]
    (entry,) = entries_of(None, dict, hub_id="owner/set", split="test")
    assert entry == Entry({"hub": "owner/set", "split": "test"}, "owner/set[test]:1")


def test_a_file_of_lines_is_read_as_far_as_it_is_asked_for(tmp_path: Path) -> None:
    for name, opened in (("rows.jsonl", Path.open), ("rows.jsonl.gz", gzip.open)):
        with opened(tmp_path / name, "wb") as file:
            file.write(b'{"a": 1}\n{"a": "\xe2\x80\xa8"}\nno JSON\n')
        entries = read_entries(tmp_path / name, dict)
        assert [next(entries).record, next(entries).record] == [{"a": 1}, {"a": "\u2028"}]
        with pytest.raises(DataError, match=r":3: not JSON"):
            next(entries)


@pytest.mark.parametrize("name", ["nowhere", "nowhere.jsonl", "nowhere.json.gz", "nowhere.parquet"])
def test_a_name_that_leads_nowhere_is_said_to(name: str, tmp_path: Path) -> None:
    with pytest.raises(DataError) as refused:
        list(read_entries(tmp_path / name, dict))
    assert str(refused.value) == f"{tmp_path / name}: there is no such file or folder"


def test_of_a_file_that_cannot_be_opened_the_reason_is_said_once(tmp_path: Path) -> None:
    path = tmp_path / "socket.jsonl"
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))
        with pytest.raises(DataError) as refused:
            list(read_entries(path, dict))
    assert str(refused.value) == f"{path}: cannot be read: No such device or address"


def test_a_name_that_no_file_can_have_is_refused() -> None:
    with pytest.raises(DataError, match=r"a\.jsonl: cannot be read: File name too long"):
        list(read_entries(Path("a" * 300 + ".jsonl"), dict))


@pytest.mark.parametrize("error", [PermissionError(13, "Permission denied", "lock"), ValueError("no split")])
def test_what_else_is_wrong_with_the_hub_s_data_is_said_without_a_network_too(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    import datasets
    import huggingface_hub

    def fail(*given: object, **named: object) -> None:
        raise error

    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(datasets, "load_dataset", fail)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", fail)
    reason = r"nothing \((Permission denied|no split)\)"
    with pytest.raises(HubUnavailableError, match=reason):
        list(hub_entries("owner/nowhere", dict))
    with pytest.raises(HubUnavailableError, match=reason):
        hub_file("owner/nowhere", "test.jsonl")


def test_without_a_network_that_is_the_reason_and_no_name_of_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    reason = r"nothing \(there is no network, or HF_HUB_OFFLINE is set\)"
    with pytest.raises(HubUnavailableError, match=reason):
        list(hub_entries("owner/nowhere", dict))
    with pytest.raises(HubUnavailableError, match=reason):
        hub_file("owner/nowhere", "test.jsonl")
