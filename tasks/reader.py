"""Reads rows of published data files and of the hub; every complaint names the file and the line."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from codesample.errors import DataError, HubUnavailableError
from codesample.hub import expect_hub

__all__ = ["Row", "hub_rows", "read_rows", "rows_of"]

_SUFFIXES = (".jsonl", ".jsonl.gz", ".json", ".json.gz", ".parquet")
_MISSING = object()
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a data set and where it stands, such as "problems.jsonl:12"."""

    fields: Mapping[str, Any]
    where: str

    def get(self, name: str, kind: type[_T], default: object = _MISSING) -> _T:
        """Return field `name`, which must be a `kind`; a missing or null one gives `default`.

        Raises:
            DataError: the field is missing and has no default, or is of another type.
        """
        value = self.fields.get(name)
        if value is None:
            if default is _MISSING:
                present = ", ".join(sorted(map(str, self.fields))) or "none"
                raise DataError(f"{self.where}: field {name!r} is missing; fields present: {present}")
            return default  # type: ignore[return-value]
        # bool is an int to Python, but never the int that a data set means
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            got = type(value).__name__
            raise DataError(f"{self.where}: field {name!r} is {got}, expected {kind.__name__}")
        return value

    def number(self, name: str, default: object = _MISSING) -> float:
        """Return field `name`, which must be an integer or a float, as a float; raises as `get`."""
        value = self.get(name, object, default)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise DataError(f"{self.where}: field {name!r} is {type(value).__name__}, expected a number")
        return float(value)

    def strings(self, name: str, default: object = _MISSING) -> tuple[str, ...]:
        """Return field `name`, which must be a list of strings, as a tuple; raises as `get`."""
        values = self.get(name, list, default)
        if not all(isinstance(value, str) for value in values):
            raise DataError(f"{self.where}: field {name!r} holds something else than strings")
        return tuple(values)


def rows_of(data: Path | None, *, hub_id: str, config: str | None = None) -> Iterator[Row]:
    """Read rows from the file `data`, or from the hub's data set where that is None.

    Raises:
        DataError: the file is missing, of an unknown kind or malformed.
        HubUnavailableError: no file was given and the hub gave nothing.
    """
    return hub_rows(hub_id, config=config) if data is None else read_rows(data)


def read_rows(path: Path) -> Iterator[Row]:
    """Read `.jsonl`, `.json` (one array), both also as `.gz`, or `.parquet`; blank lines are skipped.

    Raises:
        DataError: the file is missing, of another kind, or a row is not a JSON object.
    """
    path = Path(path)
    suffix = next((s for s in sorted(_SUFFIXES, key=len, reverse=True) if path.name.endswith(s)), None)
    if suffix is None:
        raise DataError(f"{path}: unknown kind of file; expected one of {', '.join(_SUFFIXES)}")
    try:
        if suffix == ".parquet":
            yield from _parquet_rows(path)
            return
        raw = gzip.decompress(path.read_bytes()) if suffix.endswith(".gz") else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: cannot be read: {_first_line(error)}") from error
    yield from _jsonl_rows(path, raw) if suffix.startswith(".jsonl") else _array_rows(path, raw)


def hub_rows(hub_id: str, *, config: str | None = None) -> Iterator[Row]:
    """Read every split of a data set through `datasets`, in the order the hub lists the splits.

    Raises:
        HubUnavailableError: it is neither cached here nor reachable.
    """
    expect_hub()
    try:
        from datasets import load_dataset

        splits = load_dataset(hub_id, config) if config else load_dataset(hub_id)
    except Exception as error:
        raise HubUnavailableError(
            f"data set {hub_id} is not on this machine and the hub gave nothing ({_first_line(error)}); "
            "give the published file with --data FILE"
        ) from error
    for split, rows in splits.items():
        yield from (Row(dict(row), f"{hub_id}[{split}]:{number}") for number, row in enumerate(rows, 1))


def _jsonl_rows(path: Path, raw: bytes) -> Iterator[Row]:
    # splitlines would also split at U+2028 and form feeds, which JSON strings may hold
    for number, line in enumerate(raw.split(b"\n"), 1):
        if line.strip():
            yield _row(_parse(line, f"{path}:{number}"), f"{path}:{number}")


def _array_rows(path: Path, raw: bytes) -> Iterator[Row]:
    values = _parse(raw, str(path))
    if not isinstance(values, list):
        raise DataError(f"{path}: holds {type(values).__name__}, expected one array of objects")
    yield from (_row(value, f"{path}:{number}") for number, value in enumerate(values, 1))


def _parquet_rows(path: Path) -> Iterator[Row]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise DataError(
            f"{path}: reading Parquet needs the package pyarrow; or give a .jsonl file"
        ) from error
    try:
        values: Sequence[Mapping[str, Any]] = pyarrow.parquet.read_table(path).to_pylist()
    except pyarrow.ArrowException as error:
        raise DataError(f"{path}: not a Parquet file: {_first_line(error)}") from error
    yield from (Row(value, f"{path}:{number}") for number, value in enumerate(values, 1))


def _parse(raw: bytes, where: str) -> object:
    try:
        return json.loads(raw.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where}: not JSON: {_first_line(error)}") from error


def _row(value: object, where: str) -> Row:
    if not isinstance(value, dict):
        raise DataError(f"{where}: holds {type(value).__name__}, expected an object with named fields")
    return Row(value, where)


def _first_line(error: BaseException) -> str:
    lines: Iterable[str] = str(error).splitlines()
    return next(iter(lines), "") or type(error).__name__
