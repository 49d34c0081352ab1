"""Settings of the runs that these tests make."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.fixture
def options() -> dict[str, Any]:
    """Six candidates each; the weakest isolation is accepted so that any machine can run the tests."""
    return {
        "n": 6,
        "rerankers": ("mean_logprob", "public_examples"),
        "workers": 1,
        "allow_weak_isolation": "none",
    }
