"""The name by which a run knows a model says all that makes it another one, and gives it back."""

from __future__ import annotations

from pathlib import Path

import pytest

from codesample.engines.model_options import ModelOptions


@pytest.mark.parametrize(
    ("options", "name"),
    [
        (ModelOptions("tiny"), "tiny"),
        (ModelOptions("a/b", revision="main"), "a/b@main"),
        (ModelOptions("a/b", adapter="c/d"), "a/b +adapter=c/d"),
        (ModelOptions("./x", adapter="./y", tokenizer="z"), "./x +adapter=./y +tokenizer=z"),
        (ModelOptions("a/b", revision="r", tokenizer="q@7"), "a/b@r +tokenizer=q@7"),
    ],
)
def test_a_name_gives_its_options_back(options: ModelOptions, name: str) -> None:
    assert options.name == name
    assert ModelOptions.named(name) == options


def test_a_folder_with_an_at_sign_is_no_revision(tmp_path: Path) -> None:
    (tmp_path / "a@b").mkdir()
    name = str(tmp_path / "a@b")
    assert ModelOptions.named(name) == ModelOptions(name)
    assert ModelOptions.named(f"{name} +adapter=c") == ModelOptions(name, adapter="c")


def test_a_gguf_file_is_where_a_model_lies(tmp_path: Path) -> None:
    file = tmp_path / "m.gguf"
    file.write_bytes(b"GGUF")
    (tmp_path / "m.txt").write_text("")
    assert ModelOptions(str(file)).folder == file
    assert ModelOptions(str(tmp_path / "m.txt")).folder is None
    assert ModelOptions("tiny", adapter=str(tmp_path), tokenizer="a/b").parts == {
        str(tmp_path): tmp_path,
        "a/b": None,
    }
