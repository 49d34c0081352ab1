"""Makes one table of runs of the shards of a table: every run of it is merged with its own."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from codesample.errors import ParameterError, RunFolderError
from codesample.evaluation.merging import expect_outside, merge_runs
from codesample.evaluation.run_table import RunTable, load_table, new_table_folder
from codesample.evaluation.shard_checks import few
from codesample.records.validation import validated
from codesample.runs.joining import in_one_step
from codesample.runs.table import TableEntry, add_to_table, holds_table, read_table

__all__ = ["merge_tables"]


@validated
def merge_tables(tables: Sequence[str | Path], out: str | Path | None = None) -> RunTable:
    """Make one table of the shards of a table of runs, each run merged as `merge_runs` does one.

    The merged table appears under its name once all of its runs are merged. Tasks are read where the shards
    read them.

    Args:
        tables: Folders of all shards, made by `evaluate_table` with the same tasks, models and temperatures.
        out: A new folder; None makes one under `runs/`.

    Raises:
        RunFolderError: a folder holds no table, or not the same runs as the others; or as `merge_runs`.
        CodesampleError: as `merge_runs`.
    """
    folders = [Path(each) for each in tables]
    if not folders:
        raise ParameterError("no table to merge; name all shards of one")
    entries = _shared(folders)
    place = Path(out) if out is not None else new_table_folder()
    expect_outside(place, folders)
    with in_one_step(Path(os.path.abspath(place))) as folder:
        for entry in entries:
            merge_runs([each / entry.folder for each in folders], folder / entry.folder)
        add_to_table(folder, entries)
    return load_table(place)


def _shared(folders: Sequence[Path]) -> list[TableEntry]:
    """Return the runs of the tables, which have to be the same in all."""
    if lacking := [str(each) for each in folders if not holds_table(each)]:
        raise RunFolderError(f"{few(lacking)}: holds no table of runs, and others do; merge these apart")
    found = {folder: {each.folder: each for each in read_table(folder)} for folder in folders}
    first = found[folders[0]]
    for folder, entries in found.items():
        if different := sorted(first.keys() ^ entries.keys()):
            raise RunFolderError(
                f"{folder} and {folders[0]} are not shards of one table: only one has {few(different)}"
            )
    return list(first.values())
