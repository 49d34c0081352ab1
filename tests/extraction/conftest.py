from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

PUBLISHED = Path(__file__).resolve().parents[2].parent / "shared" / "data"


@pytest.fixture(scope="session")
def published() -> Callable[[str], Path]:
    """Give the path of a published data file, or skip where this machine has none."""

    def path_of(name: str) -> Path:
        path = PUBLISHED / name
        if not path.is_file():
            pytest.skip(f"needs the published file {name} in ../shared/data beside the checkout")
        return path

    return path_of
