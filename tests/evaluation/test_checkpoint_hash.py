"""Telling checkpoint folders apart without reading all of them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from codesample.errors import ModelError
from codesample.evaluation.checkpoint_hash import fingerprint

LARGE = bytes(range(256)) * (1 << 14)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "model"
    made.mkdir()
    (made / "config.json").write_text("{}")
    (made / "model.safetensors").write_bytes(LARGE)
    return made


def test_a_copy_has_the_same_fingerprint(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "copy")
    assert fingerprint(tmp_path / "copy") == fingerprint(folder)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("config.json", b"[]"),
        ("model.safetensors", LARGE[:-1]),
        ("model.safetensors", bytes(len(LARGE))),
        ("model.safetensors", LARGE[:-1] + b"\0"),
        ("model.safetensors", b"\1" + LARGE[1:]),
        ("tokenizer.json", b""),
    ],
)
def test_other_content_has_another(folder: Path, name: str, content: bytes) -> None:
    before = fingerprint(folder)
    (folder / name).write_bytes(content)
    assert fingerprint(folder) != before


def test_small_files_are_read_whole(folder: Path) -> None:
    file = folder / "model.safetensors"
    seen = set()
    for place in range(0, 1 << 20, 9973):
        content = bytearray(1 << 20)
        content[place] = 1
        file.write_bytes(content)
        seen.add(fingerprint(folder))
    assert len(seen) == len(range(0, 1 << 20, 9973))


def test_files_that_loading_does_not_read_do_not_matter(folder: Path) -> None:
    before = fingerprint(folder)
    (folder / "README.md").write_text("a card")
    (folder / "checkpoint-1").mkdir()
    assert fingerprint(folder) == before


def test_a_file_that_cannot_be_read_is_named(folder: Path) -> None:
    with pytest.raises(ModelError, match="absent: cannot be read"):
        fingerprint(folder / "absent")
