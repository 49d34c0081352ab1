from __future__ import annotations

from pathlib import Path

import pytest

from codesample.records import SamplingParams
from codesample.runs import Manifest


@pytest.fixture
def manifest() -> Manifest:
    return Manifest(
        task="mini",
        task_version="1",
        data_hash="ab" * 32,
        model="tiny",
        params=SamplingParams(stop=("\nclass", "\ndef"), seed=7),
        n=4,
        sessions=({"codesample": "0.1.0"},),
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run"
