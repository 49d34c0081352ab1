"""Which runs stand in one folder as a table: `table.json` beside their folders."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from codesample.decoding import decoded
from codesample.errors import DataError, RunFolderError
from codesample.runs.files import replace_file

__all__ = ["TableEntry", "add_to_table", "holds_table", "read_table"]

_FILE = "table.json"
_FORMAT = 1


@dataclass(frozen=True, slots=True)
class TableEntry:
    """One run of a table.

    Attributes:
        folder: Name of its folder, within the table's.
        task, model: Names.
        temperature: Of the tokens' choice.
    """

    folder: str
    task: str
    model: str
    temperature: float


@dataclass(frozen=True, slots=True)
class _Content:
    format: int
    runs: tuple[TableEntry, ...]


def holds_table(folder: Path) -> bool:
    """Whether a folder holds a table of runs."""
    try:
        return (folder / _FILE).is_file()
    except OSError:
        return False


def read_table(folder: Path) -> list[TableEntry]:
    """Read which runs a table has.

    Raises:
        RunFolderError: the folder holds no table, or one that this version does not read.
    """
    file = folder / _FILE
    try:
        content = decoded(file.read_bytes(), _Content, where=str(file))
    except FileNotFoundError:
        raise RunFolderError(f"{folder}: holds no table of runs") from None
    except OSError as error:
        raise RunFolderError(f"{file}: cannot be read: {error.strerror}") from error
    except DataError as error:
        raise RunFolderError(str(error)) from error
    if content.format != _FORMAT:
        raise RunFolderError(f"{file}: format {content.format}; this version reads format {_FORMAT}")
    return list(content.runs)


def add_to_table(folder: Path, entries: Iterable[TableEntry]) -> None:
    """Note runs beside those that an earlier call noted, in one step; makes the folder.

    Raises:
        RunFolderError: it cannot be written, or as `read_table`.
    """
    known = {each.folder: each for each in (read_table(folder) if holds_table(folder) else ())}
    known |= {each.folder: each for each in entries}
    content = {"format": _FORMAT, "runs": [asdict(each) for each in known.values()]}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        replace_file(folder / _FILE, json.dumps(content, indent=2) + "\n")
    except OSError as error:
        raise RunFolderError(
            f"{folder}: cannot be written: {error.strerror}; choose another with --out"
        ) from error
