"""Entries of published data files, of samples and of the hub; every complaint names the file and the line."""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISDIR
from typing import IO, Any, Generic, TypeVar

from codesample.decoding import NotJsonError, converted, decoded, parsed, repeated_key
from codesample.errors import DataError, HubUnavailableError, ParameterError
from codesample.hub import expect_hub, is_offline
from codesample.quiet import without_bars

__all__ = ["Entry", "entries_of", "hub_entries", "hub_file", "read_entries"]

_SUFFIXES = (".jsonl", ".jsonl.gz", ".json", ".json.gz", ".parquet")
_GZIP = b"\x1f\x8b"
_HEAD = 12
_UNREACHED = ("OfflineModeIsEnabled", "LocalEntryNotFoundError", "ConnectionError", "ConnectError")
_NAMED = 3
_NEXT = re.compile(r"[\s,]*")
_T = TypeVar("_T")
_RecordT = TypeVar("_RecordT", covariant=True)


@dataclass(frozen=True, slots=True)
class Entry(Generic[_RecordT]):
    """One item of a data file, typed, and where it stands, such as "problems.jsonl:12"."""

    record: _RecordT
    where: str

    @contextmanager
    def naming_faults(self) -> Iterator[None]:
        """Name this entry in what a record refuses that is made within.

        Raises:
            DataError: in place of a ParameterError.
        """
        try:
            yield
        except ParameterError as error:
            raise DataError(f"{self.where}: {error}") from error


def entries_of(
    data: Path | None, kind: type[_T], *, hub_id: str, config: str | None = None, split: str | None = None
) -> Iterator[Entry[_T]]:
    """Read entries from the file `data`, or from the hub's data set where that is None.

    Args:
        config, split: Of the hub's data set; None for its only configuration, and for all splits.

    Raises:
        DataError: the file is missing, of an unknown kind or malformed.
        HubUnavailableError: no file was given and the hub gave nothing.
    """
    if data is not None:
        return read_entries(data, kind)
    return hub_entries(hub_id, kind, config=config, split=split)


def read_entries(path: Path, kind: type[_T]) -> Iterator[Entry[_T]]:
    """Read `.jsonl`, `.json` (one array), both also as `.gz`, or `.parquet`; blank lines are skipped.

    Args:
        kind: What each entry becomes: a dataclass, a `msgspec.Struct`, or `dict` for the fields as they
            stand. Fields that it does not have are dropped.

    Raises:
        DataError: the file is missing, of another kind, or an entry is not a JSON object or no `kind`, or
            names a field twice.
    """
    path = Path(path)
    try:
        there = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        raise DataError(f"{path}: there is no such file or folder") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {_first_line(error)}") from error
    suffix = next((s for s in sorted(_SUFFIXES, key=len, reverse=True) if path.name.endswith(s)), None)
    if S_ISDIR(there.st_mode):
        raise DataError(f"{path}: is a folder; {_inside(path)}")
    if suffix is None:
        raise DataError(f"{path}: unknown kind of file; expected one of {', '.join(_SUFFIXES)}")
    try:
        if suffix == ".parquet":
            yield from _typed(_parquet(path), kind, str(path))
            return
        with _opened(path, packed=suffix.endswith(".gz")) as file:
            if suffix.startswith(".jsonl"):
                # line by line, for a file may be larger than memory
                yield from _lines(file, kind, str(path))
                return
            raw = file.read()
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: cannot be read: {_first_line(error)}") from error
    yield from _typed(_array(raw, str(path)), kind, str(path))


def _inside(folder: Path) -> str:
    """Say which file of a folder may be meant."""
    try:
        names = sorted(each.name for each in folder.iterdir() if each.name.endswith(_SUFFIXES))
    except OSError as error:
        return f"it cannot be looked into: {error.strerror}"
    if not names:
        return f"name a file; it holds none that ends in {', '.join(_SUFFIXES)}"
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"name a file of it, such as {', '.join(str(folder / name) for name in names[:_NAMED])}{more}"


def _opened(path: Path, *, packed: bool) -> IO[bytes] | gzip.GzipFile:
    """Open a file, unpacked where its content is gzip, whatever its name says.

    Raises:
        DataError: its name says that it is packed, and its content is not.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if head.startswith(_GZIP):
        return gzip.open(path)
    if packed:
        begins = f"it begins with {head!r}" if head else "it is empty"
        plain = path.name.removesuffix(".gz")
        raise DataError(f"{path}: cannot be read as gzip: {begins}; if it is not packed, name it {plain}")
    return path.open("rb")


def hub_file(hub_id: str, name: str) -> Path:
    """Return where one file of a data set on the hub lies on this machine; fetched once.

    For data sets that come with a loader script, which `datasets` runs no more.

    Raises:
        HubUnavailableError: it is neither cached here nor reachable; says where to get it.
    """
    expect_hub()
    try:
        from huggingface_hub import hf_hub_download

        with without_bars():
            return Path(hf_hub_download(hub_id, name, repo_type="dataset"))
    except Exception as error:
        raise HubUnavailableError(
            f"{name} of data set {hub_id} is not on this machine and the hub gave nothing "
            f"({_hubs_reason(error)}); download https://huggingface.co/datasets/{hub_id}/resolve/main/{name} "
            "and give it with --data FILE"
        ) from error


def hub_entries(
    hub_id: str, kind: type[_T], *, config: str | None = None, split: str | None = None
) -> Iterator[Entry[_T]]:
    """Read a data set through `datasets`: one split, or each in the order the hub lists them.

    Raises:
        HubUnavailableError: it is neither cached here nor reachable.
        DataError: an entry is no `kind`.
    """
    expect_hub()
    try:
        from datasets import load_dataset

        named = (hub_id, config) if config else (hub_id,)
        with without_bars():
            loaded = load_dataset(*named, **({"split": split} if split else {}))
    except Exception as error:
        raise HubUnavailableError(
            f"data set {hub_id} is not on this machine and the hub gave nothing ({_hubs_reason(error)}); "
            "give the published file with --data FILE"
        ) from error
    for name, entries in ({split: loaded} if split else loaded).items():
        yield from _typed((dict(entry) for entry in entries), kind, f"{hub_id}[{name}]")


def _lines(lines: Iterable[bytes], kind: type[_T], where: str) -> Iterator[Entry[_T]]:
    # a file of bytes ends a line at a line feed alone, as JSON strings may hold all else that ends one
    for number, line in enumerate(lines, 1):
        if line and not line.isspace():
            place = f"{where}:{number}"
            _expect_each_key_once(line, place)
            try:
                yield Entry(decoded(line, kind, where=place), place)
            except NotJsonError as error:
                if number == 1 and line.lstrip(b"\xef\xbb\xbf").startswith(b"["):
                    raise DataError(f"{error}; a file that is one array is named .json") from error
                if "expected" in str(error):
                    raise
                raise DataError(f"{error}; expected a JSON object on each line") from error


def _expect_each_key_once(text: bytes | str, place: str) -> None:
    if (key := repeated_key(text)) is not None:
        raise DataError(f"{place}: names the field {key!r} twice; one of the two would be lost")


def _typed(values: Iterable[object], kind: type[_T], where: str) -> Iterator[Entry[_T]]:
    for number, value in enumerate(values, 1):
        place = f"{where}:{number}"
        yield Entry(converted(value, kind, where=place), place)


def _array(raw: bytes, where: str) -> list[Any]:
    try:
        values = parsed(raw, where=where)
    except NotJsonError as error:
        if "Extra data" in str(error) and raw.lstrip().startswith(b"{"):
            raise DataError(f"{error}; a file with an object on each line is named .jsonl") from error
        raise
    if not isinstance(values, list):
        raise DataError(f"{where}: holds {type(values).__name__}, expected one array of objects")
    if repeated_key(raw) is not None:
        for number, text in enumerate(_items(raw), 1):
            _expect_each_key_once(text, f"{where}:{number}")
    return values


def _items(raw: bytes) -> Iterator[str]:
    """Yield the text of each item of an array that is JSON."""
    text = raw.decode(json.detect_encoding(raw), "surrogatepass")
    at = text.index("[") + 1
    while (at := _NEXT.match(text, at).end()) < len(text) and text[at] != "]":  # type: ignore[union-attr]
        _, end = json.JSONDecoder().raw_decode(text, at)
        yield text[at:end]
        at = end


def _parquet(path: Path) -> list[dict[str, Any]]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise DataError(
            f"{path}: reading Parquet needs the package pyarrow; or give a .jsonl file"
        ) from error
    try:
        values: list[dict[str, Any]] = pyarrow.parquet.read_table(path).to_pylist()
    except pyarrow.ArrowException as error:
        raise DataError(f"{path}: not a Parquet file: {_first_line(error)}") from error
    return values


def _first_line(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        # its own line names the file, too
        return error.strerror
    return next(iter(str(error).splitlines()), "") or type(error).__name__


def _hubs_reason(error: BaseException) -> str:
    if is_offline() and _is_unreached(error):
        return "there is no network, or HF_HUB_OFFLINE is set"
    return _first_line(error)


def _is_unreached(error: BaseException) -> bool:
    """Whether the hub was not asked or did not answer, as far as its libraries say so by name or in words."""
    named = type(error).__name__ in _UNREACHED or any(name in str(error) for name in _UNREACHED)
    return named or (error.__cause__ is not None and _is_unreached(error.__cause__))
