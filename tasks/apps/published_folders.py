"""Reads APPS as it was published: a folder for each problem, in a folder or a zip file."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from codesample.data_files import Entry
from codesample.decoding import parsed
from codesample.errors import DataError

__all__ = ["folder_entries", "is_published_form"]

_QUESTION = "question.txt"


def is_published_form(data: Path) -> bool:
    """Whether `data` is a folder or a zip file, so that `folder_entries` reads it."""
    return data.is_dir() or data.name.endswith(".zip")


def folder_entries(data: Path) -> Iterator[Entry[dict[str, Any]]]:
    """Yield what the hub has of each problem, from the files of its folder, in the order of their paths.

    Args:
        data: The folder or zip file that holds the problems' folders, at any depth.

    Raises:
        DataError: it cannot be read or holds no problem, or a problem's files are not what they should be.
    """
    try:
        if data.is_dir():
            names = sorted(path.relative_to(data).as_posix() for path in data.rglob("*") if path.is_file())
            yield from _entries(data, names, lambda name: (data / name).read_bytes())
        else:
            with zipfile.ZipFile(data) as archive:
                yield from _entries(data, sorted(archive.namelist()), archive.read)
    except (OSError, zipfile.BadZipFile, EOFError, RuntimeError, NotImplementedError) as error:
        raise DataError(f"{data}: cannot be read: {error}") from error


def _entries(data: Path, names: list[str], read: Callable[[str], bytes]) -> Iterator[Entry[dict[str, Any]]]:
    there = set(names)
    folders = [PurePosixPath(name).parent for name in names if PurePosixPath(name).name == _QUESTION]
    if not folders:
        raise DataError(f"{data}: holds no {_QUESTION}; expected folders such as 0001/{_QUESTION}")
    for folder in folders:
        where = f"{data}:{folder}"

        def text(name: str, folder: PurePosixPath = folder, where: str = where) -> str:
            path = str(folder / name)
            try:
                return read(path).decode() if path in there else ""
            except UnicodeDecodeError as error:
                raise DataError(f"{where}/{name}: is no text in UTF-8: {error}") from error

        about = parsed(text("metadata.json").encode() or b"{}", where=f"{where}/metadata.json")
        if not isinstance(about, dict):
            raise DataError(f"{where}/metadata.json: holds {type(about).__name__}, expected an object")
        if not folder.name.isdecimal():
            raise DataError(f"{where}: a problem's folder is named by its number, such as 0001")
        yield Entry(
            {
                "problem_id": int(folder.name),
                "question": text(_QUESTION),
                "solutions": text("solutions.json"),
                "input_output": text("input_output.json"),
                "starter_code": text("starter_code.py"),
                **{name: about[name] for name in ("difficulty", "url") if name in about},
            },
            where,
        )
