"""Settings of the runs that these tests make."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.fixture
def options() -> dict[str, Any]:
    """Six candidates each."""
    return {"n": 6, "rerankers": ("mean_logprob", "public_examples")}
