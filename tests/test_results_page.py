"""The page on looking at runs: its commands exist, and its Python runs from top to bottom."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from codesample.cli.app import app

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "results.md").read_text(encoding="utf-8")


def test_its_python_runs_and_its_commands_work_on_that_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pandas")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert len(blocks) > 4
    found: dict[str, Any] = {}
    for block in blocks:
        exec(compile(block, "results.md", "exec"), found)
    assert len(found["candidates"]) == 12 * 8
    assert found["chosen"].index[0] == "random"
    assert found["chosen"].loc["oracle", "value"] == found["report"].oracle.value
    assert found["passing"].num_rows == found["candidates"]["passed"].sum()
    assert len(found["surprised"]) == (~found["candidates"]["passed"]).sum()
    assert found["samples"].num_rows == 12 * 8
    assert set(found["gaps"]) == set(found["candidates"]["task_id"])

    commands = re.findall(r"^\| `codesample (show [^`]*)`", PAGE, re.MULTILINE)
    assert len(commands) > 4
    for command in commands:
        done = CliRunner().invoke(app, shlex.split(command))
        assert done.exit_code == 0, done.output
        assert done.stdout
