"""An index of lines finds those that a run folder counts, and gives them back byte for byte."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codesample.errors import DataError, RunFolderError
from codesample.records import SamplingParams, Status, Verdict
from codesample.runs import Manifest, RunFolder
from codesample.runs.line_index import LineIndex

MANIFEST = Manifest("task", "1", "hash", "model", SamplingParams(), 4)
STATUSES = st.sampled_from([Status.PASSED, Status.WRONG, Status.HARNESS_ERROR])
KEYS = st.tuples(st.sampled_from(["a", "b/ä", "c"]), st.integers(0, 3))


def line(task_id: str, index: int, **more: object) -> bytes:
    return json.dumps({"task_id": task_id, "index": index, **more}).encode() + b"\n"


@given(rows=st.lists(st.tuples(KEYS, STATUSES)))
def test_counts_the_verdicts_that_a_run_folder_counts(
    rows: list[tuple[tuple[str, int], Status]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("run")
    with RunFolder.create(folder, MANIFEST):
        pass
    lines = [
        line(*key, status=status, passed=status is Status.PASSED, wall_seconds=number)
        for number, (key, status) in enumerate(rows)
    ]
    (folder / "verdicts.jsonl").write_bytes(b"".join(lines) + b'{"task_id": "torn')
    index = LineIndex(folder / "verdicts.jsonl", verdicts=True)
    with RunFolder.open(folder) as run:
        counted: dict[tuple[str, int], Verdict] = run.verdicts()
    found = [json.loads(each) for name in index.task_ids for each in index.lines(name)]
    assert {(each["task_id"], each["index"]): each["wall_seconds"] for each in found} == {
        key: verdict.wall_seconds for key, verdict in counted.items()
    }
    assert len(index) == len(counted)


def test_lines_come_as_they_stand_by_the_candidates_indices(tmp_path: Path) -> None:
    file = tmp_path / "samples.jsonl"
    rows = [
        line("a", 2, x=1),
        line("b", 0),
        line("a", 0, y="\u2028"),
        line("a", 2, x=2),
        b' {"index":1,"task_id":"a"}\n',
    ]
    file.write_bytes(b"".join(rows))
    index = LineIndex(file)
    assert list(index.lines("a")) == [rows[2], rows[4], rows[0]]
    assert (index.task_ids, index.indices("a"), index.indices("none")) == ({"a", "b"}, {0, 1, 2}, frozenset())
    assert list(index.lines("none")) == []


def test_a_file_that_is_not_there_has_no_lines(tmp_path: Path) -> None:
    assert len(LineIndex(tmp_path / "none.jsonl")) == 0


def test_a_malformed_line_is_named(tmp_path: Path) -> None:
    file = tmp_path / "samples.jsonl"
    file.write_bytes(line("a", 0) + b"no json\n")
    with pytest.raises(RunFolderError, match=r"samples.jsonl:2: .*changed by something else"):
        LineIndex(file)
    file.write_bytes(line("a", 0) + b'{"task_id": "a"}\n')
    with pytest.raises(DataError, match=r"samples.jsonl:2: .*index"):
        LineIndex(file)


def test_a_file_that_was_shortened_meanwhile_is_not_read_wrongly(tmp_path: Path) -> None:
    file = tmp_path / "samples.jsonl"
    file.write_bytes(line("a", 0) + line("a", 1))
    index = LineIndex(file)
    file.write_bytes(line("a", 0) + line("a", 1)[:5])
    with pytest.raises(RunFolderError, match="was shortened while it was read"):
        list(index.lines("a"))
