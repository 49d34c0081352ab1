from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from codesample.errors import DataError, UnknownNameError
from codesample.tasks.registry import load_task, load_task_file, task_names


def test_every_listed_task_loads_without_reading_data(tmp_path: Path) -> None:
    for name in task_names():
        task = load_task(name, data=tmp_path / "absent.jsonl")
        assert task.name == name
        assert task.version
        assert task.source
        assert task.stop
        assert task.max_new_tokens > 0


def test_an_unknown_name_suggests_a_near_one() -> None:
    with pytest.raises(UnknownNameError, match="unknown task 'humanevl'; did you mean 'humaneval'"):
        load_task("humanevl")
    with pytest.raises(UnknownNameError, match="codesample list tasks"):
        load_task("")


def test_a_missing_data_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"absent\.jsonl: cannot be read"):
        load_task("humaneval", data=tmp_path / "absent.jsonl").problems()


def test_a_task_file_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"absent\.jsonl: cannot be read"):
        load_task_file(tmp_path / "absent.jsonl")


def test_listing_and_reading_files_import_no_heavy_package() -> None:
    code = (
        "import sys; from codesample.tasks.registry import load_task, task_names\n"
        "[load_task(name) for name in task_names()]\n"
        "assert not {'torch', 'transformers', 'datasets', 'evaluate', 'pyarrow'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
