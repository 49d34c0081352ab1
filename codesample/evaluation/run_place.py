"""Where a run is kept: a new folder's name, and whether a run can be started or continued in one."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryFile

from codesample.errors import RunFolderError
from codesample.runs import Manifest, RunFolder

__all__ = ["check_run_folder", "new_run_folder"]


def check_run_folder(path: Path, manifest: Manifest, *, resume: bool) -> None:
    """Refuse a run folder that could not be started, or not be continued with `manifest`.

    Raises:
        RunFolderError: it holds a run or files of one although `resume` is off, it holds none or another
            run although it is on, or it cannot be written.
    """
    if resume:
        with RunFolder.open(path) as run:
            run.manifest.continued_by(manifest, where=str(path))
    else:
        RunFolder.expect_none(path)
        _try_writing(path)


def _try_writing(path: Path) -> None:
    absent: list[Path] = []
    try:
        absent = [folder for folder in (path, *path.parents) if not folder.exists()]
        path.mkdir(parents=True, exist_ok=True)
        TemporaryFile(dir=path).close()
    except OSError as error:
        raise RunFolderError(
            f"{path}: cannot be written: {error.strerror}; choose another with --out"
        ) from error
    finally:
        for folder in absent:
            with suppress(OSError):
                folder.rmdir()


def new_run_folder(task: str, model: str, *, shard: str | None = None) -> Path:
    """Return the path of a new run folder under `runs/`, named after task, model, shard and time of day.

    To the millisecond, so that runs started together do not meet.
    """
    words = "-".join(part for part in (task, Path(model).name) if part)
    safe = "".join(char if char.isalnum() or char in "._-" else "_" for char in words)
    part = f"-{shard.replace('/', 'of')}" if shard else ""
    now = datetime.now()
    return Path("runs") / f"{safe[:100]}{part}-{now:%Y%m%d-%H%M%S}-{now.microsecond // 1000:03d}"
