"""Measurements are kept as JSON lines."""

import json

import pytest

from codesample.bench.measurements import append_measurements, expect_writable, reason_of
from codesample.errors import ParameterError


def test_measurements_are_appended_to_a_file_that_is_made_with_its_folder(tmp_path):
    path = tmp_path / "new" / "found.jsonl"
    append_measurements([{"n": 1, "of": {"a": None}}], path)
    append_measurements([{"n": 2}, {"n": 3, "device": "µ"}], path)
    kept = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert kept == [{"n": 1, "of": {"a": None}}, {"n": 2}, {"n": 3, "device": "µ"}]


def test_a_reason_is_one_short_line():
    assert reason_of(RuntimeError("out of luck\nand more")) == "RuntimeError: out of luck"
    assert reason_of(AttributeError()) == "AttributeError"
    assert len(reason_of(ValueError("x" * 999))) == 160


def test_half_a_line_that_a_killed_call_left_spoils_no_other(tmp_path):
    path = tmp_path / "found.jsonl"
    path.write_text('{"n": 1}\n{"n":')
    append_measurements([{"n": 2}], path)
    append_measurements([], path)
    assert path.read_text() == '{"n": 1}\n{"n":\n{"n": 2}\n'


def test_a_file_that_cannot_be_written_is_told_before_and_while_rows_come(tmp_path):
    (tmp_path / "file").write_text("")
    for path in (tmp_path, tmp_path / "file" / "rows.jsonl"):
        with pytest.raises(ParameterError, match=r"cannot be written: (Is a dir|what should be its f)"):
            expect_writable(path)
        with pytest.raises(ParameterError, match="cannot be written"):
            append_measurements([{"n": 1}], path)
    expect_writable(tmp_path / "new" / "rows.jsonl")
    assert (tmp_path / "new" / "rows.jsonl").read_text() == ""
