"""What a run's record says of the process that worked on it."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from codesample.evaluation.report import EngineFacts
from codesample.execution import Level
from codesample.versions import versions_of

__all__ = ["PACKAGES", "engine_facts", "session_facts", "versions", "weakest_isolation", "weakest_session"]

PACKAGES = ("codesample", "torch", "triton", "transformers", "tokenizers", "datasets")
"""Distributions whose version can change a result."""

_WEAKEST_FIRST = ("unknown", "recorded", "none", "seeded", "exact")


def versions() -> dict[str, str | None]:
    """Return the version of Python and of each of `PACKAGES`, importing none; None where it is missing."""
    return versions_of(PACKAGES)


def session_facts(
    command: str, *, model: Mapping[str, Any], isolation: Mapping[str, Any], settings: Mapping[str, Any]
) -> dict[str, Any]:
    """Return one entry of a manifest's `sessions`: plain JSON data.

    Args:
        command: What was asked for: "eval" or "execute".
        model: As the engine describes itself.
        isolation: What the sandbox granted.
        settings: Everything else that was asked for.
    """
    return {
        "command": command,
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": versions(),
        "machine": {"platform": platform.platform(), "processors": os.cpu_count()},
        "model": dict(model),
        "isolation": dict(isolation),
        "settings": dict(settings),
    }


def weakest_isolation(sessions: Sequence[Mapping[str, Any]]) -> str:
    """Return the label of the weakest level under which any of a run's sessions ran programs."""
    return str(weakest_session(sessions)["isolation"]["level"])


def weakest_session(sessions: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Return the session that ran programs at the weakest level, the first of equal ones."""
    return min(sessions, key=lambda session: Level.parse(session["isolation"]["level"]))


def engine_facts(sessions: Sequence[Mapping[str, Any]]) -> EngineFacts:
    """Return what all engines of a run's sessions can do, and the weakest way in which they repeat."""
    models = [session.get("model", {}) for session in sessions]
    repeats = [str(model.get("reproducibility", "unknown")) for model in models]
    abilities = [set(model.get("abilities", ())) for model in models]
    return EngineFacts(
        abilities=tuple(sorted(set.intersection(*abilities))) if abilities else (),
        reproducibility=min(repeats, key=_rank, default="unknown"),
    )


def _rank(repeats: str) -> int:
    return _WEAKEST_FIRST.index(repeats) if repeats in _WEAKEST_FIRST else 0
