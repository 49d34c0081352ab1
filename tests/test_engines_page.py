"""The page of engines says what the probes say, explains every option, and claims nothing else."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

from page_writers import page_writer

from codesample import ServerFacts
from codesample.engines.model_options import SERVER_OPTIONS

PAGE = Path(__file__).resolve().parents[1] / "docs" / "engines.md"
TEXT = PAGE.read_text(encoding="utf-8")


def test_the_table_is_what_the_probes_say() -> None:
    writer = page_writer("write_engines")
    assert writer.with_table(TEXT, writer.probes()) == TEXT, "make map"


def test_recorded_probes_hold_every_fact_and_documented_ones_only_known_names() -> None:
    names = {each.name for each in fields(ServerFacts)}
    rows = page_writer("write_engines").probes()
    recorded = [row for row in rows if row["origin"] == "recorded"]
    assert recorded
    for row in recorded:
        assert row["facts"].keys() == names
        assert row["facts"]["requests"] > 10
        assert row["date"]
    for row in rows:
        assert row["origin"] in ("recorded", "documented")
        assert row["facts"].keys() <= names
    assert not any(str(row).startswith("/") or "/tmp" in str(row) for row in rows)


def test_every_option_of_servers_is_explained() -> None:
    options = re.findall(r"^\| `(--[a-z-]+)", TEXT, re.MULTILINE)
    assert sorted(options) == sorted(f"--{name.replace('_', '-')}" for name in SERVER_OPTIONS)
