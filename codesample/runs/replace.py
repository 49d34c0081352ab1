"""Writes a file whole: a reader sees the old one or the new one, whatever stops the writer."""

from __future__ import annotations

import os
from pathlib import Path

from codesample.errors import RunFolderError

__all__ = ["replace_file"]


def replace_file(path: Path, text: str) -> None:
    """Replace the content of a file, or make it, in one step; on the disk when this returns.

    Raises:
        RunFolderError: it cannot be written; the old file stays.
    """
    partial = path.with_name(f".{path.name}.partial")
    try:
        with partial.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except OSError as error:
        raise RunFolderError(f"{path}: cannot be written: {error.strerror}; choose another folder") from error
