"""What these tests share: problems of a made-up data set, and a way to read a file as candidates of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest

from codesample.foreign import Matched, match_samples, open_samples
from codesample.records import CodeTests, Problem

Reader = Callable[..., Matched]


def named(task_id: str, entry_point: str | None = None) -> Problem:
    """Make a problem of which nothing but its names counts."""
    tests = CodeTests(source="pass", entry_point=entry_point)
    return Problem(task_id=task_id, prompt="p", tests=tests, entry_point=entry_point)


def read_file(path: Path, ids: Iterable[str] = ("a", "b"), *, plus: bool = False, **more: Any) -> Matched:
    file = open_samples(path)
    found = match_samples(file.samples(plus=plus), [named(each) for each in ids], name=str(path), **more)
    found.notices[:0] = file.notices
    return found


def write_lines(path: Path, rows: Sequence[Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def read() -> Reader:
    return read_file


@pytest.fixture
def lines(tmp_path: Path) -> Callable[..., Path]:
    """Write rows as lines of a file, whose name tells nothing."""
    return lambda *rows, name="given.txt": write_lines(tmp_path / name, rows)


@pytest.fixture
def value(tmp_path: Path) -> Callable[..., Path]:
    """Write one JSON value as a file, whose name tells nothing."""

    def write(content: Any, name: str = "given.txt", indent: int | None = None) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content, indent=indent))
        return path

    return write
