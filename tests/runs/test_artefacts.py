from __future__ import annotations

from pathlib import Path

import pytest

from codesample.errors import RunFolderError
from codesample.runs.artefacts import Artefacts, artefact_key


def test_what_was_put_is_there_for_the_next_process(tmp_path: Path) -> None:
    first = Artefacts(tmp_path / "artefacts" / "tests.jsonl", writable=True)
    first.put("a", {"text": "é\ud800", "rows": [None, [1.5]]})
    first.put("a", "too late")
    first.close()
    again = Artefacts(tmp_path / "artefacts" / "tests.jsonl", writable=False)
    assert again.get("a") == {"text": "é\ud800", "rows": [None, [1.5]]}
    assert again.get("b") is None


def test_a_line_that_a_killed_process_left_unfinished_is_cut_and_made_anew(tmp_path: Path) -> None:
    file = tmp_path / "tests.jsonl"
    file.write_text('{"key":"a","value":1}\n{"key":"b","val')
    kept = Artefacts(file, writable=True)
    assert (kept.get("a"), kept.get("b")) == (1, None)
    kept.put("b", 2)
    kept.close()
    assert file.read_text() == '{"key":"a","value":1}\n{"key":"b","value":2}\n'


def test_a_reader_writes_nothing(tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match="open for reading only"):
        Artefacts(tmp_path / "tests.jsonl", writable=False).put("a", 1)
    assert not list(tmp_path.iterdir())


def test_keys_are_equal_for_equal_parts_alone() -> None:
    keys = [
        artefact_key("a", 1),
        artefact_key("a", 1.5),
        artefact_key("a1"),
        artefact_key(["a", 1]),
        artefact_key(),
    ]
    assert len(set(keys)) == len(keys)
    assert artefact_key({"b": 1, "a": 2}) == artefact_key({"a": 2, "b": 1})
