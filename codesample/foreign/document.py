"""A file, a folder, an archive or standard input, unpacked: lines of objects, one JSON value, or members."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import stat
import sys
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec

from codesample.data_files import Entry, read_entries
from codesample.decoding import NotJsonError, decoded, parsed, repeated_key
from codesample.errors import DataError

__all__ = ["STANDARD_INPUT", "Document", "Members", "open_document", "unpacked"]

STANDARD_INPUT = Path("-")
"""Names standard input where a file is expected."""

_GZIP, _ZIP, _PARQUET = b"\x1f\x8b", b"PK\x03\x04", b"PAR1"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_MOST_MEMBERS = 500_000
# of what is packed
_GIB = 2**30
_MOST_BYTES = 4 * _GIB
# number of the method in archives, and the length of what stands before a packed file's name
_ZSTANDARD, _HEAD_BYTES = 93, 30


class Members:
    """The files of a folder or an archive, read when they are asked for.

    Attributes:
        names: Sorted; with "/" between the parts.
    """

    def __init__(self, where: str, source: Path | zipfile.ZipFile) -> None:
        self._where, self._source = where, source
        if isinstance(source, zipfile.ZipFile):
            _check_size(sum(each.file_size for each in source.infolist()), where)
            found = (each for each in source.namelist() if not each.endswith("/"))
        else:
            found = (each.relative_to(source).as_posix() for each in source.rglob("*") if each.is_file())
        # what systems and editors leave begins with a dot or lies in such a folder
        shown = (name for name in found if not name.startswith((".", "__MACOSX/")) and "/." not in name)
        self.names = tuple(sorted({name for name, _ in zip(shown, range(_MOST_MEMBERS), strict=False)}))

    def read(self, name: str) -> bytes:
        """Return the content of a file.

        Raises:
            DataError: it cannot be read; names it.
        """
        try:
            if isinstance(self._source, Path):
                return (self._source / name).read_bytes()
            if self._source.getinfo(name).compress_type == _ZSTANDARD:
                return _unpacked_zstandard(self._source, name)
            return self._source.read(name)
        except (NotImplementedError, ImportError) as error:
            raise DataError(
                f"{self._where}: {name}: packed by Zstandard, which this Python reads with the package "
                "zstandard only; install it, or for a log of inspect give what "
                "`inspect log convert LOG --to json --output-dir FOLDER` writes"
            ) from error
        except (OSError, RuntimeError, EOFError, ValueError, zlib.error, zipfile.BadZipFile) as error:
            raise DataError(f"{self._where}: {name}: cannot be read: {error}") from error


@dataclass
class Document:
    """What was given, unpacked as far as it is packed.

    Attributes:
        name: How complaints name it.
        text: The content; b"" where there are `members` instead.
        members: Of a folder or an archive.
        beside: The members that it lies among, and its own name there.
        notices: What opening and reading left out; sentences.
        path: Of a file in a form that only a library can read.
    """

    name: str
    text: bytes = b""
    members: Members | None = None
    beside: tuple[Members, str] | None = None
    notices: list[str] = field(default_factory=list)
    path: Path | None = None

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the content."""
        total = hashlib.sha256(self.text)
        for name in self.members.names if self.members else ():
            total.update(hashlib.sha256(name.encode("utf-8", "surrogateescape")).digest())
            total.update(hashlib.sha256(self.members.read(name)).digest())  # type: ignore[union-attr]
        if self.path is not None:
            total.update(self.path.read_bytes())
        return total.hexdigest()

    @cached_property
    def value(self) -> object:
        """The one JSON value that this is; None for lines, members and what is no JSON."""
        if self.members is not None or self.path is not None or self._is_lines:
            return None
        with suppress(NotJsonError):
            return _parsed(self.text, where=self.name)
        return None

    @cached_property
    def first(self) -> Mapping[str, Any]:
        """The fields of the first of several objects; none where this is something else, or no JSON."""
        if self.members is not None:
            return {}
        if not self._is_lines and self.path is None:
            value = self.value
            item = value[0] if isinstance(value, list) and value else value
            return item if isinstance(item, dict) else {}
        with suppress(DataError):
            return next((each.record for each in self._entries([])), {})
        return {}

    def entries(self) -> Iterator[Entry[dict[str, Any]]]:
        """Yield the objects of lines or of an array, each with its place.

        A last line that was cut off is left out, with a notice.

        Raises:
            DataError: one is no object, or names a field twice.
        """
        return self._entries(self.notices)

    def fault(self) -> str:
        """Say why this is neither lines nor a JSON value; "" where it is."""
        try:
            if self._is_lines:
                next(self._entries([]), None)
            elif self.text:
                _parsed(self.text, where=self.name)
        except DataError as error:
            return str(error)
        return ""

    @cached_property
    def _is_lines(self) -> bool:
        """Whether there are several lines, each an object of its own; one object alone is a value."""
        text = self.text.lstrip()
        first, _, rest = text.partition(b"\n")
        if not first.startswith(b"{") or not rest.strip():
            return False
        with suppress(ValueError, RecursionError):
            json.loads(first)
            return True
        # an object that is laid out over several lines does not go on with another
        return rest.lstrip().startswith(b"{")

    def _entries(self, notices: list[str]) -> Iterator[Entry[dict[str, Any]]]:
        if self.path is not None:
            yield from read_entries(self.path, dict)
        elif self._is_lines or not self.text.strip():
            yield from self._lines(notices)
        else:
            yield from self._items()

    def _items(self) -> Iterator[Entry[dict[str, Any]]]:
        items = self.value if isinstance(self.value, list) else [self.value]
        if (key := repeated_key(self.text)) is not None:
            raise DataError(f"{self.name}: names the field {key!r} twice; one of the two would be lost")
        for number, item in enumerate(items, 1):
            place = f"{self.name}:{number}"
            if not isinstance(item, dict):
                raise DataError(f"{place}: holds {type(item).__name__}, expected an object with named fields")
            yield Entry(item, place)

    def _lines(self, notices: list[str]) -> Iterator[Entry[dict[str, Any]]]:
        for number, line in enumerate(io.BytesIO(self.text), 1):
            if line.isspace():
                continue
            place = f"{self.name}:{number}"
            try:
                record = decoded(line, dict, where=place)
            except NotJsonError:
                if line.endswith(b"\n") or number == 1:
                    raise
                notices.append(f"{place}: the last line is cut off in the middle and is left out")
                return
            if (key := repeated_key(line)) is not None:
                raise DataError(f"{place}: names the field {key!r} twice; one of the two would be lost")
            yield Entry(record, place)


def open_document(path: Path) -> Document:
    """Open what a user names: a file, packed or not, a folder, an archive, or "-" for standard input.

    Raises:
        DataError: there is no such thing, or it cannot be read; suggests a file of a near name.
    """
    if path == STANDARD_INPUT:
        return unpacked(sys.stdin.buffer.read(), "standard input")
    try:
        if path.is_dir():
            return Document(str(path), members=Members(str(path), path))
        text = _read(path)
    except (FileNotFoundError, NotADirectoryError):
        raise DataError(f"{path}: there is no such file or folder{_near(path)}") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    if text.startswith(_PARQUET):
        if path.suffix != ".parquet":
            raise DataError(f"{path}: is a Parquet file; give it a name that ends in .parquet")
        return Document(str(path), path=path)
    document = unpacked(text, str(path))
    document.beside = (_Siblings(path), path.name)
    return document


def unpacked(text: bytes, name: str) -> Document:
    """Return the document that a file's bytes are, packed or not.

    Raises:
        DataError: an archive that cannot be opened.
    """
    notices = []
    if text.startswith(_GZIP):
        text, whole = _gunzipped(text, name)
        if not whole:
            notices.append(f"{name}: the packed file ends in the middle; what could be unpacked is read")
    if text.startswith(_ZIP):
        try:
            archive = zipfile.ZipFile(io.BytesIO(text))
        except (zipfile.BadZipFile, OSError, ValueError) as error:
            raise DataError(f"{name}: an archive that cannot be opened: {error}") from error
        return Document(name, members=Members(name, archive), notices=notices)
    return Document(name, text.removeprefix(_BYTE_ORDER_MARK), notices=notices)


def _read(path: Path) -> bytes:
    """Return the content of a file or a pipe; a device has no end, but for a terminal.

    Raises:
        DataError: it is a device.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        mode = os.fstat(file.fileno()).st_mode
        if stat.S_ISBLK(mode) or (stat.S_ISCHR(mode) and not file.isatty()):
            raise DataError(f"{path}: is a device; expected a file or a folder")
        return file.read()


def _check_size(count: int, where: str) -> None:
    """Refuse what would fill the memory; raises DataError."""
    if count > _MOST_BYTES:
        most = f"{_MOST_BYTES // _GIB} GiB"
        raise DataError(f"{where}: unpacks to more than {most}; unpack it and give the part that is meant")


class _Siblings(Members):
    """The files beside a file; the folder is not searched before one of them is asked for."""

    def __init__(self, path: Path) -> None:
        self._where, self._source = str(path.parent), path.parent

    @property
    def names(self) -> tuple[str, ...]:  # type: ignore[override]
        with suppress(OSError):
            return tuple(sorted(each.name for each in Path(self._where).iterdir()))
        return ()


def _unpacked_zstandard(archive: zipfile.ZipFile, name: str) -> bytes:
    """Unpack what Python reads by itself from 3.14 on; raises ImportError where no package does it."""
    if sys.version_info >= (3, 14):
        return archive.read(name)
    import zstandard

    entry, file = archive.getinfo(name), archive.fp
    assert file is not None
    file.seek(entry.header_offset)
    head = file.read(_HEAD_BYTES)
    # the name and what else stands between, each with its length, two bytes
    file.seek(int.from_bytes(head[26:28], "little") + int.from_bytes(head[28:30], "little"), io.SEEK_CUR)
    packed = io.BytesIO(file.read(entry.compress_size))
    try:
        reader = zstandard.ZstdDecompressor().stream_reader(packed, read_across_frames=True)
        return bytes(reader.read(entry.file_size))
    except zstandard.ZstdError as error:
        raise zipfile.BadZipFile(str(error)) from error


def _gunzipped(text: bytes, name: str) -> tuple[bytes, bool]:
    """Unpack as much as there is; says also whether that is all."""
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(text)) as file:
            unpacked_text = file.read(_MOST_BYTES + 1)
        _check_size(len(unpacked_text), name)
        return unpacked_text, True
    except EOFError:
        with suppress(zlib.error):
            return zlib.decompressobj(wbits=31).decompress(text, _MOST_BYTES), False
    except (OSError, zlib.error) as error:
        raise DataError(f"{name}: cannot be read: {error}") from error
    return b"", False


def _parsed(text: bytes, *, where: str) -> object:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        # what Python's own reader knows besides, and its words for what is wrong
        return parsed(text, where=where)


def _near(path: Path) -> str:
    with suppress(OSError):
        near = get_close_matches(path.name, [each.name for each in path.parent.iterdir()], n=1)
        return f"; did you mean {path.parent / near[0]}?" if near else ""
    return ""
