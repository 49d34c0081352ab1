"""Measurements are kept as JSON lines."""

import json

from codesample.bench.measurements import append_measurements, reason_of


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
