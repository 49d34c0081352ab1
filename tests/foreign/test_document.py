"""Whatever samples are packed in, and whatever is wrong with it."""

from __future__ import annotations

import gzip
import io
import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from codesample.errors import DataError
from codesample.foreign import Matched, document, open_samples
from codesample.foreign.document import Document, open_document
from codesample.records import Candidate

Reader = Callable[..., Matched]

LINES = b'{"task_id": "a", "completion": "x"}\n{"task_id": "b", "completion": "y"}\n'
BOTH = [Candidate("a", 0, "x"), Candidate("b", 0, "y")]


def zipped(**members: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, text in members.items():
            archive.writestr(name.replace("__", "."), text)
    return packed.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        LINES,
        LINES.rstrip(b"\n"),
        b"\n\n" + LINES.replace(b"\n", b"\n\n"),
        LINES.replace(b"\n", b"\r\n"),
        b"\xef\xbb\xbf" + LINES,
        b"[" + LINES.strip().replace(b"\n", b",\n") + b"]",
        gzip.compress(LINES),
        gzip.compress(LINES[:36]) + gzip.compress(LINES[36:]),
        zipped(samples__jsonl=LINES, README__txt=b"what this is"),
        gzip.compress(zipped(samples__jsonl__gz=gzip.compress(LINES))),
    ],
    ids=["lines", "no-end", "blank", "crlf", "mark", "array", "gz", "two-gz", "zip", "zip-in-gz"],
)
def test_the_name_tells_nothing_and_the_content_everything(
    tmp_path: Path, read: Reader, content: bytes
) -> None:
    path = tmp_path / "given"
    path.write_bytes(content)
    found = read(path)
    assert (found.candidates, found.notices) == (BOTH, [])


def test_one_object_alone_is_a_row_however_it_is_laid_out(tmp_path: Path, read: Reader) -> None:
    row = {"task_id": "a", "completion": "x"}
    for text in (json.dumps(row), json.dumps(row, indent=2), json.dumps([row], indent=2)):
        (tmp_path / "given").write_text(text)
        assert read(tmp_path / "given").candidates == BOTH[:1]


def test_standard_input_is_read_like_a_file(monkeypatch: pytest.MonkeyPatch, read: Reader) -> None:
    stream = io.TextIOWrapper(io.BytesIO(gzip.compress(LINES)))
    monkeypatch.setattr("sys.stdin", stream)
    file = open_samples(Path("-"))
    assert (file.name, file.form) == ("stdin", "human-eval")
    assert [each.where for each in file.samples()] == ["standard input:1", "standard input:2"]


@pytest.mark.parametrize("cut", range(1, 35))
def test_a_last_line_that_was_cut_off_is_left_out_with_a_notice(
    tmp_path: Path, read: Reader, cut: int
) -> None:
    path = tmp_path / "samples.jsonl"
    path.write_bytes(LINES[: 36 + cut])
    found = read(path)
    if cut == 35:
        assert found.candidates == BOTH
    else:
        assert found.candidates == BOTH[:1]
        (notice,) = found.notices
        assert notice.startswith(f"{path}:2: the last line is cut off")


def test_a_line_that_was_cut_off_in_the_middle_of_a_file_is_an_error(tmp_path: Path, read: Reader) -> None:
    path = tmp_path / "samples.jsonl"
    path.write_bytes(LINES[:50] + b"\n" + LINES)
    with pytest.raises(DataError, match=r"samples\.jsonl:2: not JSON"):
        read(path)


def test_of_a_packed_file_that_ends_in_the_middle_what_there_is_is_read(tmp_path: Path, read: Reader) -> None:
    many = b"".join(b'{"task_id": "a", "completion": "%d"}\n' % (at * 7919) for at in range(2_000))
    path = tmp_path / "samples.jsonl.gz"
    path.write_bytes(gzip.compress(many)[:-2_000])
    found = read(path)
    assert 100 < len(found.candidates) < 2_000
    assert found.candidates == [Candidate("a", at, str(at * 7919)) for at in range(len(found.candidates))]
    assert "the packed file ends in the middle" in found.notices[0]


@pytest.mark.parametrize("content", [b"\x1f\x8bnonsense", b"PK\x03\x04nonsense", b"PAR1nonsense"])
def test_what_cannot_be_unpacked_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "given"
    path.write_bytes(content)
    with pytest.raises(DataError) as refused:
        open_samples(path)
    assert str(refused.value).startswith(f"{path}: ")


def test_a_file_that_is_not_there_is_said_to_be_missing(tmp_path: Path) -> None:
    (tmp_path / "samples.jsonl").write_bytes(LINES)
    with pytest.raises(DataError, match=r"there is no such file or folder; did you mean .*/samples\.jsonl\?"):
        open_samples(tmp_path / "sample.jsonl")
    with pytest.raises(DataError, match=r"folder$"):
        open_samples(tmp_path / "samples.jsonl" / "nothing")


def test_the_one_file_of_samples_in_a_folder_is_taken(tmp_path: Path, read: Reader) -> None:
    (tmp_path / "README.md").write_text("x")
    (tmp_path / "settings.json").write_text('{"temperature": 1}')
    (tmp_path / ".samples.jsonl").write_bytes(LINES)
    inner = tmp_path / "model" / "run"
    inner.mkdir(parents=True)
    (inner / "out.jsonl.gz").write_bytes(gzip.compress(LINES))
    assert read(tmp_path).candidates == BOTH


def test_of_several_files_of_samples_none_is_chosen(tmp_path: Path) -> None:
    for name in ("one.jsonl", "two.jsonl"):
        (tmp_path / name).write_bytes(LINES)
    with pytest.raises(
        DataError, match=r"holds 2 files of samples; name one of them: one\.jsonl, two\.jsonl"
    ):
        open_samples(tmp_path)


def test_a_folder_without_samples_says_what_it_holds(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="it holds nothing"):
        open_samples(tmp_path)
    (tmp_path / "notes.txt").write_bytes(LINES)
    with pytest.raises(DataError, match=r"it holds notes\.txt"):
        open_samples(tmp_path)


def test_equal_content_has_one_digest_and_other_content_another(tmp_path: Path) -> None:
    def digest(name: str, content: bytes) -> str:
        (tmp_path / name).write_bytes(content)
        return open_document(tmp_path / name).digest

    assert digest("a", LINES) == digest("b", gzip.compress(LINES)) != digest("c", LINES + b"\n")
    for folder, text in (("one", b"x"), ("two", b"x"), ("three", b"y")):
        (tmp_path / folder / "a").mkdir(parents=True)
        (tmp_path / folder / "a" / "0.py").write_bytes(text)
    one, two, three = (open_document(tmp_path / each).digest for each in ("one", "two", "three"))
    assert one == two != three


def test_a_value_is_no_lines_and_lines_are_no_value() -> None:
    assert Document("x", LINES).value is None
    assert Document("x", LINES[:36]).value == {"task_id": "a", "completion": "x"}
    assert Document("x", b'{"a": NaN}').first["a"] != 0
    assert Document("x", b"{").fault().startswith("x: not JSON")


def test_what_would_fill_the_memory_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(document, "_MOST_BYTES", 1_000)
    row = json.dumps({"task_id": "a", "completion": "x" * 2_000}).encode()
    (tmp_path / "x.gz").write_bytes(gzip.compress(row))
    with zipfile.ZipFile(tmp_path / "x.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.jsonl", row)
    for name in ("x.gz", "x.zip"):
        with pytest.raises(DataError, match=rf"{name}: unpacks to more than"):
            open_samples(tmp_path / name)
    # what is as large without any packing is nobody's trap
    (tmp_path / "x.jsonl").write_bytes(row)
    assert len(list(open_samples(tmp_path / "x.jsonl").samples())) == 1


def test_a_device_is_refused_and_a_pipe_is_read(tmp_path: Path, read: Reader) -> None:
    with pytest.raises(DataError, match="/dev/zero: is a device"):
        open_samples(Path("/dev/zero"))
    reading, writing = os.pipe()
    with os.fdopen(writing, "wb") as file:
        file.write(b'{"task_id": "a", "completion": "x"}\n')
    try:
        assert len(read(Path(f"/dev/fd/{reading}")).candidates) == 1
    finally:
        os.close(reading)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_that_an_archive_holds_twice_is_one_file(tmp_path: Path, read: Reader) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        for text in ("x", "y"):
            archive.writestr("a.jsonl", json.dumps({"task_id": "a", "completion": text}))
    assert [each.completion for each in read(tmp_path / "x.zip").candidates] == ["y"]
