"""The folder of one card's measurements: every row is on disk once it is known, and a later call goes on."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

from codesample.bench.measurements import Measurement
from codesample.errors import ParameterError

__all__ = ["IDENTITY", "RowFolder"]

IDENTITY = ("kind", "model", "rows", "context")
"""Names of what tells the rows of one cell from those of all others."""

_SAME = ("device", "driver", "torch", "triton", "transformers", "commit", "rehearsal")


class RowFolder:
    """Appends rows to `rows.jsonl` and replaces whole files beside it.

    Args:
        path: Of the folder, which is made where it is missing.

    Attributes:
        path: As given.
        rows: All rows, those of earlier calls first.

    Raises:
        ParameterError: the folder cannot be written, or holds rows that are none.
    """

    def __init__(self, path: Path) -> None:
        self.path, self._file = path, path / "rows.jsonl"
        try:
            path.mkdir(parents=True, exist_ok=True)
            with self._file.open("ab"):
                held = self._file.read_bytes()
        except OSError as error:
            raise ParameterError(
                f"--out {path}: rows cannot be written there: {error.strerror or error}; name a folder that "
                "can be"
            ) from error
        whole, ended, rest = held.rpartition(b"\n")
        self.rows: list[Measurement] = [self._row(line, at) for at, line in enumerate(whole.splitlines(), 1)]
        if rest:
            self._settle(rest, len(whole) + len(ended))

    def _settle(self, rest: bytes, begin: int) -> None:
        """Keep the last line where it lacks but its end, and drop what a call that was killed left of one."""
        try:
            self.rows.append(self._row(rest, len(self.rows) + 1))
        except ParameterError:
            if not self.rows:
                raise
            os.truncate(self._file, begin)
        else:
            with self._file.open("ab") as file:
                file.write(b"\n")

    def _row(self, line: bytes, at: int) -> Measurement:
        try:
            row = json.loads(line)
        except ValueError:
            row = None
        if not isinstance(row, dict) or "kind" not in row:
            raise ParameterError(f"{self._file}: line {at} is no row of this command; name another folder")
        return row

    def expect_same(self, environment: Measurement) -> None:
        """Refuse to go on with rows of another card, of other versions or of a rehearsal.

        Raises:
            ParameterError: what differs, or that they do not say what they are of.
        """
        if self.rows and self.rows[0]["kind"] != "environment":
            raise ParameterError(
                f"{self._file}: its rows are of another command and do not say what they were measured on; "
                "name another folder"
            )
        for row in (row for row in self.rows if row["kind"] == "environment"):
            for name in _SAME:
                if row.get(name) != environment.get(name):
                    raise ParameterError(
                        f"{self._file}: its rows are of {name} {row.get(name)!r}, this is "
                        f"{environment.get(name)!r}; name another folder"
                    )

    def has(self, identity: Measurement) -> bool:
        """Whether a cell was tried before: it has figures, or a reason that time will not mend."""
        return any(
            "no_time" not in row and all(row.get(name) == value for name, value in identity.items())
            for row in self.rows
        )

    def cut_off(self, identity: Measurement) -> int:
        """Return in how many calls a cell was begun and not ended, as by a call that was killed."""
        return sum(
            "cut_off" in row and all(row.get(name) == value for name, value in identity.items())
            for row in self.rows
        )

    def add(self, row: Measurement) -> None:
        """Keep a row; it is on disk when this returns.

        Raises:
            ParameterError: it cannot be written.
        """
        self.rows.append(row)
        try:
            with self._file.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise ParameterError(f"{self._file}: {error.strerror or error}") from error

    def replace(self, files: Sequence[tuple[str, str]]) -> None:
        """Write files, each name with its text, whole or not at all."""
        for name, text in files:
            beside = self.path / f".{name}.part"
            beside.write_text(text, encoding="utf-8")
            beside.replace(self.path / name)
